"""What a user asked for, checked against everything that can be named before any work starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from benchmark.contexts import PREDICTORS
from benchmark.contexts.base import named
from benchmark.data.opened import RealData, open_data
from benchmark.data.references import parse_reference
from benchmark.errors import EquiluxError
from benchmark.probes import PROBES
from benchmark.runner.systems import SystemRun, refuse_namesakes, runs_of, studies_of
from benchmark.spec.catalogue import TaskFolder, mapping_for
from benchmark.spec.task import Axis, HostStudy, Profile, ProfileName


@dataclass(frozen=True)
class Request:
    """A run, fully resolved; building one validates every name in it."""

    task: TaskFolder
    profile_name: ProfileName
    device: str
    systems: tuple[SystemRun, ...]
    studies: tuple[HostStudy, ...]
    metrics: tuple[str, ...]
    axes: tuple[Axis, ...]
    headline_axis: str
    real: RealData | None = None

    @property
    def provides(self) -> frozenset[str]:
        """The needs of metrics (``metrics.base.Need``) that the data satisfy."""
        if self.real is not None:
            return self.real.mapping.provides()
        return frozenset(PROBES.entry(self.task.spec.probe.name).meta["provides"])

    @property
    def comparisons(self) -> tuple[tuple[str, str, str], ...]:
        """Which arm is compared with which baseline: system, arm, baseline."""
        baselines = {study.host: study.baseline for study in self.studies}
        arms = dict.fromkeys(
            (r.system, r.arm, baselines[r.enhancer]) for r in self.systems if r.arm
        )
        return tuple(found for found in arms if found[1] != found[2])

    @property
    def profile(self) -> Profile:
        """How much work is to be done."""
        return self.task.spec.profiles[self.profile_name]


def resolve(
    task: TaskFolder,
    *,
    profile: ProfileName,
    device: str,
    data: str | None = None,
    mapping: str | None = None,
    systems: tuple[str, ...] = (),
    submissions: tuple[str, ...] = (),
    hosts: tuple[str, ...] = (),
    arms: tuple[str, ...] = (),
    metrics: tuple[str, ...] = (),
    protocol: Literal["frozen", "retrained"] | None = None,
    trust: bool = False,
    recipe: Mapping[str, Any] | None = None,
    contexts: str | None = None,
) -> Request:
    """Turn command-line words into a request.

    Empty tuples mean what the task file says. ``hosts`` takes the place of the task's hosts; those
    that the task does not name are trained in the arms of its first. ``submissions`` are measured
    beside the task's untrained systems, or beside ``systems`` and ``hosts`` where those are given.
    ``trust``: that code from outside may run. ``recipe``: settings of every training, over those
    of the task. ``contexts``: the context predictor that schedules go by, in place of the task's.

    Raises:
        UnknownNameError: for a system, host, arm, metric or context predictor that does not exist,
            with the nearest names.
        EquiluxError: for a combination that makes no sense.
    """
    if hosts:
        task = _with_hosts(task, hosts)
    task = _with_contexts(task, contexts)
    spec = task.spec
    trained = {study.host: _study(study, arms) for study in spec.hosts}
    # a published network and a host may have one name: on the command line the host is meant
    named = [(name, name in trained) for name in systems] or [(n, False) for n in spec.systems]
    if hosts or not (systems or submissions):
        named += [(name, True) for name in trained]
    named += [(name, False) for name in submissions]
    seeds = spec.profiles[profile].training.seeds
    runs: list[SystemRun] = []
    for name, is_host in dict.fromkeys(named):
        if is_host:
            runs += [SystemRun(name, a, s, name) for a in trained[name].arms for s in seeds]
        else:
            runs += runs_of(name, seeds=seeds, hosts=tuple(trained), trust=trust)
    refuse_namesakes(runs)
    studies = studies_of(runs, [s for host, s in trained.items() if (host, True) in named])
    if recipe:
        studies = tuple(
            study.model_copy(update={"recipe": {**study.recipe, **recipe}}) for study in studies
        )
    real = _real_data(task, data, mapping)
    if real is not None and real.mapping.image is None:
        runs = _without_reference(runs, asked=systems)
    task = _with_protocol(_with_judges(task, real), protocol)
    spec = task.spec
    axes, headline = _axes(task, real)
    return Request(
        task=task,
        profile_name=profile,
        device=device,
        systems=tuple(runs),
        studies=studies,
        metrics=metrics or spec.metrics.all(),
        axes=axes,
        headline_axis=headline,
        real=real,
    )


def _without_reference(runs: list[SystemRun], *, asked: tuple[str, ...]) -> list[SystemRun]:
    """Leave out systems that are handed the clean picture, which such data do not hold."""
    blind = [run for run in runs if not run.needs_reference]
    refused = {run.system for run in runs} & set(asked) - {run.system for run in blind}
    if refused:
        raise EquiluxError(
            f"{', '.join(sorted(refused))} would be handed clean pictures, and there are none",
            mend="leave the system out, or name the column image: in the mapping",
        )
    return blind


def _with_hosts(task: TaskFolder, hosts: tuple[str, ...]) -> TaskFolder:
    """The task with these hosts; those that it does not name take the arms of its first."""
    declared = {study.host: study for study in task.spec.hosts}
    like = next(iter(declared.values()), HostStudy(host=hosts[0]))
    studies = [
        declared.get(host, like.model_copy(update={"host": host})) for host in dict.fromkeys(hosts)
    ]
    return replace(task, spec=task.spec.model_copy(update={"hosts": studies}))


def _with_contexts(task: TaskFolder, contexts: str | None) -> TaskFolder:
    """The task with this context predictor, if any; either way there is one of that name."""
    told = contexts or task.spec.contexts
    named(PREDICTORS, told)
    return replace(task, spec=task.spec.model_copy(update={"contexts": told}))


def _study(study: HostStudy, arms: tuple[str, ...]) -> HostStudy:
    from benchmark.enhancers.hosts import HOSTS
    from benchmark.losses.own import OWN
    from benchmark.schedules import ARMS
    from benchmark.schedules.own import OWN_ARMS
    from benchmark.schedules.unsupervised import UNSUPERVISED

    HOSTS.entry(study.host)
    for arm in arms:
        if arm in OWN_ARMS:
            OWN.entry(study.host)
        elif arm not in UNSUPERVISED:
            ARMS.entry(arm)
    if not arms:
        return study
    baseline = study.baseline if study.baseline in arms else arms[0]
    return study.model_copy(update={"arms": list(dict.fromkeys(arms)), "baseline": baseline})


def _real_data(task: TaskFolder, data: str | None, mapping: str | None) -> RealData | None:
    declared = task.spec.data
    if data is None and declared is not None:
        data, mapping = task.beside(declared.reference), mapping or declared.mapping
    if data is None:
        if mapping is not None:
            raise EquiluxError(
                "--mapping says how to read --data, which is not given",
                mend="add --data with your folder, Parquet files or hub:owner/name@revision",
            )
        return None
    return open_data(parse_reference(data), mapping_for(data, mapping))


def _with_judges(task: TaskFolder, real: RealData | None) -> TaskFolder:
    """The task with the judges that the mapping names in place of those of record."""
    if real is None or not real.mapping.judges:
        return task
    from benchmark.metrics import judged_by

    judges = {str(kind): name for kind, name in real.mapping.judges.items()}
    metrics = task.spec.metrics.renamed(lambda name: judged_by(name, judges))
    return replace(task, spec=task.spec.model_copy(update={"metrics": metrics}))


def _with_protocol(task: TaskFolder, protocol: Literal["frozen", "retrained"] | None) -> TaskFolder:
    if protocol is None or protocol == task.spec.protocol:
        return task
    if task.spec.protocol is None:
        raise EquiluxError(
            "the task has no recogniser that could be frozen or retrained",
            where=task.spec.name,
            mend="leave --protocol out",
        )
    return replace(task, spec=task.spec.model_copy(update={"protocol": protocol}))


def _axes(task: TaskFolder, real: RealData | None) -> tuple[tuple[Axis, ...], str]:
    spec = task.spec
    if real is None:
        return tuple(spec.axes), spec.headline_axis
    applied = [axis for axis in spec.axes if axis.name == spec.degradation.axis]
    if real.mapping.input is not None:  # degraded before it came here
        applied = []
    mapped = [
        Axis(
            name=axis.name,
            role=axis.role,
            source=axis.source,
            levels=axis.shown_levels(),
            excluded=axis.excluded,
            title=axis.title,
        )
        for axis in real.mapping.axes
    ]
    clash = {axis.name for axis in mapped} & {axis.name for axis in applied}
    if clash:
        raise EquiluxError(
            f"the mapping and the task both have an axis {', '.join(sorted(clash))}",
            where=real.mapping.name,
            mend="give the axis of the mapping another name",
        )
    return (*mapped, *applied), real.mapping.headline or spec.degradation.axis
