"""Training and validating the convolutional context predictor on degraded images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
from benchmark.contexts.samples import ContextSet, Images, context_samples
from benchmark.data.degradations import LOW_LIGHT, degrade
from benchmark.imaging.augmentation import Augmentation, augment
from benchmark.probes.faces import FaceProbe
from benchmark.progress import Reporter

_BATCH = 256


_AUGMENTATION = Augmentation(rotation=12.0, scale=0.3, shift=0.12, darkest=0.008, dark_share=0.8)
_TRAINING_PROBE = FaceProbe(
    split="train", identities=150, views=5, tones="random", size=96, supersample=1
)
_VALIDATION_PROBE = FaceProbe(split="validation", identities=40, views=3)


@dataclass(frozen=True)
class ContextSettings:
    """Everything that fixes the trained weights besides the images.

    Attributes:
        seed: of initial weights, sampling, augmentation and the generic images.
        steps: optimiser steps.
        batch: images a step, the same number of every context.
        rate: peak learning rate of the one-cycle schedule (AdamW).
        decay: weight decay.
        smoothing: label smoothing.
        augmentation: ranges of the random views.
        training_probe: whose faces are learnt.
        validation_probe: whose faces are in the card; the first half fits the temperature.
    """

    seed: int = 0
    steps: int = 500
    batch: int = 64
    rate: float = 3e-3
    decay: float = 1e-3
    smoothing: float = 0.05
    augmentation: Augmentation = _AUGMENTATION
    training_probe: FaceProbe = _TRAINING_PROBE
    validation_probe: FaceProbe = _VALIDATION_PROBE


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
    """Quality on samples that were not trained on.

    Args:
        logits: by exposure, ``[N, C]`` each.
        samples: the ``N`` samples.
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
            "tone_level": np.tile(samples.frame["tone_level"], len(vectors)),
            "exposure": np.repeat(list(vectors), len(samples)),
        }
    )
    recall = recall_table(pooled, labels, strata, context="face", by=("tone_level", "exposure"))
    return {
        **_summary(pooled, labels),
        "by_exposure": {name: _summary(rows, samples.labels) for name, rows in vectors.items()},
        "face_recall": recall.round(4).to_dict("records"),
    }


def train_context_predictor(
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    settings: ContextSettings | None = None,
    cache: Path | None = None,
    reporter: Reporter | None = None,
) -> AssetRecord:
    """``python -m benchmark instruments train context-cnn``: render, train, validate, write.

    Args:
        folder: where weights and record go, by default into the installed package.
        device: where to compute.
        settings: by default those of the committed asset.
        cache: folder for rendered faces, by default they are not kept.
        reporter: told of every step.
    """
    settings = settings or ContextSettings()
    reporter = reporter or Reporter()
    seen = context_samples(settings.training_probe, settings.seed, cache, device, reporter)
    network, known = fit_context_net(seen, settings, device=device, reporter=reporter)

    held_out = context_samples(settings.validation_probe, settings.seed, cache, device, reporter)
    exposures = _exposures(held_out, settings.seed)
    logits = {name: context_logits(network, images) for name, images in exposures.items()}
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
    fixed = asdict(settings)
    data: dict[str, Any] = {}
    for name in ("training_probe", "validation_probe"):
        # the key also changes with the renderer
        data[name] = {**fixed.pop(name), "key": getattr(settings, name).key}
    data["generic"] = "dead leaves, their details, scikit-image's photographs, scrambled faces"
    return save_asset(
        network.state_dict(),
        folder=folder or asset_folder(),
        name=ASSET,
        summary="context predictor p(c|x), trained on degraded probes",
        licence="Apache-2.0",
        device=next(network.parameters()).device.type,
        parameters=sum(p.numel() for p in network.parameters()),
        settings={**fixed, "contexts": list(known), "temperature": round(temperature, 4)},
        data=data,
        card=card,
        caveats=(
            f"Knows the contexts {', '.join(known)}; the others get probability zero.",
            "Trained on rendered faces: recall on photographs of people is not claimed.",
            "Held-out photographs are other parts of the few photographs trained on.",
        ),
    )


def _exposures(samples: ContextSet, seed: int) -> dict[str, Images]:
    """The images as they are and at every stratum of simulated low light."""
    return {"normal": samples.images} | {
        name: degrade(samples.images, samples.frame.assign(exposure=name), seed=seed)
        for name in LOW_LIGHT
    }


def _halves(samples: ContextSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of two halves that share nobody."""
    person, _ = pd.factorize(samples.frame["identity"])
    return np.flatnonzero(person % 2 == 0), np.flatnonzero(person % 2 == 1)


def _summary(vectors: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "n": len(labels),
        "accuracy": round(accuracy(vectors, labels), 4),
        "ece": round(calibration_error(vectors, labels), 4),
    }
