"""What SKF's parts add: the rows of its Tables 3 to 5 on the suite's own mixture.

All rows are trained in the matched arm from the same seeds, data and calibration rule; they differ
in the plug-in, in the colour term (``sch`` in place of ``chroma``) and in the adversary. Held-out
pictures of every context are scored by PSNR and SSIM; differences are paired by seed, and seeds are
the units of the interval, for that is what a claim about a way of training is about. An adversary
learns with its host, so rows that have one are paired less tightly than the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmark.contexts import CONTEXTS
from benchmark.enhancers.hosts import HOSTS, TrainedHost
from benchmark.errors import StoreError
from benchmark.fairness.intervals import student
from benchmark.files import content_key, write_with
from benchmark.imaging.ssim import ssim
from benchmark.losses.adversarial import AdversaryRecipe
from benchmark.losses.base import Instruments
from benchmark.losses.instruments import default_instruments
from benchmark.progress import Reporter
from benchmark.runner.trainings import looked_through
from benchmark.runner.units import source_digest
from benchmark.spec.task import ProfileName
from benchmark.training import (
    Recipe,
    TrainedArm,
    TrainingData,
    TrainingPool,
    TrainingUnit,
    calibrate,
    train_arm,
)
from benchmark.training.pool import joined
from benchmark.training.pools import context_pool

METRICS = ("psnr", "ssim")
_BATCH = 32
#: Samples that divisors are taken over: trainings here are short, so calibrations are too.
_CALIBRATED_ON = 64
_OTHERS = ("charbonnier", "structure", "nlpd")
#: Pictures that are scored come from another seed than those that are learnt.
_HELD_OUT = 1_000_003


@dataclass(frozen=True)
class Row:
    """One way of training.

    Attributes:
        name: as in the tables.
        plug: what is plugged into the host.
        colour: its colour term.
        adversary: form of the discriminator, empty for none.
    """

    name: str
    plug: str
    colour: str
    adversary: Literal["", "semantic", "plain"] = ""


ROWS = (
    Row("base", "", "chroma"),
    Row("+SCH", "", "sch"),
    Row("+SA", "", "chroma", "semantic"),
    Row("+SE", "+skf", "chroma"),
    Row("+SCH+SE", "+skf", "sch"),
    Row("all", "+skf", "sch", "semantic"),
    Row("global", "+skf", "sch-global"),
    Row("global+adversary", "+skf", "sch-global", "plain"),
    Row("global+SA", "+skf", "sch-global", "semantic"),
    Row("semantic+adversary", "+skf", "sch", "plain"),
    Row("large", "+blind", "chroma"),
)
#: Rows of the paper's tables. Table 4 crosses the reach of SCH with the adversary, all with SE.
TABLES: Mapping[str, tuple[str, ...]] = {
    "Table 3": ("base", "+SCH", "+SA", "+SE", "+SCH+SE", "all"),
    "Table 4": (
        *("base", "global", "global+adversary", "global+SA"),
        *("+SCH+SE", "semantic+adversary", "all"),
    ),
    "Table 5": ("base", "large", "+SE", "+SCH+SE", "all"),
}
#: Questions that the rows answer together: mean of the first rows less mean of the second.
CONTRASTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "semantics in SE, size apart": (("+SE",), ("large",)),
    "SCH by regions, not globally": (
        ("+SCH+SE", "semantic+adversary", "all"),
        ("global", "global+adversary", "global+SA"),
    ),
    "a plain adversary": (("global+adversary", "semantic+adversary"), ("global", "+SCH+SE")),
    "SA, not a plain adversary": (
        ("global+SA", "all"),
        ("global+adversary", "semantic+adversary"),
    ),
    "everything": (("all",), ("base",)),
}


@dataclass(frozen=True)
class Size:
    """How much is trained: pictures a context, their side, steps, seeds, and pictures scored."""

    samples: int
    side: int
    steps: int
    seeds: int
    scored: int


SIZES: dict[ProfileName, Size] = {
    "smoke": Size(8, 48, 4, 2, 4),
    "quick": Size(48, 64, 60, 3, 24),
    "full": Size(240, 128, 600, 5, 96),
}


@dataclass(frozen=True)
class Ablation:
    """A finished study.

    Attributes:
        folder: where its tables and trainings are.
        scores: ``row, seed, context, metric, value``; context ``""`` is the mean over all pictures.
        effects: ``row, context, metric, value, effect, ci_low, ci_high, seeds``: mean over seeds,
            and its difference to ``base``; the interval is NaN below two seeds.
        contrasts: ``contrast, context, metric, effect, ci_low, ci_high, seeds``.
        parameters: what every row's host learns.
    """

    folder: Path
    scores: pd.DataFrame
    effects: pd.DataFrame
    contrasts: pd.DataFrame
    parameters: Mapping[str, int]


def run_ablation(
    host: str,
    size: Size,
    *,
    runs: Path,
    device: str = "cpu",
    instruments: Instruments | None = None,
    reporter: Reporter | None = None,
) -> Ablation:
    """Train every row from every seed and score it; trainings that are done are not repeated.

    Args:
        host: name of a host that has a ``+skf`` variant.
        size: how much.
        runs: where ``study-skf-<key>`` goes.
        device: where to compute.
        instruments: networks that the terms look through; by default the suite's own.
        reporter: told of every training.

    Raises:
        UnknownNameError: if the host has no such variant.
    """
    reporter = reporter or Reporter()
    instruments = instruments or default_instruments()
    for row in ROWS:
        HOSTS.entry(host + row.plug)
    learnt = _pool(size.samples, size.side, seed=0, reporter=reporter)
    scored = _pool(size.scored, size.side, seed=_HELD_OUT, reporter=reporter)
    data = TrainingData(learnt, np.eye(len(CONTEXTS))[learnt.labels])
    units = {
        (row.name, seed): _unit(host, row, seed, size.steps)
        # rows with the same terms in a row share what is prepared for them
        for row in sorted(ROWS, key=lambda row: row.colour)
        for seed in range(size.seeds)
    }
    # more seeds add to the trainings of fewer
    first = [unit for (_, seed), unit in units.items() if not seed]
    key = content_key(data.key, scored.digest, _decided_by(first), device)
    folder = runs / f"study-skf-{host}-{key[:8]}"
    tables = []
    with reporter.task(f"train {host} with and without SKF", len(units)) as advance:
        for (row_name, seed), unit in units.items():
            at = folder / "trainings" / f"{row_name.strip('+').replace('+', '-')}-{seed}"
            trained = _trained(unit, data, instruments, at=at, device=device)
            scores = score(TrainedHost(HOSTS.get(unit.host), trained.state), scored, device=device)
            tables.append(scores.assign(row=row_name, seed=seed))
            advance(1)
    found = pd.concat(tables, ignore_index=True)[["row", "seed", "context", "metric", "value"]]
    effects, contrasts = row_effects(found), row_contrasts(found)
    for name, table in (("scores", found), ("effects", effects), ("contrasts", contrasts)):
        write_with(folder / f"{name}.parquet", partial(table.to_parquet, index=False))
    parameters = {row.name: HOSTS.get(host + row.plug).parameters for row in ROWS}
    return Ablation(folder, found, effects, contrasts, parameters)


def _decided_by(units: Sequence[TrainingUnit]) -> dict[str, Any]:
    """All that decides what comes of trainings: they are found again only while it is the same."""
    return {
        "units": [
            unit.as_dict() | looked_through(unit.host, unit.recipe.as_dict()) for unit in units
        ],
        "source": source_digest("train"),
        "torch": torch.__version__,
    }


def _unit(host: str, row: Row, seed: int, steps: int) -> TrainingUnit:
    """The training of a row; the discriminator is narrow and quick, as trainings here are short."""
    opponent = AdversaryRecipe(form=row.adversary, width=8, rate=1e-3) if row.adversary else None
    recipe = Recipe(
        steps=steps,
        terms=(*_OTHERS, row.colour),
        scale_samples=_CALIBRATED_ON,
        adversary=opponent,
    )
    return TrainingUnit(host + row.plug, "matched", seed, recipe)


@torch.inference_mode()
def score(enhancer: TrainedHost, pool: TrainingPool, *, device: str = "cpu") -> pd.DataFrame:
    """Mean PSNR (dB) and SSIM of a pool's pictures, ``context, metric, value``."""
    values: dict[str, list[Tensor]] = {name: [] for name in METRICS}
    for start in range(0, len(pool), _BATCH):
        rows = slice(start, start + _BATCH)
        inputs, references = (
            torch.as_tensor(images[rows]).permute(0, 3, 1, 2).to(device).float() / 255
            for images in (pool.inputs, pool.references)
        )
        outputs = enhancer.enhance(inputs).clamp(0, 1)
        error = (outputs - references).square().mean((1, 2, 3))
        values["psnr"].append((-10 * error.clamp(min=1e-10).log10()).cpu())
        values["ssim"].append(ssim(outputs, references).cpu())
    rows_: list[dict[str, Any]] = []
    for name, parts in values.items():
        every = torch.cat(parts).double().numpy()
        rows_.append({"context": "", "metric": name, "value": float(every.mean())})
        rows_ += [
            {"context": CONTEXTS[c], "metric": name, "value": float(every[pool.labels == c].mean())}
            for c in np.unique(pool.labels).tolist()
        ]
    return pd.DataFrame(rows_)


