"""Training and validating the embedder of the identity loss.

Large-margin cosine loss (CosFace, Wang et al. 2018) over the training identities of the face probe.
Each person is shown in many skin tones under one label, and every crop in random light with a real
sensor's noise, so what is left to tell people apart is their geometry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmark.assets import AssetRecord, asset_folder, save_asset
from benchmark.assets.fitting import fit
from benchmark.imaging.alignment import align
from benchmark.imaging.augmentation import Augmentation, augment
from benchmark.judges.conditions import low_light_conditions
from benchmark.judges.embedder import ASSET, CROP_SIZE, CROP_ZOOM, EMBEDDING_SIZE, FaceEmbedder
from benchmark.judges.verification import verification_auc
from benchmark.probes.faces import FaceProbe, FaceSamples, ToneLevel
from benchmark.progress import Reporter

_BATCH = 128

_TRAINING_PROBE = FaceProbe(
    split="train", identities=120, views=7, tones="all", size=96, supersample=1
)
_VALIDATION_PROBE = FaceProbe(split="validation", identities=30, views=4)

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class EmbedderSettings:
    """Everything that fixes the trained weights besides the faces.

    Attributes:
        seed: of initial weights, sampling and augmentation.
        steps: optimiser steps.
        batch: crops a step.
        rate: peak learning rate of the one-cycle schedule (AdamW).
        decay: weight decay.
        scale: inverse temperature of the cosine logits.
        margin: subtracted from the cosine of the right identity.
        augmentation: ranges of the random views.
        training_probe: whose faces are learnt.
        validation_probe: whose faces are told apart in the card; nobody of the test split.
    """

    seed: int = 0
    steps: int = 700
    batch: int = 64
    rate: float = 3e-3
    decay: float = 5e-4
    scale: float = 20.0
    margin: float = 0.3
    augmentation: Augmentation = field(default_factory=Augmentation)
    training_probe: FaceProbe = _TRAINING_PROBE
    validation_probe: FaceProbe = _VALIDATION_PROBE


def face_crops(faces: FaceSamples, images: Images | None = None) -> Tensor:
    """Aligned crops as the embedder wants them, ``[N, 3, 64, 64]`` uint8.

    Args:
        faces: where the landmarks are.
        images: degraded versions to cut from instead, ``[N, H, W, 3]`` uint8.
    """
    source = faces.images if images is None else images
    parts = [torch.zeros(0, 3, CROP_SIZE, CROP_SIZE, dtype=torch.uint8)]
    for start in range(0, len(faces), _BATCH):
        rows = slice(start, start + _BATCH)
        batch = torch.from_numpy(source[rows]).permute(0, 3, 1, 2).float()
        crops = align(batch, torch.from_numpy(faces.landmarks[rows]), CROP_SIZE, zoom=CROP_ZOOM)
        parts.append(crops.round().clamp(0, 255).to(torch.uint8))
    return torch.cat(parts)


def fit_embedder(
    crops: Tensor,
    identities: NDArray[np.int64],
    settings: EmbedderSettings,
    *,
    device: torch.device | str = "cpu",
    reporter: Reporter | None = None,
) -> FaceEmbedder:
    """Train on aligned crops.

    Args:
        crops: ``[N, 3, 64, 64]`` uint8.
        identities: ``[N]``, 0-based and without holes.
        settings: see there.
        device: where to compute.
        reporter: told of every step.

    Returns:
        The network in evaluation mode on ``device``.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = FaceEmbedder().to(device).to(memory_format=torch.channels_last)
        centres = nn.Parameter(torch.randn(int(identities.max()) + 1, EMBEDDING_SIZE).to(device))
    labels = torch.tensor(identities)

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(crops), (settings.batch,), generator=generator)
        images = crops[rows].to(device).float() / 255
        views = augment(images, generator, settings.augmentation)
        target = labels[rows].to(device)
        cosine = network(views) @ functional.normalize(centres, dim=1).T
        hindered = cosine - settings.margin * functional.one_hot(target, len(centres))
        return functional.cross_entropy(settings.scale * hindered, target, label_smoothing=0.05)

    fit(
        [*network.parameters(), centres],
        loss,
        steps=settings.steps,
        rate=settings.rate,
        decay=settings.decay,
        seed=settings.seed,
        title="face embedder",
        reporter=reporter,
    )
    network.eval()
    return network


