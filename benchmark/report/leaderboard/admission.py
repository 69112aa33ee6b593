"""Which runs a leaderboard takes; every refusal says what, where and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmark.errors import DataError
from benchmark.report.leaderboard.protocol import protocol_of, ranked_metrics
from benchmark.report.leaderboard.store import Result
from benchmark.report.manifest import Manifest
from benchmark.report.model import RunView
from benchmark.spec.catalogue import find_task
from benchmark.spec.task import TaskSpec

_SYSTEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]*(/[A-Za-z0-9][A-Za-z0-9_.:+-]*)?")
_LONGEST_NAME = 130
_AGAIN = "run it again: `python -m benchmark run --task {} --profile {}`"


def require_comparable(view: RunView) -> None:
    """The run measured what its task says, as large as its profile says, on the embedded probe.

    Raises:
        DataError: saying what is otherwise.
    """
    manifest, where = view.manifest, str(view.folder)
    task = find_task(manifest.task.name).spec
    protocol = protocol_of(manifest)
    if protocol.version != str(task.version):
        raise DataError(
            f"the run is of version {protocol.version} of {task.name}, which is now at version "
            f"{task.version}",
            where=where,
            mend=_AGAIN.format(task.name, manifest.profile),
        )
    if manifest.data.get("source") != "probe":
        raise DataError(
            "the run is on data of somebody's own",
            where=where,
            mend="leaderboards compare on the embedded probe, which everybody has; what single "
            "people or patients got does not belong in a repository",
        )
    degradation = manifest.data.get("degradation", {})
    if manifest.data.get("effect") != "group" or degradation.get("planted"):
        raise DataError(
            "the run has planted effects or shuffled groups, which are for tests of the statistics",
            where=where,
            mend="run the task as it is",
        )
    _require_profile(manifest, task, where)
    strange = [s.system for s in manifest.systems if not _nameable(s.system)]
    if strange:
        raise DataError(
            f"a system's name is not usable: {strange[0][:80]!r}",
            where=where,
            mend="names are letters, digits and _.:+- with at most one slash",
        )
    require_baselines(view, where=where)


def _require_profile(manifest: Manifest, task: TaskSpec, where: str) -> None:
    """A profile is a size: "quick" with the subjects of another would be no quick run."""
    declared = {str(name): one for name, one in task.profiles.items()}.get(manifest.profile)
    if declared is None:
        raise DataError(
            f"{task.name} has no profile {manifest.profile!r}",
            where=where,
            mend=f"its profiles are {', '.join(task.profiles)}",
        )
    sizes = (
        ("subjects", declared.subjects, manifest.data.get("subjects")),
        ("views", declared.views, manifest.data.get("views")),
        ("replicates", declared.replicates, manifest.statistics.get("replicates")),
    )
    for name, wanted, done in sizes:
        if done != wanted:
            raise DataError(
                f"profile {manifest.profile} of {task.name} has {wanted} {name}, this run {done}",
                where=where,
                mend=f"{_AGAIN.format(task.name, manifest.profile)}, with the task file as it is",
            )


def require_alike(view: RunView, known: Sequence[Result]) -> None:
    """What is there of this version and profile was measured on the same pictures.

    Without this rule a run on changed data, or of fewer metrics, would open a table of its own and
    supersede the one that everybody is in.

    Args:
        view: the run.
        known: results of its task, by number.

    Raises:
        DataError: naming what differs from the newest of them.
    """
    manifest, protocol = view.manifest, protocol_of(view.manifest)
    own = (protocol.version, protocol.profile, protocol.tag)
    before = [r for r in known if (r.protocol.version, r.protocol.profile, r.protocol.tag) == own]
    if not before:
        return
    newest = before[-1]
    theirs = newest.view.manifest
    mend = _AGAIN.format(protocol.task, protocol.profile)
    changed = sorted(
        key
        for key in {*manifest.data, *theirs.data}
        if manifest.data.get(key) != theirs.data.get(key)
    )
    if changed:
        raise DataError(
            f"the run is on other data than {newest.name}, though both are of version "
            f"{protocol.version}, profile {protocol.profile}; what differs: {', '.join(changed)}",
            where=str(view.folder),
            mend=f"{mend}; if the data are meant to change, raise the version of the task",
        )
    missing = [m for m in ranked_metrics(theirs) if m not in ranked_metrics(manifest)]
    if missing:
        raise DataError(
            f"the run lacks what {newest.name} is ranked by: {', '.join(missing)}",
            where=str(view.folder),
            mend=f"{mend}, without --metric and with the weights that `weights list` misses",
        )


def _nameable(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and _SYSTEM.fullmatch(name) is not None


def require_baselines(view: RunView, *, where: str) -> None:
    """``input``, a classical method and ``oracle`` are in every table.

    Without them nobody sees what doing nothing gives and how unfair the judge itself is.

    Raises:
        DataError: naming those that are missing.
    """
    systems = view.manifest.systems
    missing = sorted({"input", "oracle"} - {s.system for s in systems})
    if not any(s.kind == "classical" for s in systems):
        missing.append("a classical method")
    if missing:
        raise DataError(
            f"these baselines are missing: {', '.join(missing)}",
            where=where,
            mend="run the task with them: leave --system out, or name them as well",
        )
