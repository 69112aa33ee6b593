"""An equal budget for CALS and its control: chosen on other people, frozen in a file, tested once.

Either arm gets the same number of candidates. The first is the prior that every other study uses:
the table for ``cals``, its mean for ``matched``. The others move every entry of the table (or of
the one vector) by a log-normal factor and the gate's opening to a random moment; candidates of the
same number use the same draws for the gate. Candidates are trained from the seed ``SEED`` and
judged by the mean of the task's endpoint over people of :data:`VALIDATION_SEED`, who are neither
trained on nor tested on. What is chosen is written with its digest before anything is tested, and
the test trains it from the profile's own seeds and measures it on the people of record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.errors import TrainingError
from benchmark.files import content_key, write_json, write_with
from benchmark.progress import Reporter
from benchmark.runner.plan import make_plan
from benchmark.runner.request import Request, resolve
from benchmark.runner.run import Run, compute, execute
from benchmark.runner.store import Store
from benchmark.runner.units import VALIDATION_SEED
from benchmark.schedules.gate import Gate
from benchmark.schedules.table import PRIOR, ContextTable
from benchmark.spec.catalogue import TaskFolder

ARMS = ("matched", "cals")
#: Of the candidates' trainings and of what they are; tests have the seeds of their profile.
SEED = 1_999
_SPREAD = 0.5

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Tuned:
    """What was chosen and what came of it.

    Attributes:
        folder: holds ``frozen.json``, written before the test, and the tables.
        digest: of what was frozen.
        tried: ``host, arm, candidate, score, chosen``; the score is the mean of ``endpoint``.
        effects: tuned ``cals`` against tuned ``matched`` on the people of record, ``task`` and the
            columns of a run's effects.
        endpoint: metric that candidates were judged by.
        run: the test.
    """

    folder: Path
    digest: str
    tried: pd.DataFrame
    effects: pd.DataFrame
    endpoint: str
    run: Run


def candidates(count: int) -> list[dict[str, Settings]]:
    """Recipes to try, by arm; the first is the prior."""
    rng = np.random.default_rng(SEED)
    rows = PRIOR.weights()
    found: list[dict[str, Settings]] = [{arm: {} for arm in ARMS}]
    for _ in range(1, count):
        gate = asdict(Gate(full=round(float(rng.uniform(0.1, 0.6)), 3)))
        table = rows * np.exp(rng.normal(0, _SPREAD, rows.shape))
        vector = rows.mean(0) * np.exp(rng.normal(0, _SPREAD, rows.shape[1]))
        tables = {"cals": table, "matched": np.broadcast_to(vector, rows.shape)}
        found.append({arm: {"table": _table(tables[arm]), "gate": gate} for arm in ARMS})
    return found


def tune_and_test(
    request: Request, count: int, *, store: Store, runs: Path, reporter: Reporter
) -> Tuned:
    """Choose for both arms, freeze, test.

    Args:
        request: of the task; its hosts, profile and recipe are used, its arms are not.
        count: candidates for either arm.
        store: stage results.
        runs: where run folders go, and ``study-tuned-<task>-<digest>`` beside them.
        reporter: told of every unit.
    """
    task, endpoint = request.task, request.task.spec.metrics.headline.endpoint
    choices = candidates(count)
    tried = pd.concat(
        [
            _scores(request, choice, endpoint, store=store, reporter=reporter).assign(candidate=k)
            for k, choice in enumerate(choices)
        ],
        ignore_index=True,
    )
    taken = best_of_each(tried, direction=_direction(endpoint))
    chosen: dict[str, dict[str, Settings]] = {}
    for row in tried[taken].to_dict("records"):
        chosen.setdefault(row["host"], {})[row["arm"]] = choices[row["candidate"]][row["arm"]]
    tried["chosen"] = taken
    frozen = {
        "task": task.spec.name,
        "profile": request.profile_name,
        "endpoint": endpoint,
        "budget": count,
        # JSON knows no NaN: a candidate without a score is null
        "tried": tried.astype(object).where(tried.notna(), None).to_dict("records"),
        "chosen": chosen,
    }
    digest = content_key(frozen)
    folder = runs / f"study-tuned-{task.spec.name}-{digest[:8]}"
    write_json(folder / "frozen.json", frozen | {"digest": digest})
    tested = resolve(
        _with_recipes(task, chosen),
        profile=request.profile_name,
        device=request.device,
        systems=("input", "oracle", *chosen),
        arms=ARMS,
    )
    run = execute(tested, make_plan(tested), store=store, runs=runs, reporter=reporter)
    effects = pd.read_parquet(run.folder / "effects.parquet").assign(task=task.spec.name)
    for name, table in (("tried", tried), ("effects", effects)):
        write_with(folder / f"{name}.parquet", partial(table.to_parquet, index=False))
    return Tuned(folder, digest, tried, effects, endpoint, run)


def best_of_each(tried: pd.DataFrame, *, direction: int) -> NDArray[np.bool_]:
    """Which rows are the best candidate of their host and arm; of equals the first.

    Args:
        tried: ``host, arm, score``; NaN where the training broke down or nothing was measured.
        direction: +1 if a higher score is better, -1 if a lower one is.

    Raises:
        TrainingError: if no candidate of an arm has a score.
    """
    taken = np.zeros(len(tried), dtype=bool)
    for host, arm in tried[["host", "arm"]].drop_duplicates().to_numpy():
        rows = np.flatnonzero((tried["host"] == host) & (tried["arm"] == arm))
        better = direction * tried["score"].to_numpy(np.float64)[rows]
        if np.isnan(better).all():
            raise TrainingError(
                f"none of the {len(rows)} candidates of the arm {arm} could be judged",
                where=host,
                mend="look at one of them with `python -m benchmark run`",
            )
        taken[rows[np.nanargmax(better)]] = True
    return taken


def _scores(
    request: Request,
    choice: Mapping[str, Settings],
    endpoint: str,
    *,
    store: Store,
    reporter: Reporter,
) -> pd.DataFrame:
    """Mean endpoint of either arm on the people that choose, ``host, arm, score``."""
    hosts = [study.host for study in request.studies]
    trial = resolve(
        _for_validation(_with_recipes(request.task, dict.fromkeys(hosts, choice)), request),
        profile=request.profile_name,
        device=request.device,
        systems=tuple(hosts),
        arms=ARMS,
        metrics=(endpoint,),
    )
    plan = make_plan(trial)
    compute(plan, store, reporter, device=request.device)
    samples = pd.read_parquet(store.require(*plan.analysis.need()) / "samples.parquet")
    means = samples.groupby(["system", "arm"], sort=False)[endpoint].mean().reset_index()
    return means.set_axis(["host", "arm", "score"], axis=1)


def _for_validation(task: TaskFolder, request: Request) -> TaskFolder:
    """The task on other people, half as many, and with trainings of two thirds of the steps."""
    spec, size = task.spec, request.profile
    training = size.training.model_copy(
        update={"seeds": [SEED], "steps": max(size.training.steps * 2 // 3, 1)}
    )
    size = size.model_copy(
        update={
            "subjects": max(size.subjects // 2, 1),
            "phantoms": 0,
            "training": training,
            "replicates": 200,
        }
    )
    changes = {
        "probe": spec.probe.model_copy(update={"seed": VALIDATION_SEED}),
        "profiles": {**spec.profiles, request.profile_name: size},
        "representation": None,
        "distribution": None,
        "sanity": False,
    }
    return replace(task, spec=spec.model_copy(update=changes))


def _with_recipes(task: TaskFolder, recipes: Mapping[str, Mapping[str, Settings]]) -> TaskFolder:
    hosts = [
        study.model_copy(
            update={"recipes": {arm: dict(s) for arm, s in recipes.get(study.host, {}).items()}}
        )
        for study in task.spec.hosts
    ]
    return replace(task, spec=task.spec.model_copy(update={"hosts": hosts}))


def _direction(metric: str) -> int:
    from benchmark.metrics import plan_scorers

    return plan_scorers((metric,)).metrics[metric].direction


def _table(rows: Sequence[Sequence[float]] | np.ndarray[Any, Any]) -> dict[str, Any]:
    """A context table as a recipe writes it, four digits."""
    weights = ContextTable(tuple(tuple(map(float, row)) for row in rows)).weights()
    return {"rows": [[round(float(w), 4) for w in row] for row in weights], "floor": PRIOR.floor}
