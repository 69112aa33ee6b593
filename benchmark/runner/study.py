"""The study of context-aware scheduling: context x time with controls, over several tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.contexts import CONTEXTS
from benchmark.fairness.factorial import Factorial, factorial_effects
from benchmark.files import content_key, write_with
from benchmark.progress import Reporter
from benchmark.runner.plan import Plan, make_plan
from benchmark.runner.request import Request, resolve
from benchmark.runner.run import Run, execute
from benchmark.runner.statistics import axes_of, metrics_of, policy_of
from benchmark.runner.store import Store
from benchmark.spec.catalogue import find_task
from benchmark.spec.task import ProfileName

#: A2, A2s, A3 and A5 of methods, section 1.8.
CALS = Factorial(
    both="cals",
    first="context-static",
    second="matched",
    neither="matched-static",
    names=("context", "time"),
)
#: Trained beside the four: somebody else's contexts, and no thought at all.
CONTROLS = ("shuffled", "uniform")


@dataclass(frozen=True)
class Study:
    """A finished study.

    Attributes:
        folder: where its tables are.
        runs: one finished run per task, with all arms.
        contrasts: main effects and interaction, ``task`` and the columns of
            :func:`factorial_effects`.
        effects: every arm against ``matched``: ``task`` and the columns of a run's effects.
        shares: how strongly each context trained: ``task, host, arm, context, share``, the mean
            share of the gradient norm over seeds and over the logged steps.
    """

    folder: Path
    runs: tuple[Run, ...]
    contrasts: pd.DataFrame
    effects: pd.DataFrame
    shares: pd.DataFrame


def plan_study(
    tasks: Sequence[str], *, profile: ProfileName, device: str, controls: Sequence[str] = CONTROLS
) -> list[tuple[Request, Plan]]:
    """One plan per task; trainings that tasks share have one key and are computed once."""
    planned = []
    for name in tasks:
        task = find_task(name)
        request = resolve(
            task,
            profile=profile,
            device=device,
            systems=("input", "oracle", *(study.host for study in task.spec.hosts)),
            arms=(*CALS.arms, *controls),
        )
        planned.append((request, make_plan(request)))
    return planned


def run_study(
    planned: Sequence[tuple[Request, Plan]], *, store: Store, runs: Path, reporter: Reporter
) -> Study:
    """Run every task with every arm and write the study's tables.

    Args:
        planned: from :func:`plan_study`.
        store: stage results.
        runs: where run folders go, and ``study-cals-<key>`` beside them.
        reporter: told of every unit.
    """
    finished, contrasts, effects, shares = [], [], [], []
    for request, plan in planned:
        run = execute(request, plan, store=store, runs=runs, reporter=reporter)
        finished.append(run)
        task = request.task.spec.name
        samples = pd.read_parquet(run.folder / "samples.parquet")
        payload = plan.analysis.payload
        contrasts += [
            factorial_effects(
                samples,
                CALS,
                system=study.host,
                metrics=metrics_of(payload),
                axes=axes_of(payload),
                policy=policy_of(payload),
                seed=payload["seed"],
            ).assign(task=task)
            for study in request.studies
        ]
        effects.append(pd.read_parquet(run.folder / "effects.parquet").assign(task=task))
        shares.append(gradient_shares(plan, store).assign(task=task))
    tables = {
        "contrasts": pd.concat(contrasts, ignore_index=True),
        "effects": pd.concat(effects, ignore_index=True),
        "shares": pd.concat(shares, ignore_index=True),
    }
    key = content_key([plan.analysis.key for _, plan in planned])[:8]
    folder = runs / f"study-cals-{planned[0][0].profile_name}-{key}"
    for name, table in tables.items():
        write_with(folder / f"{name}.parquet", partial(table.to_parquet, index=False))
    return Study(folder, tuple(finished), **tables)


def gradient_shares(plan: Plan, store: Store) -> pd.DataFrame:
    """Share of each context in the gradient norms of every arm (methods, section 1.6).

    Arms give contexts other weights and so other gradients: what looks like an effect of what a
    context is trained on may be one of how much it is trained.
    """
    from benchmark.training import TrainedArm

    rows: list[dict[str, Any]] = []
    for run, unit in plan.trainings.items():
        norms = TrainedArm.load(store.require(*unit.need())).log.shares.double().numpy()
        total = norms.sum(1, keepdims=True)
        mean = np.divide(norms, total, out=np.zeros_like(norms), where=total > 0).mean(0)
        rows += [
            {"host": run.enhancer, "arm": run.arm, "seed": run.seed, "context": c, "share": s}
            for c, s in zip(CONTEXTS, mean.tolist(), strict=True)
        ]
    table = pd.DataFrame(rows, columns=["host", "arm", "seed", "context", "share"])
    found: pd.DataFrame = (
        table.groupby(["host", "arm", "context"], sort=False)["share"].mean().reset_index()
    )
    return found
