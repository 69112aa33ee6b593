"""What stands behind the rows of a run: registered systems, submissions, files from outside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.enhancers import ENHANCERS
from benchmark.enhancers.adapters.outside import Outside, locate
from benchmark.enhancers.published.outputs import published_outputs
from benchmark.errors import EquiluxError, SpecError
from benchmark.registry import unknown_name
from benchmark.spec.origin import TRUST, Origin, parse_origin
from benchmark.spec.submission import SubmissionSpec, read_submission, submission_path
from benchmark.spec.task import HostStudy

#: Arms of a submitted host that names none: without and with scheduling by context.
BOTH_ARMS = ("matched", "cals")
_SUBMISSION = re.compile(r"[^:/]+/[^:/]+|.*\.ya?ml")


@dataclass(frozen=True)
class SystemRun:
    """One row of every table before pooling: a system, its arm and seed (empty, -1 if untrained).

    Attributes:
        system: its name in tables.
        arm: see ``benchmark.schedules``.
        seed: of its training.
        enhancer: the registered name behind it, the host's, or where it comes from.
        outside: the file, folder or code, if it is not registered.
        submission: what its submitter says.
    """

    system: str
    arm: str
    seed: int
    enhancer: str
    outside: Outside | None = field(default=None, compare=False)
    submission: SubmissionSpec | None = field(default=None, compare=False)

    @property
    def title(self) -> str:
        """For progress lines."""
        return f"{self.system} {self.arm} seed {self.seed}" if self.arm else self.system

    @property
    def maps_pixels(self) -> bool:
        """False for outputs made elsewhere: there are none of other pictures."""
        return self.outside is None or self.outside.maps_pixels

    @property
    def needs_reference(self) -> bool:
        """Whether it is handed clean pictures, which only the suite's own controls are."""
        registered = not self.arm and self.outside is None
        return registered and bool(getattr(ENHANCERS.get(self.enhancer), "needs_reference", False))


def runs_of(
    name: str, *, seeds: Sequence[int], hosts: Sequence[str], trust: bool
) -> tuple[SystemRun, ...]:
    """The rows of a system that the task does not train.

    Args:
        name: registered, ``owner/name`` or file of a submission, or an origin (``onnx:FILE`` ...).
        seeds: of the trainings, should it be a submitted host.
        hosts: that the task trains, for the message.
        trust: that foreign code may run.

    Raises:
        UnknownNameError: with the nearest names.
        EquiluxError: for what is not here, not what was declared, or not trusted.
    """
    if name in ENHANCERS:
        return (SystemRun(name, "", -1, name),)
    if _SUBMISSION.fullmatch(name):
        return _submitted(name, seeds=seeds, trust=trust)
    origin = parse_origin(name)
    if origin.form != "registered":
        _ask(origin, trust=trust)
        found = locate(origin)
        return (SystemRun(_title(found), "", -1, str(origin), found),)
    from benchmark.enhancers.hosts import HOSTS

    if name in HOSTS:
        raise EquiluxError(f"{name!r} is trained, not taken", mend=f"ask for --host {name}")
    raise unknown_name("system", name, tuple(sorted({*ENHANCERS.names(), *hosts})))


def is_host(spec: SubmissionSpec) -> bool:
    """Whether a submission is trained here; some names are both, then its arms decide."""
    from benchmark.enhancers.hosts import HOSTS

    name = spec.origin.target
    registered = spec.origin.form == "registered" and name in HOSTS
    return registered and (bool(spec.arms) or name not in ENHANCERS)


def submission_file(reference: str) -> Path:
    """The file behind ``owner/name`` or behind the path of a YAML file.

    Raises:
        UnknownNameError: with the nearest names.
    """
    path = Path(reference)
    return path if path.suffix in {".yaml", ".yml"} else submission_path(reference)


def studies_of(runs: Iterable[SystemRun], known: Sequence[HostStudy]) -> tuple[HostStudy, ...]:
    """The studies of a task, and one more for every host that only a submission brings."""
    studies = {study.host: study for study in known}
    for run in runs:
        if run.arm and run.enhancer not in studies:
            arms = _arms(run.submission)
            baseline = "matched" if "matched" in arms else arms[0]
            studies[run.enhancer] = HostStudy(host=run.enhancer, arms=arms, baseline=baseline)
    return tuple(studies.values())


def refuse_namesakes(runs: Sequence[SystemRun]) -> None:
    """Rows are told apart by their names.

    Raises:
        EquiluxError: if two systems would have the same row.
    """
    seen: dict[SystemRun, SystemRun] = {}
    for run in runs:
        other = seen.setdefault(run, run)
        if other is not run:
            raise EquiluxError(
                f"two systems would be called {run.title!r} in every table",
                mend="name each system once, and files differently",
            )


def _submitted(reference: str, *, seeds: Sequence[int], trust: bool) -> tuple[SystemRun, ...]:
    path = submission_file(reference)
    spec = read_submission(path)
    origin = spec.origin
    if origin.form == "registered":
        return registered_runs(spec, seeds=seeds, where=str(path))
    refuse_arms(spec, str(path))
    _ask(origin, trust=trust)
    declared = spec.weights.sha256 if spec.weights else None
    found = locate(origin, beside=path.resolve().parent, sha256=declared)
    return (SystemRun(spec.full_name, "", -1, str(origin), found, spec),)


def registered_runs(
    spec: SubmissionSpec, *, seeds: Sequence[int], where: str
) -> tuple[SystemRun, ...]:
    """The rows of a submission of something registered: an enhancer, or a host in its arms.

    Raises:
        UnknownNameError: with the nearest names, for the enhancer or an arm.
        SpecError: for arms of what is not trained, and for the suite's own controls.
    """
    from benchmark.enhancers.hosts import HOSTS

    name, enhancer = spec.full_name, spec.origin.target
    if is_host(spec):
        return tuple(
            SystemRun(name, arm, seed, enhancer, None, spec)
            for arm in _arms(spec)
            for seed in seeds
        )
    refuse_arms(spec, where)
    if enhancer not in ENHANCERS:
        known = tuple(sorted({*ENHANCERS.names(), *HOSTS.names()}))
        raise unknown_name("enhancer or host", enhancer, known)
    run = SystemRun(name, "", -1, enhancer, None, spec)
    if run.needs_reference:
        raise SpecError(
            f"{enhancer} is handed the clean pictures: it is a control and no submission",
            where=where,
        )
    return (run,)


def _arms(spec: SubmissionSpec | None) -> list[str]:
    from benchmark.schedules import ARMS

    arms = list(dict.fromkeys(spec.arms if spec else ())) or list(BOTH_ARMS)
    for arm in arms:
        ARMS.entry(arm)
    return arms


def refuse_arms(spec: SubmissionSpec, where: str) -> None:
    """Raises SpecError for arms of what is not trained here."""
    if spec.arms:
        raise SpecError(
            "only a host, which is trained here, has arms",
            where=where,
            mend="leave arms: out, or register the architecture as a host",
        )


def _ask(origin: Origin, *, trust: bool) -> None:
    if origin.form == "code" and not trust:
        raise EquiluxError(
            f"running {origin} would run code that is not part of this suite",
            mend=f"read it first; then say so with --trust. {TRUST}",
        )


def _title(found: Outside) -> str:
    """How a system that nobody has given a name is called in tables."""
    if found.origin.form == "code":
        return str(found.origin)
    known = published_outputs(found.sha256) if found.origin.form == "outputs" else None
    return known.name if known else f"{found.origin.form}:{found.path.stem}"