def row_effects(scores: pd.DataFrame) -> pd.DataFrame:
    """Every row against ``base``, paired by seed, with Student's interval over seeds."""
    found: list[dict[str, Any]] = []
    for (context, metric), part in scores.groupby(["context", "metric"], sort=False):
        wide = part.pivot_table(index="seed", columns="row", values="value")
        for row in ROWS:
            apart = (wide[row.name] - wide["base"]).to_numpy(np.float64)
            low, high = student(apart)
            found.append(
                {
                    "row": row.name,
                    "context": context,
                    "metric": metric,
                    "value": float(wide[row.name].mean()),
                    "effect": float(apart.mean()),
                    "ci_low": low,
                    "ci_high": high,
                    "seeds": len(apart),
                }
            )
    return pd.DataFrame(found)


def row_contrasts(scores: pd.DataFrame) -> pd.DataFrame:
    """:data:`CONTRASTS`, paired by seed, with Student's interval over seeds."""
    found: list[dict[str, Any]] = []
    for (context, metric), part in scores.groupby(["context", "metric"], sort=False):
        wide = part.pivot_table(index="seed", columns="row", values="value")
        for name, (some, others) in CONTRASTS.items():
            apart = (wide[list(some)].mean(axis=1) - wide[list(others)].mean(axis=1)).to_numpy()
            low, high = student(apart.astype(np.float64))
            found.append(
                {
                    "contrast": name,
                    "context": context,
                    "metric": metric,
                    "effect": float(apart.mean()),
                    "ci_low": low,
                    "ci_high": high,
                    "seeds": len(apart),
                }
            )
    return pd.DataFrame(found)


def rows_of(effects: pd.DataFrame, metric: str, context: str = "") -> Sequence[dict[str, Any]]:
    """The rows of one metric in the order of the table."""
    part = effects[(effects["metric"] == metric) & (effects["context"] == context)]
    return [{str(k): v for k, v in row.items()} for row in part.to_dict("records")]


def _trained(
    unit: TrainingUnit, data: TrainingData, instruments: Instruments, *, at: Path, device: str
) -> TrainedArm:
    """The training in ``at``, or a new one that is written there."""
    try:
        return TrainedArm.load(at)
    except StoreError:
        scale = calibrate(unit, data, instruments=instruments, device=device)
        at.mkdir(parents=True, exist_ok=True)
        trained = train_arm(unit, data, scale, instruments=instruments, device=device)
        trained.save(at)
        return trained


def _pool(count: int, side: int, *, seed: int, reporter: Reporter) -> TrainingPool:
    return joined(
        [context_pool(name, count, size=side, seed=seed, reporter=reporter) for name in CONTEXTS]
    )