@torch.inference_mode()
def embed(network: FaceEmbedder, crops: Tensor) -> NDArray[np.float32]:
    """Embeddings ``[N, 128]`` of crops ``[N, 3, 64, 64]`` uint8."""
    device = next(network.parameters()).device
    parts = [np.zeros((0, EMBEDDING_SIZE), np.float32)]
    parts += [
        network(part.to(device).float() / 255).cpu().numpy() for part in torch.split(crops, _BATCH)
    ]
    return np.concatenate(parts)


def verification_card(
    network: FaceEmbedder, faces: FaceSamples, conditions: Mapping[str, Images]
) -> list[dict[str, Any]]:
    """Verification AUC per condition and tone level, impostors from the same level.

    Args:
        network: the embedder.
        faces: people that it was not trained on, clean.
        conditions: what has become of the images, by name; they are compared with clean ones of
            other views. Clean against clean is always there, under ``"normal"``.

    Returns:
        Rows ``condition, tone_level, n_images, n_identities, auc`` (NaN where nobody is there).
    """
    clean = embed(network, face_crops(faces))
    changed = {name: embed(network, face_crops(faces, made)) for name, made in conditions.items()}
    levels, names = faces.frame["tone_level"].to_numpy(), faces.frame["identity"]
    people, _ = pd.factorize(names)
    rows: list[dict[str, Any]] = []
    for condition, probes in {"normal": None, **changed}.items():
        for level in (item.value for item in ToneLevel):
            mine = levels == level
            auc = verification_auc(
                clean[mine], people[mine], None if probes is None else probes[mine]
            )
            rows.append(
                {
                    "condition": condition,
                    "tone_level": level,
                    "n_images": int(mine.sum()),
                    "n_identities": len(np.unique(people[mine])),
                    "auc": round(auc, 4),
                }
            )
    return rows


def train_embedder(
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    settings: EmbedderSettings | None = None,
    cache: Path | None = None,
    reporter: Reporter | None = None,
) -> AssetRecord:
    """``python -m benchmark instruments train face-embedder``: render, train, validate, write.

    Args:
        folder: where weights and record go, by default into the installed package.
        device: where to compute.
        settings: by default those of the committed asset.
        cache: folder for rendered faces, by default they are not kept.
        reporter: told of every step.
    """
    settings = settings or EmbedderSettings()
    reporter = reporter or Reporter()

    def render(probe: FaceProbe) -> FaceSamples:
        total = probe.identities * (probe.views + 1)
        with reporter.task(f"render {probe.split} faces", total) as advance:
            return probe.render(cache=cache, device=device, advance=advance)

    seen = render(settings.training_probe)
    labels, _ = pd.factorize(seen.frame["identity"])
    network = fit_embedder(face_crops(seen), labels, settings, device=device, reporter=reporter)
    held_out = render(settings.validation_probe)
    dim = low_light_conditions(held_out.images, held_out.frame, seed=settings.seed)
    card = verification_card(network, held_out, dim)
    return save_embedder(network, folder=folder, settings=settings, card={"verification": card})


def save_embedder(
    network: FaceEmbedder,
    *,
    folder: Path | None,
    settings: EmbedderSettings,
    card: dict[str, Any],
) -> AssetRecord:
    """Write the weights and their record; default folder: the installed package's."""
    fixed = asdict(settings)
    data: dict[str, Any] = {}
    for name in ("training_probe", "validation_probe"):
        # the key also changes with the renderer
        data[name] = {**fixed.pop(name), "key": getattr(settings, name).key}
    return save_asset(
        network.state_dict(),
        folder=folder or asset_folder(),
        name=ASSET,
        summary="face embedder of the identity loss, trained on rendered faces",
        licence="Apache-2.0",
        device=next(network.parameters()).device.type,
        parameters=sum(p.numel() for p in network.parameters()),
        settings=fixed,
        data=data,
        card=card,
        caveats=(
            "A loss network: never the judge of record of identity.",
            "Trained on rendered people only; it is no recogniser of real ones.",
        ),
    )
