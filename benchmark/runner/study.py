"""Studies of ways of training, over several tasks: context x time with controls, and guidance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.contexts import CONTEXTS
from benchmark.fairness import analyse
from benchmark.fairness.factorial import Factorial, factorial_effects
from benchmark.files import content_key, write_with
from benchmark.progress import Reporter
from benchmark.runner.plan import Plan, make_plan
from benchmark.runner.request import Request, resolve
from benchmark.runner.run import Run, execute
from benchmark.runner.statistics import axes_of, metrics_of, policy_of
from benchmark.runner.store import Store
from benchmark.spec.catalogue import TaskFolder, find_task
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
#: Without and with SDAG in its cosine form, through the suite's own network.
SDAG = ("zero-dce", "zero-dce+sdag-own")
#: In every table of the study, in a column of its own.
LABEL = "CALS: our reconstruction, the published formulas are not public"


@dataclass(frozen=True)
class Study:
    """A finished study of CALS; its tables have the column ``method`` (:data:`LABEL`).

    Attributes:
        folder: where its tables are.
        runs: one finished run per task, with all arms.
        contrasts: main effects and interaction, ``task`` and the columns of
            :func:`factorial_effects`.
        effects: every arm against ``matched``: ``task`` and the columns of a run's effects.
        controls: ``cals`` against every control, the same columns.
        shares: how strongly each context trained: ``task, host, arm, context, share``, the mean
            share of the gradient norm over seeds and over the logged steps.
    """

    folder: Path
    runs: tuple[Run, ...]
    contrasts: pd.DataFrame
    effects: pd.DataFrame
    controls: pd.DataFrame
    shares: pd.DataFrame


def plan_study(
    tasks: Sequence[str],
    *,
    profile: ProfileName,
    device: str,
    arms: Sequence[str] = (*CALS.arms, *CONTROLS),
    baseline: str = CALS.second,
    seeds: Sequence[int] = (),
    recipe: Mapping[str, Any] | None = None,
    contexts: str | None = None,
) -> list[tuple[Request, Plan]]:
    """One plan per task; trainings that tasks share have one key and are computed once.

    Args:
        tasks: names.
        profile: sizes and steps.
        device: where to compute.
        arms: of every host.
        baseline: the one that others are compared with.
        seeds: of trainings; none are those of the profile.
        recipe: settings of every arm, over those of the task.
        contexts: the context predictor that schedules go by, in place of the task's.
    """
    planned = []
    for name in tasks:
        task = _adjusted(find_task(name), profile, baseline, seeds, recipe or {})
        hosts = [study.host for study in task.spec.hosts]
        systems = ("input", "oracle", *hosts)
        request = resolve(
            task,
            profile=profile,
            device=device,
            systems=systems,
            arms=tuple(arms),
            contexts=contexts,
        )
        planned.append((request, make_plan(request)))
    return planned


def _adjusted(
    task: TaskFolder,
    profile: ProfileName,
    baseline: str,
    seeds: Sequence[int],
    recipe: Mapping[str, Any],
) -> TaskFolder:
    spec, size = task.spec, task.spec.profiles[profile]
    if seeds:
        training = size.training.model_copy(update={"seeds": list(seeds)})
        size = size.model_copy(update={"training": training})
    hosts = [
        study.model_copy(update={"baseline": baseline, "recipe": {**study.recipe, **recipe}})
        for study in spec.hosts
    ]
    changes = {"hosts": hosts, "profiles": {**spec.profiles, profile: size}}
    return replace(task, spec=spec.model_copy(update=changes))


def run_arms(
    planned: Sequence[tuple[Request, Plan]], *, store: Store, runs: Path, reporter: Reporter
) -> tuple[tuple[Run, ...], pd.DataFrame]:
    """Run every task; ``task`` and the columns of a run's effects, of every arm."""
    finished, effects = [], []
    for request, plan in planned:
        run = execute(request, plan, store=store, runs=runs, reporter=reporter)
        finished.append(run)
        table = pd.read_parquet(run.folder / "effects.parquet")
        effects.append(table.assign(task=request.task.spec.name))
    return tuple(finished), pd.concat(effects, ignore_index=True)


def run_study(
    planned: Sequence[tuple[Request, Plan]], *, store: Store, runs: Path, reporter: Reporter
) -> Study:
    """Run every task with every arm and write the study's tables.

    Args:
        planned: from :func:`plan_study`, with the four arms of :data:`CALS` among others.
        store: stage results.
        runs: where run folders go, and ``study-cals-<key>`` beside them.
        reporter: told of every unit.
    """
    finished, effects = run_arms(planned, store=store, runs=runs, reporter=reporter)
    contrasts, controls, shares = [], [], []
    for (request, plan), run in zip(planned, finished, strict=True):
        task, payload = request.task.spec.name, plan.analysis.payload
        samples = pd.read_parquet(run.folder / "samples.parquet")
        options: dict[str, Any] = {
            "metrics": metrics_of(payload),
            "axes": axes_of(payload),
            "policy": policy_of(payload),
            "seed": payload["seed"],
        }
        for study in request.studies:
            others = [arm for arm in study.arms if arm not in CALS.arms]
            mine = samples[samples["system"] == study.host]
            held = [(study.host, CALS.both, control) for control in others]
            found = factorial_effects(samples, CALS, system=study.host, **options)
            contrasts.append(found.assign(task=task))
            if held:
                against = analyse(mine, comparisons=held, **options).effects
                controls.append(against.assign(task=task))
        shares.append(gradient_shares(plan, store).assign(task=task))
    tables = {
        "contrasts": pd.concat(contrasts, ignore_index=True),
        "effects": effects,
        "controls": pd.concat([effects.head(0), *controls], ignore_index=True),
        "shares": pd.concat(shares, ignore_index=True),
    }
    tables = {name: table.assign(method=LABEL) for name, table in tables.items()}
    key = content_key([plan.analysis.key for _, plan in planned])[:8]
    folder = runs / f"study-cals-{planned[0][0].profile_name}-{key}"
    for name, table in tables.items():
        write_with(folder / f"{name}.parquet", partial(table.to_parquet, index=False))
    return Study(folder, finished, **tables)


def gradient_shares(plan: Plan, store: Store) -> pd.DataFrame:
    """Share of each context in the gradient norms of every arm (methods, section 1.6).

    Arms give contexts other weights and so other gradients: what looks like an effect of what a
    context is trained on may be one of how much it is trained.
    """
    from benchmark.training import TrainedArm
    from benchmark.training.failure import failure

    rows: list[dict[str, Any]] = []
    for run, unit in plan.trainings.items():
        folder = store.require(*unit.need())
        if failure(folder) is not None:
            continue
        norms = TrainedArm.load(folder).log.shares.double().numpy()
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
