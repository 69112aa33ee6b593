"""The router's study: who recognises what is wrong, for whom, and what a wrong route costs.

Pictures come from the test split of the probes, every view in all five classes. Each classifier
decides about all of them; a picture is then restored by the system of the route that it was given
and by that of its true class, and the difference is the cost of being wrong. Intervals are over
clusters: versions of one view, views of one person, are not independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.contexts.router import CLASSES, DegradationClassifier, make_classifier
from benchmark.contexts.router.base import Decision, decide
from benchmark.contexts.router.evaluation import best_guess, confusion, summary
from benchmark.contexts.router.outside import ClipTrunk
from benchmark.contexts.router.probe import LinearProbe
from benchmark.contexts.router.samples import AXES, RouterSet, router_samples
from benchmark.contexts.router.training import RouterSettings, probe_on, repeated
from benchmark.enhancers.base import Enhancer
from benchmark.enhancers.routing import Routes, build_systems
from benchmark.fairness.analysis import analyse
from benchmark.fairness.intervals import clustered_mean, clustered_rate
from benchmark.fairness.model import AxisInfo, MetricInfo
from benchmark.files import content_key, write_with
from benchmark.imaging.difference import pyramid_distance
from benchmark.progress import Reporter
from benchmark.spec.task import ProfileName

#: Error of rounding to 8 bits: no difference that a file could hold is smaller. 58.9 dB.
_ROUNDING = 1 / (12 * 255**2)
_BATCH = 32
_SEED = 7
#: What needs no model from elsewhere.
SIMPLE = ("cnn", "probe")


@dataclass(frozen=True)
class Size:
    """Test views of every context, and views of the two splits that a CLIP probe is fitted on."""

    views: int
    learnt: int
    held_out: int


SIZES: dict[ProfileName, Size] = {
    "smoke": Size(6, 6, 6),
    "quick": Size(60, 60, 24),
    "full": Size(240, 160, 60),
}


@dataclass(frozen=True)
class RouterStudy:
    """A finished study; all tables have the column ``classifier``.

    Attributes:
        folder: where the tables are.
        scores: ``n, accuracy, ci_low, ci_high, best_guess, macro_f1, ece, abstained, no_answer``
            and ``recall_<class>``.
        confusion: ``truth, route, n``.
        groups: accuracy on faces with intervals over people: ``axis, group, n_items, n_clusters,
            mean, ci_low, ci_high, size_class``.
        gaps: the engine's verdict about each axis of faces.
        costs: by true class, ``""`` for all: ``n, wrong, psnr, psnr_wrong, nlpd, nlpd_wrong``;
            routed minus oracle route, mean over all pictures and over the wrongly routed.
        versus: every pair of classifiers: ``other, effect, ci_low, ci_high``, difference of
            accuracy over clusters.
        pictures: one row a picture: what it is, p of every class, route, status, costs.
    """

    folder: Path
    scores: pd.DataFrame
    confusion: pd.DataFrame
    groups: pd.DataFrame
    gaps: pd.DataFrame
    costs: pd.DataFrame
    versus: pd.DataFrame
    pictures: pd.DataFrame


def run_router_study(
    size: Size,
    *,
    clip: Sequence[str] = (),
    vlm: Sequence[str] = (),
    routes: Routes | None = None,
    runs: Path,
    device: str = "cpu",
    reporter: Reporter | None = None,
) -> RouterStudy:
    """Judge all classifiers on the same pictures.

    Args:
        size: how much.
        clip: CLIP or SigLIP models (folders or ``hub:owner/name@COMMIT``): zero-shot each, and
            with a linear probe fitted on the training split.
        vlm: vision-language models.
        routes: who mends what; the suite's own by default.
        runs: where ``study-router-<key>`` goes.
        device: where to compute.
        reporter: told of everything that takes long.

    Raises:
        WeightsError: before anything is rendered, if a model or a restorer is not at hand.
    """
    reporter = reporter or Reporter()
    routes = routes or Routes()
    systems = build_systems(routes)
    classifiers = {name: make_classifier(name) for name in SIMPLE}
    zero_shot = [f"clip:{model}" for model in clip] + [f"vlm:{model}" for model in vlm]
    classifiers |= {name: make_classifier(name) for name in zero_shot}
    for model in clip:
        classifiers[f"probe on {model}"] = _clip_probe(model, size, device, reporter)
    identities = {name: found.identity() for name, found in classifiers.items()}
    samples = router_samples(
        size.views, size=RouterSettings.size, split="test", seed=_SEED, reporter=reporter
    )
    decisions = {}
    for name, classifier in classifiers.items():
        with reporter.task(f"classify, {name}", len(samples)) as advance:
            decisions[name] = classify(
                classifier, samples, threshold=routes.threshold, device=device, advance=advance
            )
    needed = np.unique(np.stack([d.routes for d in decisions.values()] + [samples.labels]), axis=0)
    quality = route_quality(samples, systems, needed, device=device, reporter=reporter)
    tables = study_tables(samples, decisions, quality)
    key = content_key(identities, routes.model_dump(), size.views, device)
    folder = runs / f"study-router-{key[:8]}"
    for name, table in tables.items():
        write_with(folder / f"{name}.parquet", partial(table.to_parquet, index=False))
    return RouterStudy(folder, **tables)


def classify(
    classifier: DegradationClassifier,
    samples: RouterSet,
    *,
    threshold: float,
    device: str = "cpu",
    advance: Any = None,
) -> Decision:
    """Decisions about all versions of all views, in the order of ``samples.flat()``."""
    parts = []
    for start in range(0, len(samples), _BATCH):
        views = samples.inputs[start : start + _BATCH]
        images = _batch(views.reshape(-1, *views.shape[2:]), device)
        parts.append(classifier.predict(images).float().cpu().numpy())
        if advance:
            advance(len(views))
    return decide(np.concatenate(parts), threshold=threshold)


@torch.inference_mode()
def route_quality(
    samples: RouterSet,
    systems: Mapping[str, Enhancer],
    routes: NDArray[np.int64],
    *,
    device: str = "cpu",
    reporter: Reporter | None = None,
) -> dict[str, NDArray[np.float64]]:
    """What each picture becomes on the routes that somebody took.

    Args:
        samples: ``N`` views.
        systems: the enhancer of each class.
        routes: ``[R, 5 N]`` routes that are wanted, in any number of rows.
        device: where to compute.
        reporter: told of every picture.

    Returns:
        ``psnr`` (dB, at most 58.9, the error of rounding) and ``nlpd`` (normalised Laplacian
        pyramid distance, lower is better), ``[5 N, 5]`` by route, NaN where nobody took it.
    """
    count = len(samples.labels)
    wanted = np.zeros((count, len(CLASSES)), bool)
    for row in routes:
        wanted[np.arange(count), row] = True
    found = {name: np.full(wanted.shape, np.nan) for name in ("psnr", "nlpd")}
    inputs = samples.flat()
    with (reporter or Reporter.silent()).task("restore", int(wanted.sum())) as advance:
        for number, name in enumerate(CLASSES):
            for rows in _batches(np.flatnonzero(wanted[:, number])):
                references = _batch(samples.clean[rows // len(CLASSES)], device)
                outputs = systems[name].enhance(_batch(inputs[rows], device)).clamp(0, 1)
                error = (outputs - references).square().mean((1, 2, 3)).clamp(min=_ROUNDING)
                distance = pyramid_distance(outputs, references)
                found["psnr"][rows, number] = (-10 * error.log10()).double().cpu().numpy()
                found["nlpd"][rows, number] = distance.double().cpu().numpy()
                advance(len(rows))
    return found


def study_tables(
    samples: RouterSet,
    decisions: Mapping[str, Decision],
    quality: Mapping[str, NDArray[np.float64]],
) -> dict[str, pd.DataFrame]:
    """All tables of :class:`RouterStudy` from decisions and :func:`route_quality`."""
    pictures = pd.concat(
        [_pictures(samples, name, found, quality) for name, found in decisions.items()],
        ignore_index=True,
    )
    faces = _analysed(pictures[pictures["context"] == "face"], AXES)
    scores = []
    for name, decision in decisions.items():
        found = summary(decision, samples.labels)
        recall = {f"recall_{key}": value for key, value in found.pop("recall").items()}
        mine = pictures[pictures["classifier"] == name]
        low, high = clustered_rate(mine["right"].to_numpy(), mine["cluster"].to_numpy())
        found |= {"best_guess": best_guess(decision, samples.labels)}
        scores.append({"classifier": name, **found, "ci_low": low, "ci_high": high, **recall})
    return {
        "scores": pd.DataFrame(scores),
        "confusion": _confusions(samples, decisions),
        "groups": faces.groups.rename(columns={"arm": "classifier"}),
        "gaps": faces.gaps.rename(columns={"arm": "classifier"}),
        "costs": _costs(pictures),
        "versus": _versus(pictures),
        "pictures": pictures,
    }


def _pictures(
    samples: RouterSet,
    name: str,
    decision: Decision,
    quality: Mapping[str, NDArray[np.float64]],
) -> pd.DataFrame:
    rows, labels = np.arange(len(samples.labels)), samples.labels
    frame = repeated(samples).assign(
        classifier=name,
        route=np.array(CLASSES)[decision.routes],
        decision=decision.status,
        right=(decision.routes == labels).astype(float),
    )
    for number, known in enumerate(CLASSES):
        frame[f"p_{known}"] = decision.probabilities[:, number]
    for metric, values in quality.items():
        frame[metric] = values[rows, decision.routes] - values[rows, labels]
    return frame


def _analysed(pictures: pd.DataFrame, axes: Sequence[str]) -> Any:
    """Accuracy of every classifier by the statistics that the benchmark has for rates."""
    samples = pictures.assign(
        system="router",
        arm=pictures["classifier"],
        seed=-1,
        sample=pictures["sample"] + "/" + pictures["degradation"],
        status="ok",
    )
    roles = {"tone_level": "sensitive", "illumination": "context"}
    return analyse(
        samples,
        metrics=[MetricInfo("right", 1, kind="rate")],
        axes=[AxisInfo(axis, roles[axis]) for axis in axes],  # type: ignore[arg-type]
        seed=_SEED,
    )


def _confusions(samples: RouterSet, decisions: Mapping[str, Decision]) -> pd.DataFrame:
    rows = []
    for name, decision in decisions.items():
        table = confusion(samples.labels, decision.routes)
        rows += [
            {"classifier": name, "truth": truth, "route": route, "n": int(table[i, j])}
            for i, truth in enumerate(CLASSES)
            for j, route in enumerate(CLASSES)
        ]
    return pd.DataFrame(rows)


def _costs(pictures: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for name, mine in pictures.groupby("classifier", sort=False):
        parts = [("", mine), *((c, mine[mine["degradation"] == c]) for c in CLASSES)]
        for truth, part in parts:
            wrong = part[part["right"] == 0]
            rows.append(
                {
                    "classifier": name,
                    "truth": truth,
                    "n": len(part),
                    "wrong": len(wrong),
                    **{metric: part[metric].mean() for metric in ("psnr", "nlpd")},
                    **{f"{metric}_wrong": wrong[metric].mean() for metric in ("psnr", "nlpd")},
                }
            )
    return pd.DataFrame(rows)


def _versus(pictures: pd.DataFrame) -> pd.DataFrame:
    """Differences of accuracy, paired by picture, with Student's interval over clusters."""
    names = list(dict.fromkeys(pictures["classifier"]))
    right = {
        name: pictures.loc[pictures["classifier"] == name, "right"].to_numpy() for name in names
    }
    clusters = pictures.loc[pictures["classifier"] == names[0], "cluster"].to_numpy()
    rows = []
    for number, name in enumerate(names):
        for other in names[number + 1 :]:
            apart = right[name] - right[other]
            low, high = clustered_mean(apart, clusters)
            rows.append(
                {
                    "classifier": name,
                    "other": other,
                    "effect": float(apart.mean()),
                    "ci_low": low,
                    "ci_high": high,
                    "clusters": len(np.unique(clusters)),
                }
            )
    columns = ["classifier", "other", "effect", "ci_low", "ci_high", "clusters"]
    return pd.DataFrame(rows, columns=columns)


def _clip_probe(model: str, size: Size, device: str, reporter: Reporter) -> DegradationClassifier:
    """A linear probe on CLIP's embeddings of the training split; no test picture is seen."""
    trunk, settings = ClipTrunk(model), RouterSettings()
    learnt, held_out = (
        router_samples(
            count, size=settings.size, split=split, seed=settings.seed, reporter=reporter
        )
        for count, split in ((size.learnt, "train"), (size.held_out, "validation"))
    )
    state, _, _ = probe_on(trunk, learnt, held_out, settings, device=device)
    return LinearProbe(trunk=trunk, state=state)


def _batches(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]


def _batch(images: NDArray[np.uint8], device: str) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).to(device).float() / 255
