"""Everything that a card says, gathered before anything is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmark import __version__
from benchmark.errors import DataError, SpecError
from benchmark.metrics.base import MetricSpec
from benchmark.report.cards import power
from benchmark.report.cards.judging import (
    Ceiling,
    CleanRow,
    JudgeUse,
    ceilings,
    clean_rows,
    declaration,
    judges,
)
from benchmark.report.cards.rows import GroupCount, count_groups, of_probe, of_run
from benchmark.report.model import RunView, load_run
from benchmark.report.records import Digest, digest
from benchmark.spec.about import AboutSpec
from benchmark.spec.catalogue import TaskFolder, mapping_for
from benchmark.spec.mapping import MappingSpec
from benchmark.spec.task import Stratifier, TaskSpec
from benchmark.spec.yamlfile import read_spec

ABOUT, EVIDENCE = "about.yaml", "evidence.json"
_SAME = ("name", "version")


@dataclass(frozen=True)
class Facts:
    """What a card says.

    Attributes:
        task: the task file.
        about: the human half; None for somebody's data, which a mapping describes.
        real: the mapping of somebody's data; None for the probe.
        view: a finished run, or None.
        frame: one row per picture, where rows are known.
        counts: subjects and pictures of every group.
        counted: what was counted, in words.
        axes: axes of the data by name.
        metrics: declarations of all metrics of the task.
        primary: names of those that carry claims.
        judges: who judges.
        clean: what the judges say of the clean references.
        ceilings: how often judges of attributes and readers are right on clean pictures.
        detectable: what could be found at which size.
        evidence: what the probe's self-test printed, or None.
        command: the exact command that writes this card.
    """

    task: TaskSpec
    about: AboutSpec | None
    real: MappingSpec | None
    view: RunView | None
    frame: pd.DataFrame | None
    counts: tuple[GroupCount, ...]
    counted: str
    axes: dict[str, Stratifier]
    metrics: Mapping[str, MetricSpec]
    primary: tuple[str, ...]
    judges: tuple[JudgeUse, ...]
    clean: tuple[CleanRow, ...]
    ceilings: tuple[Ceiling, ...]
    detectable: tuple[power.Detectable, ...]
    evidence: Digest | None
    command: str

    @property
    def evidence_command(self) -> str:
        """What measures whether the probe can carry a claim."""
        return f"python -m benchmark probe evidence {self.task.probe.name} --json"

    @property
    def software(self) -> str:
        """What wrote the card."""
        return f"Equilux {__version__}"


def gather(task: TaskFolder, *, run: Path | None, data: str | None, mapping: str | None) -> Facts:
    """Read task, run and data.

    Raises:
        DataError: if the run is of another task, version or dataset.
        SpecError: if ``about.yaml`` is missing or wrong.
    """
    spec = task.spec
    command = (data, mapping)
    if data is None and run is None and spec.data is not None:
        data, mapping = task.beside(spec.data.reference), mapping or spec.data.mapping
    view = load_run(run) if run is not None else None
    if view is not None:
        _require_same(spec, view)
    real = _mapping(view, data, mapping)
    axes = _axes(spec, real)
    frame = _frame(view, data, real)
    counts, counted = _counts(spec, view, real, axes, frame)
    names = spec.metrics.all()
    declared = {name: declaration(name) for name in names}
    headline = view.manifest.headline.axis if view else _headline(spec, real)
    watched = tuple(dict.fromkeys([*spec.metrics.primary, *spec.metrics.headline.names()]))
    return Facts(
        task=spec,
        about=None if real else _about(task.folder),
        real=real,
        view=view,
        frame=frame,
        counts=counts,
        counted=counted,
        axes=axes,
        metrics=declared,
        primary=tuple(spec.metrics.primary),
        judges=judges(spec, names),
        clean=clean_rows(view, watched) if view else (),
        ceilings=ceilings(view) if view else (),
        detectable=power.table(
            watched,
            _sizes(spec, real, counts, headline),
            alpha=spec.policy.alpha,
            kinds={name: metric.kind for name, metric in declared.items()},
            view=view,
        ),
        evidence=None if real else _evidence(task.folder / EVIDENCE),
        command=_command(spec, view, *command),
    )


def _require_same(spec: TaskSpec, view: RunView) -> None:
    theirs = view.manifest.specification
    for key in _SAME:
        mine = getattr(spec, key)
        if theirs.get(key) != mine:
            raise DataError(
                f"the run is of {key} {theirs.get(key)!r}, the task of {key} {mine!r}",
                where=str(view.folder),
                mend=f"run the task again: python -m benchmark run --task {spec.name}",
            )


def _mapping(view: RunView | None, data: str | None, mapping: str | None) -> MappingSpec | None:
    """How somebody's data are read: as the command says, else as the run did."""
    used = view.manifest.data.get("mapping") if view else None
    found = MappingSpec.model_validate(used) if used is not None else None
    if data is None:
        return found
    asked = mapping_for(data, mapping)
    if view is not None and (found is None or found.name != asked.name):
        raise DataError(
            f"the run was not made on {asked.name}", where=str(view.folder), mend="leave out --run"
        )
    return asked


