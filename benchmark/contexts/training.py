"""Training and validating the convolutional context predictor on degraded images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional

from benchmark.assets import AssetRecord, asset_folder, save_asset
from benchmark.contexts.base import CONTEXTS
from benchmark.contexts.cnn import ASSET, ContextNet
from benchmark.contexts.evaluation import accuracy, calibration_error, recall_table
from benchmark.imaging.augmentation import Augmentation, augment
from benchmark.progress import Reporter

_BATCH = 256


@dataclass(frozen=True)
class ContextSet:
    """Clean images and the context that each belongs to.

    Attributes:
        images: ``[N, H, W, 3]`` uint8.
        labels: ``[N]``, index into ``CONTEXTS``.
        tone_levels: ``[N]``, skin tone level of the face shown, empty for others; used to
            validate, never to train.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    tone_levels: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class ContextSettings:
    """Everything that fixes the trained weights besides the images.

    Attributes:
        seed: of initial weights, sampling and augmentation.
        steps: optimiser steps.
        batch: images a step, the same number of every context.
        rate: peak learning rate of the one-cycle schedule (AdamW).
        decay: weight decay.
        smoothing: label smoothing.
        augmentation: ranges of the random views.
    """

    seed: int = 0
    steps: int = 400
    batch: int = 64
    rate: float = 3e-3
    decay: float = 1e-3
    smoothing: float = 0.05
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(
            rotation=12.0, scale=0.3, shift=0.12, darkest=0.008, dark_share=0.8
        )
    )


def fit_context_net(
    samples: ContextSet,
    settings: ContextSettings,
    *,
    device: torch.device | str = "cpu",
    reporter: Reporter | None = None,
) -> tuple[ContextNet, tuple[str, ...]]:
    """Train on random degraded views, contexts in equal shares.

    Returns:
        The network in evaluation mode, and the contexts of its outputs in order.
    """
    present = np.unique(samples.labels)
    images = torch.from_numpy(samples.images).permute(0, 3, 1, 2)
    rows_of = [torch.from_numpy(np.flatnonzero(samples.labels == label)) for label in present]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = ContextNet(len(present)).to(device)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings.rate, weight_decay=settings.decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, total_steps=settings.steps, pct_start=0.15
    )
    generator = torch.Generator().manual_seed(settings.seed)
    share = settings.batch // len(present)
    target = torch.arange(len(present)).repeat_interleave(share).to(device)
    with (reporter or Reporter()).task("train context predictor", settings.steps) as advance:
        for _ in range(settings.steps):
            rows = torch.cat(
                [r[torch.randint(len(r), (share,), generator=generator)] for r in rows_of]
            )
            views = augment(images[rows].to(device).float() / 255, generator, settings.augmentation)
            loss = functional.cross_entropy(
                network(views), target, label_smoothing=settings.smoothing
            )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            advance(1)
    return network.eval(), tuple(CONTEXTS[label] for label in present)


def fit_temperature(logits: Tensor, target: Tensor) -> float:
    """The temperature in [1/20, 20] with the smallest mean negative log-likelihood.

    Args:
        logits: ``[N, C]``.
        target: ``[N]``, column of the right answer.
    """

    def loss(log_temperature: float) -> float:
        scaled = logits.double() / float(np.exp(log_temperature))
        return float(functional.cross_entropy(scaled, target))

    bound = float(np.log(20.0))
    return float(np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x))


@torch.inference_mode()
def context_logits(
    network: ContextNet,
    samples: ContextSet,
    change: Callable[[Tensor], Tensor],
    *,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Logits ``[N, C]`` on the CPU, after ``change`` of the images."""
    parts = []
    for start in range(0, len(samples), _BATCH):
        images = torch.from_numpy(samples.images[start : start + _BATCH]).to(device)
        parts.append(network(change(images.permute(0, 3, 1, 2).float() / 255)).cpu())
    return torch.cat(parts)


def context_card(
    logits: Mapping[str, Tensor],
    samples: ContextSet,
    *,
    known: tuple[str, ...],
    temperature: float,
) -> dict[str, Any]:
    """Quality on samples that were not trained on.

    Args:
        logits: by exposure, from :func:`context_logits`.
        samples: what they belong to.
        known: contexts of the columns.
        temperature: fitted elsewhere than on these samples.

    Returns:
        ``accuracy``, ``ece`` and ``n`` over all exposures, ``by_exposure`` with the same each,
        and ``face_recall``, rows of :func:`recall_table` by tone level and exposure.
    """
    columns = [CONTEXTS.index(name) for name in known]

    def spread(values: Tensor) -> NDArray[np.float64]:
        vectors = np.zeros((len(values), len(CONTEXTS)))
        vectors[:, columns] = (values.double() / temperature).softmax(1).numpy()
        return vectors

    vectors = {exposure: spread(values) for exposure, values in logits.items()}
    pooled, labels = np.concatenate(list(vectors.values())), np.tile(samples.labels, len(vectors))
    strata = pd.DataFrame(
        {
            "tone_level": np.tile(samples.tone_levels, len(vectors)),
            "exposure": np.repeat(list(vectors), len(samples)),
        }
    )
    recall = recall_table(pooled, labels, strata, context="face", by=("tone_level", "exposure"))
    return {
        **_summary(pooled, labels),
        "by_exposure": {name: _summary(rows, samples.labels) for name, rows in vectors.items()},
        "face_recall": recall.round(4).to_dict("records"),
    }


def save_context_net(
    network: ContextNet,
    *,
    folder: Path | None,
    settings: ContextSettings,
    known: tuple[str, ...],
    temperature: float,
    data: dict[str, Any],
    card: dict[str, Any],
) -> AssetRecord:
    """Write the weights and their record; default folder: the installed package's."""
    return save_asset(
        network.state_dict(),
        folder=folder or asset_folder(),
        name=ASSET,
        summary="context predictor p(c|x), trained on degraded probes",
        licence="Apache-2.0",
        device=next(network.parameters()).device.type,
        parameters=sum(p.numel() for p in network.parameters()),
        settings={
            **asdict(settings),
            "contexts": list(known),
            "temperature": round(temperature, 4),
        },
        data=data,
        card=card,
        caveats=(
            f"Knows the contexts {', '.join(known)}; the others get probability zero.",
            "Trained on rendered faces: recall on photographs is not claimed.",
        ),
    )


def _summary(vectors: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "n": len(labels),
        "accuracy": round(accuracy(vectors, labels), 4),
        "ece": round(calibration_error(vectors, labels), 4),
    }
