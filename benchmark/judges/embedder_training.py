"""Training and validating the embedder of the identity loss.

Large-margin cosine loss (CosFace, Wang et al. 2018) over the training identities of the face probe.
Each person is shown in many skin tones under one label, and every crop in random light with a real
sensor's noise, so what is left to tell people apart is their geometry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmark.assets import AssetRecord, asset_folder, save_asset
from benchmark.imaging.alignment import align
from benchmark.imaging.augmentation import Augmentation, augment
from benchmark.judges.embedder import ASSET, CROP_SIZE, CROP_ZOOM, EMBEDDING_SIZE, FaceEmbedder
from benchmark.judges.verification import verification_auc
from benchmark.progress import Reporter

_BATCH = 128


@dataclass(frozen=True)
class FaceSet:
    """Rendered or photographed faces with what is known about them.

    Attributes:
        images: ``[N, H, W, 3]`` uint8.
        landmarks: ``[N, 5, 2]`` pixels, order of ``imaging.alignment``.
        identities: ``[N]``, 0-based.
        tone_levels: ``[N]``, light, medium or dark; used to validate, never to train.
    """

    images: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    identities: NDArray[np.int64]
    tone_levels: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.images)


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
    """

    seed: int = 0
    steps: int = 1500
    batch: int = 64
    rate: float = 3e-3
    decay: float = 5e-4
    scale: float = 20.0
    margin: float = 0.3
    augmentation: Augmentation = field(default_factory=Augmentation)


def face_crops(faces: FaceSet, device: torch.device | str = "cpu") -> Tensor:
    """Aligned crops as the embedder wants them, ``[N, 3, 64, 64]`` uint8 on the CPU."""
    parts = [torch.zeros(0, 3, CROP_SIZE, CROP_SIZE, dtype=torch.uint8)]
    for start in range(0, len(faces), _BATCH):
        rows = slice(start, start + _BATCH)
        images = _as_batch(faces.images[rows], device)
        landmarks = torch.from_numpy(faces.landmarks[rows]).to(device)
        crops = align(images, landmarks, CROP_SIZE, zoom=CROP_ZOOM)
        parts.append((crops * 255).round().clamp(0, 255).to("cpu", torch.uint8))
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
    optimiser = torch.optim.AdamW(
        [*network.parameters(), centres], lr=settings.rate, weight_decay=settings.decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, total_steps=settings.steps, pct_start=0.15
    )
    generator = torch.Generator().manual_seed(settings.seed)
    labels = torch.from_numpy(identities)
    with (reporter or Reporter()).task("train face embedder", settings.steps) as advance:
        for _ in range(settings.steps):
            rows = torch.randint(len(crops), (settings.batch,), generator=generator)
            images = crops[rows].to(device).float() / 255
            views = augment(images, generator, settings.augmentation)
            target = labels[rows].to(device)
            cosine = network(views) @ functional.normalize(centres, dim=1).T
            hindered = cosine - settings.margin * functional.one_hot(target, len(centres))
            loss = functional.cross_entropy(settings.scale * hindered, target, label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            advance(1)
    network.eval()
    return network


@torch.inference_mode()
def embed(
    network: FaceEmbedder,
    faces: FaceSet,
    change: Callable[[Tensor], Tensor] | None = None,
    *,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """Embeddings ``[N, 128]`` of aligned faces, after ``change`` of the whole images if given."""
    parts = [np.zeros((0, EMBEDDING_SIZE), np.float32)]
    for start in range(0, len(faces), _BATCH):
        rows = slice(start, start + _BATCH)
        images = _as_batch(faces.images[rows], device)
        if change is not None:
            images = change(images)
        landmarks = torch.from_numpy(faces.landmarks[rows]).to(device)
        crops = align(images, landmarks, CROP_SIZE, zoom=CROP_ZOOM)
        parts.append(network(crops).cpu().numpy())
    return np.concatenate(parts)


def verification_card(
    network: FaceEmbedder,
    faces: FaceSet,
    conditions: dict[str, Callable[[Tensor], Tensor] | None],
    *,
    device: torch.device | str = "cpu",
) -> list[dict[str, Any]]:
    """Verification AUC per condition and tone level, impostors from the same level.

    Args:
        network: the embedder.
        faces: people that it was not trained on.
        conditions: what happens to the probe image, by name; the reference view stays clean.
        device: where to compute.

    Returns:
        Rows ``condition, tone_level, n_images, n_identities, auc``.
    """
    clean = embed(network, faces, device=device)
    rows: list[dict[str, Any]] = []
    for name, change in conditions.items():
        probes = None if change is None else embed(network, faces, change, device=device)
        for level in ("light", "medium", "dark"):
            mine = faces.tone_levels == level
            auc = verification_auc(
                clean[mine], faces.identities[mine], None if probes is None else probes[mine]
            )
            rows.append(
                {
                    "condition": name,
                    "tone_level": level,
                    "n_images": int(mine.sum()),
                    "n_identities": len(np.unique(faces.identities[mine])),
                    "auc": round(auc, 4),
                }
            )
    return rows


def save_embedder(
    network: FaceEmbedder,
    *,
    folder: Path | None,
    settings: EmbedderSettings,
    data: dict[str, Any],
    card: dict[str, Any],
) -> AssetRecord:
    """Write the weights and their record; default folder: the installed package's."""
    return save_asset(
        network.state_dict(),
        folder=folder or asset_folder(),
        name=ASSET,
        summary="face embedder of the identity loss, trained on rendered faces",
        licence="Apache-2.0",
        device=next(network.parameters()).device.type,
        parameters=sum(p.numel() for p in network.parameters()),
        settings=asdict(settings),
        data=data,
        card=card,
        caveats=(
            "A loss network: never the judge of record of identity.",
            "Trained on rendered people only; it is no recogniser of real ones.",
        ),
    )


def _as_batch(images: NDArray[np.uint8], device: torch.device | str) -> Tensor:
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255
