"""Training and validating the network of face attributes on rendered faces."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.assets import AssetRecord, asset_folder, save_asset
from benchmark.assets.fitting import fit, initialised
from benchmark.imaging.alignment import align
from benchmark.imaging.augmentation import Augmentation, augment
from benchmark.judges.attributes_net import ASSET, CROP_SIZE, CROP_ZOOM, HEADS, AttributeNet
from benchmark.judges.conditions import low_light_conditions
from benchmark.probes.faces import FaceProbe, FaceSamples, ToneLevel
from benchmark.progress import Reporter

_BATCH = 128

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class AttributeSettings:
    """Everything that fixes the trained weights besides the faces.

    Attributes:
        seed: of initial weights, sampling and augmentation.
        steps: optimiser steps.
        batch: crops a step.
        rate: peak learning rate of the one-cycle schedule (AdamW).
        decay: weight decay.
        augmentation: ranges of the random views: noisy, blurred, tinted and brightened again as an
            enhancer's output is. Most of the lost light is given back, because in the dark a tone
            is a guess.
        training_probe: whose faces are learnt.
        validation_probe: whose faces are judged in the card; nobody of the test split.
    """

    seed: int = 0
    steps: int = 250
    batch: int = 64
    rate: float = 3e-3
    decay: float = 5e-4
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(
            mirror=0.0, dark_share=0.5, gain_left=0.25, tint=0.08, gamma=1.2
        )
    )
    training_probe: FaceProbe = field(
        default_factory=lambda: FaceProbe(
            split="train", identities=160, views=5, size=96, supersample=1
        )
    )
    validation_probe: FaceProbe = field(
        default_factory=lambda: FaceProbe(split="validation", identities=30, views=4)
    )


def attribute_crops(faces: FaceSamples, images: Images | None = None) -> Tensor:
    """Aligned crops as the network wants them, ``[N, 3, 64, 64]`` uint8.

    Args:
        faces: where the landmarks are.
        images: other versions of the pictures to cut from, ``[N, H, W, 3]`` uint8.
    """
    source = faces.images if images is None else images
    parts = [torch.zeros(0, 3, CROP_SIZE, CROP_SIZE, dtype=torch.uint8)]
    for start in range(0, len(faces), _BATCH):
        rows = slice(start, start + _BATCH)
        batch = torch.tensor(source[rows]).permute(0, 3, 1, 2).float()
        crops = align(batch, torch.tensor(faces.landmarks[rows]), CROP_SIZE, zoom=CROP_ZOOM)
        parts.append(crops.round().clamp(0, 255).to(torch.uint8))
    return torch.cat(parts)


def attribute_labels(faces: FaceSamples) -> dict[str, NDArray[np.int64]]:
    """``[N]`` code of every head's level."""
    return {
        name: np.array([levels.index(value) for value in faces.frame[name]], dtype=np.int64)
        for name, levels in HEADS.items()
    }


def fit_attributes(
    crops: Tensor,
    labels: dict[str, NDArray[np.int64]],
    settings: AttributeSettings,
    *,
    device: torch.device | str = "cpu",
    reporter: Reporter | None = None,
) -> AttributeNet:
    """Train on aligned crops ``[N, 3, 64, 64]`` uint8, every level of tone equally often.

    A mirrored view has the pose of the other side, so views are not mirrored here.

    Returns:
        The network in evaluation mode on ``device``.
    """
    network = initialised(AttributeNet, settings.seed).to(device)
    network.to(memory_format=torch.channels_last)
    target = {name: torch.tensor(codes) for name, codes in labels.items()}
    tone = target["tone_level"]
    share = torch.bincount(tone, minlength=len(HEADS["tone_level"])).clamp(min=1)
    weights = 1 / share[tone].double()

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.multinomial(weights, settings.batch, replacement=True, generator=generator)
        images = crops[rows].to(device).float() / 255
        answers = network(augment(images, generator, settings.augmentation))
        return torch.stack(
            [
                functional.cross_entropy(logits, target[name][rows].to(device))
                for name, logits in answers.items()
            ]
        ).sum()

    fit(
        network.parameters(),
        loss,
        steps=settings.steps,
        rate=settings.rate,
        decay=settings.decay,
        seed=settings.seed,
        title="face attributes",
        reporter=reporter,
    )
    return network.eval()


@torch.inference_mode()
def accuracy_card(
    network: AttributeNet, faces: FaceSamples, conditions: dict[str, Images]
) -> list[dict[str, Any]]:
    """Accuracy of every head by tone level: on the clean faces and on what has become of them.

    Returns:
        Rows ``condition, tone_level, n_images, n_identities`` and one accuracy per head.
    """
    truth = attribute_labels(faces)
    level = faces.frame["tone_level"].to_numpy()
    device = next(network.parameters()).device
    rows: list[dict[str, Any]] = []
    for condition, images in {"normal": faces.images, **conditions}.items():
        parts = [
            network(part.to(device).float() / 255)
            for part in torch.split(attribute_crops(faces, images), _BATCH)
        ]
        right = {
            name: torch.cat([part[name] for part in parts]).argmax(1).cpu().numpy() == truth[name]
            for name in HEADS
        }
        for name in (item.value for item in ToneLevel):
            mine = level == name
            rows.append(
                {
                    "condition": condition,
                    "tone_level": name,
                    "n_images": int(mine.sum()),
                    "n_identities": int(faces.frame["identity"][mine].nunique()),
                    **{f"{head}_accuracy": round(float(r[mine].mean()), 4)
                       for head, r in right.items() if mine.any()},
                }
            )  # fmt: skip
    return rows


def train_attributes(
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    settings: AttributeSettings | None = None,
    cache: Path | None = None,
    reporter: Reporter | None = None,
) -> AssetRecord:
    """``python -m benchmark instruments train face-attributes``: render, train, validate, write.

    Args:
        folder: where weights and record go, by default into the installed package.
        device: where to compute.
        settings: by default those of the committed asset.
        cache: folder for rendered faces, by default they are not kept.
        reporter: told of every step.
    """
    settings = settings or AttributeSettings()
    reporter = reporter or Reporter()

    def render(probe: FaceProbe) -> FaceSamples:
        total = probe.identities * (probe.views + 1)
        with reporter.task(f"render {probe.split} faces", total) as advance:
            return probe.render(cache=cache, device=device, advance=advance)

    seen = render(settings.training_probe)
    network = fit_attributes(
        attribute_crops(seen), attribute_labels(seen), settings, device=device, reporter=reporter
    )
    held_out = render(settings.validation_probe)
    dim = low_light_conditions(held_out.images, held_out.frame, seed=settings.seed)
    card = accuracy_card(network, held_out, dim)
    fixed = asdict(settings)
    data: dict[str, Any] = {}
    for name in ("training_probe", "validation_probe"):
        # the key also changes with the renderer
        data[name] = {**fixed.pop(name), "key": getattr(settings, name).key}
    return save_asset(
        network.state_dict(),
        folder=folder or asset_folder(),
        name=ASSET,
        summary="judge of tone level, pose and expression, trained on rendered faces",
        licence="Apache-2.0",
        device=torch.device(device).type,
        parameters=sum(p.numel() for p in network.parameters()),
        settings=fixed,
        data=data,
        card={"attributes": card},
        caveats=(
            "Names the tone that a rendered face is shown in; it classifies no real person.",
            "In the dark its answers are guesses: see the card.",
        ),
    )
