"""Training and validating the suite's own classifiers of degradations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.assets import AssetRecord, asset_folder, save_asset
from benchmark.assets.fitting import fit, initialised
from benchmark.contexts.base import CONTEXTS
from benchmark.contexts.router.base import CLASSES, THRESHOLD, Decision, decide
from benchmark.contexts.router.cnn import ASSET, DegradationNet, in_pieces
from benchmark.contexts.router.evaluation import confusion, summary
from benchmark.contexts.router.probe import ASSET as PROBE_ASSET
from benchmark.contexts.router.probe import ProbeSettings, SceneTrunk, Trunk, fit_probe
from benchmark.contexts.router.samples import AXES, RouterSet, random_parts, router_samples
from benchmark.contexts.training import fit_temperature
from benchmark.progress import Reporter


@dataclass(frozen=True)
class RouterSettings:
    """Everything that fixes the trained weights besides the pictures.

    Attributes:
        seed: of pictures, degradations, initial weights, crops and their order.
        count: training views of every context; each is there in all five classes.
        held_out: validation views of every context; half of the clusters fit the temperature, the
            others are in the card.
        size: side of the pictures in pixels.
        crop: side of the random parts that are learnt from.
        steps: optimiser steps.
        batch: parts a step, the same number of every class.
        rate: peak learning rate.
        decay: weight decay.
        smoothing: label smoothing.
        probe: how the linear probe is fitted.
    """

    seed: int = 0
    count: int = 160
    held_out: int = 60
    size: int = 128
    crop: int = 80
    steps: int = 500
    batch: int = 40
    rate: float = 4e-3
    decay: float = 1e-3
    smoothing: float = 0.05
    probe: ProbeSettings = field(default_factory=ProbeSettings)


def fit_degradation_net(
    samples: RouterSet,
    settings: RouterSettings,
    *,
    device: torch.device | str = "cpu",
    reporter: Reporter | None = None,
) -> DegradationNet:
    """Train on random parts, classes in equal shares; in evaluation mode afterwards."""
    inputs = torch.from_numpy(samples.inputs).permute(0, 1, 4, 2, 3)
    share = settings.batch // len(CLASSES)
    target = torch.arange(len(CLASSES)).repeat_interleave(share).to(device)
    network = initialised(DegradationNet, settings.seed).to(device)

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(samples), (share * len(CLASSES),), generator=generator)
        parts = random_parts(inputs[rows, target.cpu()], settings.crop, generator)
        logits = network(parts.to(device).float() / 255)
        return functional.cross_entropy(logits, target, label_smoothing=settings.smoothing)

    fit(
        network.parameters(),
        loss,
        steps=settings.steps,
        rate=settings.rate,
        decay=settings.decay,
        seed=settings.seed,
        title="degradation classifier",
        reporter=reporter,
    )
    return network.eval()


def train_degradation_cnn(
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    settings: RouterSettings | None = None,
    reporter: Reporter | None = None,
) -> AssetRecord:
    """``python -m benchmark instruments train degradation-cnn``: render, train, validate, write.

    Args:
        folder: where weights and record go, by default into the installed package.
        device: where to compute.
        settings: by default those of the committed asset.
        reporter: told of every step.
    """
    settings = settings or RouterSettings()
    learnt, held_out = _sets(settings, reporter)
    network = fit_degradation_net(learnt, settings, device=device, reporter=reporter)
    with torch.inference_mode():
        logits = in_pieces(network, _batch(held_out).to(device)).cpu()
    temperature, decision, judged = _calibrated(logits, held_out)
    return _save(
        network.state_dict(),
        ASSET,
        summary="what is wrong with a picture: soft, reflection, motion, none or dark",
        parameters=sum(p.numel() for p in network.parameters()),
        half=True,
        folder=folder,
        device=torch.device(device).type,
        settings={**asdict(settings), "temperature": round(temperature, 4)},
        card=router_card(decision, judged),
    )


def train_degradation_probe(
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    settings: RouterSettings | None = None,
    reporter: Reporter | None = None,
) -> AssetRecord:
    """``python -m benchmark instruments train degradation-probe``: the same on frozen features."""
    settings = settings or RouterSettings()
    learnt, held_out = _sets(settings, reporter)
    trunk = SceneTrunk()
    state, decision, judged = probe_on(trunk, learnt, held_out, settings, device=device)
    temperature = round(float(state["temperature"]), 4)
    return _save(
        state,
        PROBE_ASSET,
        summary="logistic regression of degradations on the scene segmenter's features",
        parameters=state["weight"].numel() + state["bias"].numel(),
        half=False,  # scales of features span more than half precision holds
        folder=folder,
        device=torch.device(device).type,
        settings={**asdict(settings), **trunk.identity(), "temperature": temperature},
        card=router_card(decision, judged),
    )


def probe_on(
    trunk: Trunk,
    learnt: RouterSet,
    held_out: RouterSet,
    settings: RouterSettings,
    *,
    device: torch.device | str = "cpu",
) -> tuple[dict[str, Tensor], Decision, RouterSet]:
    """A linear probe on any trunk, with its temperature.

    Returns:
        Its numbers, its decisions on the half of ``held_out`` that did not fit the temperature,
        and that half.
    """
    labels = torch.from_numpy(learnt.labels).to(device)
    state = fit_probe(trunk.features(_batch(learnt).to(device)), labels, settings.probe)
    known = trunk.features(_batch(held_out).to(device))
    logits = (known - state["mean"]) / state["spread"] @ state["weight"].T + state["bias"]
    temperature, decision, judged = _calibrated(logits.cpu(), held_out)
    return {**state, "temperature": torch.tensor(temperature)}, decision, judged


def router_card(decision: Decision, samples: RouterSet) -> dict[str, Any]:
    """Quality on pictures that were not learnt, also for every group of faces.

    Returns:
        :func:`evaluation.summary`, ``confusion`` (rows are the truth, columns the route),
        ``by_context`` and ``faces`` (accuracy and mean p of the right class by skin tone and
        illumination).
    """
    labels = samples.labels
    right = decision.routes == labels
    p = np.nan_to_num(decision.probabilities)[np.arange(len(labels)), labels]
    frame = repeated(samples).assign(accuracy=right.astype(float), probability=p)
    faces = frame[frame["context"] == "face"]
    groups = []
    for axes in ([AXES[0]], [AXES[1]], list(AXES)):
        found = faces.groupby(axes, sort=True).agg(
            n=("accuracy", "size"),
            people=("cluster", "nunique"),
            accuracy=("accuracy", "mean"),
            probability=("probability", "mean"),
        )
        groups += found.round(4).reset_index().to_dict("records")
    by_context = frame.groupby("context", sort=False)["accuracy"].mean().round(4).to_dict()
    return {
        **_rounded(summary(decision, labels)),
        "classes": list(CLASSES),
        "confusion": confusion(labels, decision.routes).tolist(),
        "by_context": by_context,
        "faces": groups,
    }


def repeated(samples: RouterSet) -> pd.DataFrame:
    """The rows of a set once for every version, with the column ``degradation``."""
    frame = samples.frame.loc[samples.frame.index.repeat(len(CLASSES))].reset_index(drop=True)
    return frame.assign(degradation=np.tile(np.array(CLASSES), len(samples)))


def _sets(settings: RouterSettings, reporter: Reporter | None) -> tuple[RouterSet, RouterSet]:
    def of(count: int, split: str) -> RouterSet:
        return router_samples(
            count, size=settings.size, split=split, seed=settings.seed, reporter=reporter
        )

    return of(settings.count, "train"), of(settings.held_out, "validation")


def _calibrated(logits: Tensor, samples: RouterSet) -> tuple[float, Decision, RouterSet]:
    """Fit the temperature on one half of the clusters and decide about the other."""
    subject, _ = pd.factorize(samples.frame["cluster"])
    fitting, judged = (np.flatnonzero(subject % 2 == half) for half in (0, 1))
    labels = torch.from_numpy(samples.labels)
    mine, theirs = _versions_of(fitting), _versions_of(judged)
    temperature = fit_temperature(logits[mine], labels[mine])
    p = (logits[theirs].double() / temperature).softmax(1).numpy()
    return temperature, decide(p, threshold=THRESHOLD), samples.take(judged)


def _versions_of(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return (rows[:, None] * len(CLASSES) + np.arange(len(CLASSES))).ravel()


def _batch(samples: RouterSet) -> Tensor:
    return torch.from_numpy(samples.flat()).permute(0, 3, 1, 2).float() / 255


def _save(
    state: Mapping[str, Tensor],
    name: str,
    *,
    summary: str,
    parameters: int,
    half: bool,
    folder: Path | None,
    device: str,
    settings: dict[str, Any],
    card: dict[str, Any],
) -> AssetRecord:
    return save_asset(
        state,
        folder=folder or asset_folder(),
        name=name,
        summary=summary,
        licence="Apache-2.0",
        device=device,
        parameters=parameters,
        half=half,
        settings=settings,
        data={
            "training_probe": {"split": "train", "contexts": list(CONTEXTS)},
            "validation_probe": {"split": "validation", "contexts": list(CONTEXTS)},
            "degradations": "contexts.router.synthesis: one version of every class of each view",
        },
        card=card,
        caveats=(
            "Knows the degradations that it was trained on; recall on real defects is not claimed.",
            "Trained on rendered pictures and a few photographs, 128 pixels a side.",
            "Held-out photographs are other parts of the few photographs trained on.",
        ),
    )


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _rounded(value)
        if isinstance(value, Mapping)
        else round(value, 4)
        if isinstance(value, float)
        else value
        for key, value in values.items()
    }
