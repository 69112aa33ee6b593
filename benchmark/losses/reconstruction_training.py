"""Training the suite's own reconstruction network: redraw the clear, fail on the spoilt.

The objective is SDAG's (Zheng et al. 2023, and its release's settings), with x a clear picture,
x_g = x^(1/0.3) darkened and x_n = x + N(0, (50/255)^2) noisy, not clipped:

    |R(x) - x|_1 + 0.1 (|R(x_g) - x_g|_1 + |R(x_n) - x_n|_1)
    + sum over d in {g, n} of max(0, 0.5 - (cos(R(x), x) - cos(R(x_d), x_d)))

Three things differ from the authors' network and none is hidden. The cosine is over each image, not
over the batch. It is a quarter as wide (16 channels), because it trains on a CPU in minutes. And
its first two layers are learnt with the rest: those of VGG16 are not ours to pass on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.assets import AssetRecord, asset_folder, save_asset
from benchmark.assets.fitting import fit, initialised
from benchmark.losses.reconstruction import ASSET, OWN_CHANNELS, Reconstruction, similarity
from benchmark.progress import Reporter

#: What spoils a picture: exponent that darkens it, standard deviation of the noise.
DARKENING, NOISE = 1 / 0.3, 50 / 255
MARGIN = 0.5
_DEGRADED_WEIGHT = 0.1
_CHUNK = 16
#: Contexts of the training mixture whose clear pictures are shown, in equal numbers.
_KINDS = ("generic", "face")


@dataclass(frozen=True)
class ReconstructionSettings:
    """Everything that fixes the weights.

    Attributes:
        seed: of initial weights, pictures, crops and noise.
        steps: optimiser steps.
        batch: crops a step.
        crop: their side in pixels.
        rate: peak learning rate of the one-cycle schedule (AdamW).
        decay: weight decay.
        count: training pictures of every kind.
        held_out: validation pictures of every kind.
        size: side of the pictures in pixels.
    """

    seed: int = 0
    steps: int = 900
    batch: int = 8
    crop: int = 32
    rate: float = 3e-3
    decay: float = 1e-4
    count: int = 240
    held_out: int = 60
    size: int = 64


def spoilt(images: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """The two degradations of ``[B, 3, H, W]`` pictures in [0, 1], by name."""
    noise = torch.randn(images.shape, generator=generator).to(images)
    return {"darkened": images**DARKENING, "noisy": images + NOISE * noise}


def objective(network: Reconstruction, images: Tensor, generator: torch.Generator) -> Tensor:
    """The loss of a batch of clear pictures, a scalar.

    Args:
        network: R.
        images: ``[B, 3, H, W]`` in [0, 1].
        generator: of the noise.
    """
    clear = network(images)
    likeness = similarity(clear, images)
    total = functional.l1_loss(clear, images)
    for pictures in spoilt(images, generator).values():
        redrawn = network(pictures)
        total = total + _DEGRADED_WEIGHT * functional.l1_loss(redrawn, pictures)
        lead = likeness - similarity(redrawn, pictures)
        total = total + (MARGIN - lead).clamp(min=0).mean()
    return total


def fit_reconstruction(
    pictures: Tensor,
    settings: ReconstructionSettings,
    *,
    device: torch.device | str = "cpu",
    reporter: Reporter | None = None,
) -> Reconstruction:
    """Train on random crops, mirrored half of the time.

    Args:
        pictures: ``[N, 3, S, S]`` uint8, clear.
        settings: see there.
        device: where to compute.
        reporter: told of every step.

    Returns:
        The network in evaluation mode on ``device``.
    """
    network = initialised(lambda: Reconstruction(OWN_CHANNELS), settings.seed).to(device)
    room = pictures.shape[-1] - settings.crop + 1

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(pictures), (settings.batch,), generator=generator)
        top, left, mirror = (
            int(torch.randint(many, (1,), generator=generator)) for many in (room, room, 2)
        )
        crops = pictures[rows, :, top : top + settings.crop, left : left + settings.crop]
        images = (crops.flip(3) if mirror else crops).to(device).float() / 255
        return objective(network, images, generator)

    fit(
        network.parameters(),
        loss,
        steps=settings.steps,
        rate=settings.rate,
        decay=settings.decay,
        seed=settings.seed,
        title="reconstruction network",
        reporter=reporter,
    )
    return network.eval()


@torch.inference_mode()
def reconstruction_card(
    network: Reconstruction, pictures: Tensor, groups: Mapping[str, np.ndarray[Any, Any]], seed: int
) -> list[dict[str, Any]]:
    """How well clear and spoilt pictures are redrawn, per group.

    Args:
        network: R.
        pictures: ``[N, 3, H, W]`` uint8 that it was not trained on.
        groups: rows of each group, by name.
        seed: of the noise.

    Returns:
        Rows ``condition, group, n, cosine, l1, told_apart``: the last is the share of pictures of
        which the clear version has the higher cosine (1 for the clear ones by definition).
    """
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    clear = pictures.float() / 255
    measured = {}
    for name, images in {"clear": clear, **spoilt(clear, generator)}.items():
        parts = []
        for part in torch.split(images.to(device), _CHUNK):
            redrawn = network(part)
            l1 = (redrawn - part).abs().mean((1, 2, 3))
            parts.append(torch.stack([similarity(redrawn, part), l1], 1).cpu())
        measured[name] = torch.cat(parts).double().numpy()
    return [
        {
            "condition": name,
            "group": group,
            "n": len(rows),
            "cosine": round(float(values[rows, 0].mean()), 4),
            "l1": round(float(values[rows, 1].mean()), 4),
            "told_apart": 1.0
            if name == "clear"
            else round(float((values[rows, 0] < measured["clear"][rows, 0]).mean()), 4),
        }
        for name, values in measured.items()
        for group, rows in groups.items()
    ]


def train_reconstruction(
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    settings: ReconstructionSettings | None = None,
    reporter: Reporter | None = None,
) -> AssetRecord:
    """``python -m benchmark instruments train reconstruction``: render, train, validate, write.

    Args:
        folder: where weights and record go, by default into the installed package.
        device: where to compute.
        settings: by default those of the committed asset.
        reporter: told of every step.
    """
    settings = settings or ReconstructionSettings()
    reporter = reporter or Reporter()
    seen, _ = _pictures("train", settings.count, settings, reporter)
    network = fit_reconstruction(seen, settings, device=device, reporter=reporter)
    held_out, groups = _pictures("validation", settings.held_out, settings, reporter)
    fixed = asdict(settings)
    count, held_out_count, size = (fixed.pop(name) for name in ("count", "held_out", "size"))
    data = {"kinds": list(_KINDS), "size": size}
    return save_asset(
        network.state_dict(),
        folder=folder or asset_folder(),
        name=ASSET,
        summary="reconstruction network of SDAG's loss, trained on rendered and free pictures",
        licence="Apache-2.0",
        device=next(network.parameters()).device.type,
        parameters=sum(p.numel() for p in network.parameters()),
        settings=fixed,
        data={
            "training_probe": {"split": "train", "count": count, **data},
            "validation_probe": {"split": "validation", "count": held_out_count, **data},
        },
        card={"redrawing": reconstruction_card(network, held_out, groups, settings.seed)},
        caveats=(
            "A loss network: it judges nothing.",
            "A quarter as wide as the authors', its first layers learnt here instead of VGG16's.",
            "It counts darkness as damage by design: a dark scene is redrawn badly too.",
        ),
    )


def _pictures(
    split: str, count: int, settings: ReconstructionSettings, reporter: Reporter
) -> tuple[Tensor, dict[str, np.ndarray[Any, Any]]]:
    """Clear pictures ``[N, 3, S, S]`` uint8, and the rows of every group among them."""
    from benchmark.contexts.mixture import MIXTURE

    parts, names = [], []
    for kind in _KINDS:
        ingredient = MIXTURE[kind]
        views = ingredient.source(count, settings.size, split, settings.seed, reporter)
        parts.append(torch.from_numpy(np.ascontiguousarray(views.images)).permute(0, 3, 1, 2))
        axis = ingredient.axis
        levels = views.frame[axis].astype(str) if axis else [""] * len(views.images)
        names += [f"{kind} {level}".strip() for level in levels]
    found = np.array(names)
    return torch.cat(parts), {name: np.flatnonzero(found == name) for name in sorted(set(names))}