def _frame(view: RunView | None, data: str | None, real: MappingSpec | None) -> pd.DataFrame | None:
    if view is not None:
        return of_run(view.samples)
    if data is None or real is None:
        return None
    from benchmark.data.opened import open_data
    from benchmark.data.references import parse_reference
    from benchmark.data.views import PROBE

    rows = open_data(parse_reference(data), real).rows.frame
    return rows[rows["role"] == PROBE].reset_index(drop=True)


def _counts(
    spec: TaskSpec,
    view: RunView | None,
    real: MappingSpec | None,
    axes: dict[str, Stratifier],
    frame: pd.DataFrame | None,
) -> tuple[tuple[GroupCount, ...], str]:
    if frame is None:
        quick = spec.profiles["quick"]
        counts = of_probe(quick.subjects, quick.views, axes, spec.headline_axis)
        return counts, "the test split of the profile `quick`"
    levels = {a.name: a.levels for a in view.manifest.axes} if view else {}
    shown = {name: levels.get(name) or tuple(axis.levels) for name, axis in axes.items()}
    what = "the evaluated rows" if view is None else f"the profile `{view.manifest.profile}`"
    return count_groups(frame, axes, shown), f"{what}{' of ' + real.title if real else ''}"


def _axes(spec: TaskSpec, real: MappingSpec | None) -> dict[str, Stratifier]:
    """Axes of the data; the suite's own degradation is one where it is applied."""
    if real is None:
        return {axis.name: axis for axis in spec.axes}
    found: dict[str, Stratifier] = {axis.name: axis for axis in real.axes}
    if real.input is None:
        found |= {axis.name: axis for axis in spec.axes if axis.name == spec.degradation.axis}
    return found


def _headline(spec: TaskSpec, real: MappingSpec | None) -> str:
    return (real.headline or spec.degradation.axis) if real else spec.headline_axis


def _sizes(
    spec: TaskSpec, real: MappingSpec | None, counts: tuple[GroupCount, ...], headline: str
) -> dict[str, list[int]]:
    """Subjects in each group of the headline axis: as counted, or as each profile of the probe."""
    used = [c for c in counts if c.axis == headline and not c.excluded]
    if real is not None:
        return {"these data": [c.subjects for c in used if c.subjects >= spec.policy.n_min]}
    return {name: [p.subjects] * len(used) for name, p in spec.profiles.items()}


def _about(folder: Path) -> AboutSpec:
    path = folder / ABOUT
    if not path.is_file():
        raise SpecError(
            "the card needs the human half of the story",
            where=str(path),
            mend="write it: the keys are those of benchmark/spec/about.py",
        )
    return read_spec(path, AboutSpec)


def _evidence(path: Path) -> Digest | None:
    if not path.is_file():
        return None
    try:
        return digest(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise DataError(f"not JSON: {error}", where=str(path)) from error


def _command(spec: TaskSpec, view: RunView | None, data: str | None, mapping: str | None) -> str:
    words = ["python -m benchmark card --task", spec.name]
    for option, value in (("--data", data), ("--mapping", mapping)):
        words += [option, value] if value else []
    if view is not None:
        words += ["--run", f"runs/{view.manifest.run_id}"]
    return " ".join(words)
