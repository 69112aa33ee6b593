"""Training and validating the convolutional context predictor on degraded images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
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
from benchmark.assets.fitting import fit, initialised
from benchmark.contexts.base import CONTEXTS
from benchmark.contexts.cnn import ASSET, ContextNet
from benchmark.contexts.evaluation import accuracy, calibration_error, recall_table
from benchmark.contexts.mixture import MIXTURE
from benchmark.contexts.samples import STRATA, ContextSet, Images, context_samples, spoilt
from benchmark.imaging.augmentation import Augmentation, augment
from benchmark.progress import Reporter

_BATCH = 256


#: The tint is strong: a table of orange wood is no retina, and lamps have colours.
_AUGMENTATION = Augmentation(
    rotation=12.0, scale=0.3, shift=0.12, darkest=0.008, dark_share=0.8, tint=0.5
)


@dataclass(frozen=True)
class ContextSettings:
    """Everything that fixes the trained weights besides the images.

    Attributes:
        seed: of initial weights, sampling, augmentation and the images.
        steps: optimiser steps.
        batch: images a step, the same number of every context.
        rate: peak learning rate of the one-cycle schedule (AdamW).
        decay: weight decay.
        smoothing: label smoothing.
        augmentation: ranges of the random views.
        count: training images of every context.
        held_out: validation images of every context; half of the clusters fit the temperature,
            the others are in the card.
        size: side of the images in pixels.
    """

    seed: int = 0
    steps: int = 700
    batch: int = 64
    rate: float = 3e-3
    decay: float = 1e-3
    smoothing: float = 0.05
    augmentation: Augmentation = _AUGMENTATION
    count: int = 900
    held_out: int = 360
    size: int = 96


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
    network = initialised(lambda: ContextNet(len(present)), settings.seed).to(device)
    share = settings.batch // len(present)
    target = torch.arange(len(present)).repeat_interleave(share).to(device)

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.cat([r[torch.randint(len(r), (share,), generator=generator)] for r in rows_of])
        views = augment(images[rows].to(device).float() / 255, generator, settings.augmentation)
        return functional.cross_entropy(network(views), target, label_smoothing=settings.smoothing)

    fit(
        network.parameters(),
        loss,
        steps=settings.steps,
        rate=settings.rate,
        decay=settings.decay,
        seed=settings.seed,
        title="context predictor",
        reporter=reporter,
    )
    return network.eval(), tuple(CONTEXTS[label] for label in present)


def fit_temperature(logits: Tensor, target: Tensor) -> float:
    """The temperature in [1, 20] with the smallest mean negative log-likelihood.

    It only ever softens: on samples that the network separates perfectly the likelihood would send
    the temperature to zero, and with it every doubt that the network may have elsewhere.

    Args:
        logits: ``[N, C]``.
        target: ``[N]``, column of the right answer.
    """

    def loss(log_temperature: float) -> float:
        scaled = logits.double() / float(np.exp(log_temperature))
        return float(functional.cross_entropy(scaled, target))

    bounds = (0.0, float(np.log(20.0)))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


@torch.inference_mode()
def context_logits(network: ContextNet, images: Images) -> Tensor:
    """Logits ``[N, C]`` on the CPU of images ``[N, H, W, 3]`` uint8."""
    device = next(network.parameters()).device
    batches = torch.split(torch.from_numpy(images).permute(0, 3, 1, 2), _BATCH)
    return torch.cat([network(batch.to(device).float() / 255).cpu() for batch in batches])


def context_card(
    logits: Mapping[str, Tensor], samples: ContextSet, *, known: tuple[str, ...], temperature: float
) -> dict[str, Any]:
    """Quality on samples that were not trained on, each in the strata that its context is met in.

    Args:
        logits: by stratum, ``[N, C]`` each.
        samples: the ``N`` samples.
        known: contexts of the columns.
        temperature: fitted elsewhere than on these samples.

    Returns:
        ``accuracy``, ``ece`` and ``n`` over everything, ``by_stratum`` with the same each, and
        ``recall``: rows ``context, group, stratum, n, recall, probability``
        (:func:`recall_table`).
    """
    columns = [CONTEXTS.index(name) for name in known]
    vectors, labels, tables = [], [], []
    by_stratum = {}
    for stratum, values in logits.items():
        met = np.array(
            [stratum in {"normal", *MIXTURE[CONTEXTS[label]].strata} for label in samples.labels]
        )
        spread = np.zeros((int(met.sum()), len(CONTEXTS)))
        spread[:, columns] = (values[met].double() / temperature).softmax(1).numpy()
        vectors.append(spread)
        labels.append(samples.labels[met])
        tables.append(samples.frame[met].assign(stratum=stratum))
        by_stratum[stratum] = _summary(spread, samples.labels[met])
    pooled, truth = np.concatenate(vectors), np.concatenate(labels)
    strata = pd.concat(tables, ignore_index=True)
    recalls = [
        recall_table(pooled, truth, strata, context=name, by=("group", "stratum")).assign(
            context=name
        )
        for name in known
    ]
    recall = pd.concat(recalls, ignore_index=True).round(4)
    order = ["context", "group", "stratum", "n", "recall", "probability"]
    return {
        **_summary(pooled, truth),
        "by_stratum": by_stratum,
        "recall": recall[order].to_dict("records"),
    }


def train_context_predictor(
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    settings: ContextSettings | None = None,
    reporter: Reporter | None = None,
) -> AssetRecord:
    """``python -m benchmark instruments train context-cnn``: render, train, validate, write.

    Args:
        folder: where weights and record go, by default into the installed package.
        device: where to compute.
        settings: by default those of the committed asset.
        reporter: told of every step.
    """
    settings = settings or ContextSettings()
    reporter = reporter or Reporter()

    def rendered(count: int, split: str) -> ContextSet:
        return context_samples(
            count, size=settings.size, split=split, seed=settings.seed, reporter=reporter
        )

    seen = _mixed(rendered(settings.count, "train"), settings.seed)
    network, known = fit_context_net(seen, settings, device=device, reporter=reporter)

    held_out = rendered(settings.held_out, "validation")
    logits = {
        name: context_logits(network, spoilt(held_out, name, seed=settings.seed)) for name in STRATA
    }
    # who fits the temperature is not in the card
    for_temperature, for_card = _halves(held_out)
    columns = torch.tensor([known.index(CONTEXTS[label]) for label in held_out.labels])
    temperature = fit_temperature(
        torch.cat([values[for_temperature] for values in logits.values()]),
        columns[for_temperature].repeat(len(logits)),
    )
    card = context_card(
        {name: values[for_card] for name, values in logits.items()},
        held_out.take(for_card),
        known=known,
        temperature=temperature,
    )
    return save_context_net(
        network, folder=folder, settings=settings, known=known, temperature=temperature, card=card
    )


def save_context_net(
    network: ContextNet,
    *,
    folder: Path | None,
    settings: ContextSettings,
    known: tuple[str, ...],
    temperature: float,
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
        data={
            "training_probe": {"split": "train", "strata": list(STRATA)},
            "validation_probe": {"split": "validation", "strata": list(STRATA)},
            "generic": "dead leaves, photographs of scikit-image, details, scrambled pictures",
        },
        card=card,
        caveats=(
            f"Knows the contexts {', '.join(known)}; the others get probability zero.",
            "Trained on rendered pictures: recall on photographs is not claimed.",
            "Held-out photographs are other parts of the few photographs trained on.",
        ),
    )


def _mixed(samples: ContextSet, seed: int) -> ContextSet:
    """Every picture in a stratum of its own: how it is spoilt must not say what it shows."""
    strata = np.array(list(STRATA))
    drawn = strata[np.random.default_rng([seed, 0x5EE]).integers(0, len(strata), len(samples))]
    images = samples.images.copy()
    for name in strata:
        rows = np.flatnonzero(drawn == name)
        images[rows] = spoilt(samples.take(rows), name, seed=seed)
    return replace(samples, images=images)


def _halves(samples: ContextSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of two halves that share nobody."""
    subject, _ = pd.factorize(samples.frame["cluster"])
    return np.flatnonzero(subject % 2 == 0), np.flatnonzero(subject % 2 == 1)


def _summary(vectors: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "n": len(labels),
        "accuracy": round(accuracy(vectors, labels), 4),
        "ece": round(calibration_error(vectors, labels), 4),
    }
