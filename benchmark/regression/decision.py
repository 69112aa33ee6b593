"""The gate: one baseline, one candidate, one answer that a machine can act on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmark.errors import DataError
from benchmark.regression import comparable
from benchmark.regression.baseline import Baseline, read_baseline
from benchmark.regression.facts import Facts, Side, read_run
from benchmark.regression.movers import Mover, movers
from benchmark.regression.rows import Row, RowVerdict, rows_of, scene
from benchmark.report.model import load_run
from benchmark.spec.gate import GatePolicy

Answer = Literal["pass", "fail", "inconclusive", "not_comparable"]


@dataclass(frozen=True)
class GateReport:
    """What the gate found.

    Attributes:
        verdict: fail if any row fails, inconclusive if any is, pass otherwise; not_comparable if
            the numbers must not be held against each other at all.
        problems: why they must not.
        rows: every verdict.
        moved: the samples that lost most, by system and metric.
        unchanged: systems of which no value moved by more than rounding.
        notes: what a reader should know and no verdict rests on.
        baseline, candidate: names of the runs.
        task: which task.
        policy: the policy that was applied.
    """

    verdict: Answer
    problems: tuple[str, ...]
    rows: tuple[Row, ...]
    moved: tuple[Mover, ...]
    unchanged: tuple[str, ...]
    notes: tuple[str, ...]
    baseline: str
    candidate: str
    task: str
    policy: GatePolicy = field(repr=False)

    def exit_code(self, *, strict: bool = False) -> int:
        """0 passed, 1 failed, 2 not comparable, 3 inconclusive and ``strict``."""
        codes = {"pass": 0, "fail": 1, "not_comparable": 2, "inconclusive": 3 if strict else 0}
        return codes[self.verdict]

    def of(self, verdict: RowVerdict) -> tuple[Row, ...]:
        """The rows with a verdict."""
        return tuple(row for row in self.rows if row.verdict == verdict)


def gate(baseline: str | Path, candidate: str | Path) -> GateReport:
    """Hold a run against a baseline under the baseline's policy.

    Args:
        baseline: folder that ``gate update`` wrote.
        candidate: a finished run, or a folder of runs of which one is of the baseline's task and
            profile (a run's own name ends in a digest that CI cannot know).

    Raises:
        DataError: if either is unfinished or damaged.
        SpecError: if the policy is wrong.
    """
    held = read_baseline(Path(baseline))
    return judge(held, read_run(pick_run(Path(candidate), held.side.facts)))


def pick_run(folder: Path, facts: Facts) -> Path:
    """``folder`` if it is a run, else the one run in it of the same task and profile.

    Raises:
        DataError: if there is none, or more than one.
    """
    if (folder / "manifest.json").is_file() or not folder.is_dir():
        return folder
    found = []
    for path in sorted(folder.glob("*/manifest.json")):
        manifest = load_run(path.parent).manifest
        if (manifest.task.name, manifest.profile) == (facts.task, facts.profile):
            found.append(path.parent)
    if len(found) != 1:
        names = ", ".join(path.name for path in found)
        raise DataError(
            f"holds {len(found)} finished runs of {facts.task}, profile {facts.profile}"
            + (f": {names}" if names else ""),
            where=str(folder),
            mend="name the run folder itself, the one with a manifest.json",
        )
    return found[0]


def judge(baseline: Baseline, candidate: Side) -> GateReport:
    """Compare and decide; reads no files."""
    policy, side = baseline.policy, baseline.side
    systems = _gated(side, policy)
    metrics, axes = list(policy.metrics), list(policy.axes)
    problems = comparable.different_terms(side, candidate, metrics)
    problems += comparable.different_samples(side, candidate, axes)
    problems += comparable.vanished_rows(side, candidate, [*systems, *_references(side)])
    common = {
        "baseline": side.facts.run_id,
        "candidate": candidate.facts.run_id,
        "task": side.facts.task,
        "policy": policy,
        "notes": tuple(_notes(side, candidate, systems)),
    }
    if not problems:
        also = {metric.name for metric in candidate.facts.measured}
        everything = [m.name for m in side.facts.measured if m.name in also]
        pairs = comparable.matched(side, candidate, everything, axes)
        noise = comparable.noise_floor(side, everything, policy.float_noise)
        problems += comparable.moved_references(
            pairs, side.facts.references, everything, noise, policy.control_share
        )
        ours = pairs[comparable.is_one_of(pairs, systems)]
        problems += comparable.lower_coverage(ours, metrics, axes, policy.coverage_tolerance)
    if problems:
        return GateReport("not_comparable", tuple(problems), (), (), (), **common)  # type: ignore[arg-type]
    still = [key for key in systems if not comparable.any_moved(pairs, key, everything, noise)]
    here = scene(pairs, side.facts, policy)
    rows = tuple(
        row
        for system, arm in systems
        for row in rows_of(here, system, arm, unchanged=(system, arm) in still)
    )
    said = {row.verdict for row in rows}
    verdict: Answer = (
        "fail" if "fail" in said else "inconclusive" if "inconclusive" in said else "pass"
    )
    declared = {metric.name: metric for metric in side.facts.measured}
    changed = [key for key in systems if key not in still]
    return GateReport(
        verdict,
        (),
        rows,
        tuple(
            movers(
                pairs,
                changed,
                [declared[m] for m in metrics],
                axes=axes,
                noise=noise,
                count=policy.movers,
            )
        ),
        tuple(f"{system} {arm}".strip() for system, arm in still),
        **common,  # type: ignore[arg-type]
    )


def _gated(side: Side, policy: GatePolicy) -> list[tuple[str, str]]:
    wanted = set(policy.systems)
    return [
        (s.system, s.arm)
        for s in side.facts.systems
        if (s.system in wanted if wanted else s.kind != "reference")
    ]


def _references(side: Side) -> list[tuple[str, str]]:
    return [(s.system, s.arm) for s in side.facts.systems if s.kind == "reference"]


def _notes(side: Side, candidate: Side, systems: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from comparable.other_releases(side, candidate)
    if side.facts.device != candidate.facts.device:
        yield f"the baseline ran on {side.facts.device}, the candidate on {candidate.facts.device}"
    known = {(s.system, s.arm) for s in side.facts.systems}
    new = [s.name for s in candidate.facts.systems if s.key not in known]
    if new:
        yield f"not in the baseline, so not judged: {', '.join(new)}"
    if not side.facts.references:
        yield "no reference rows: only declarations say that data and instruments are the same"
    seeds = side.samples[comparable.is_one_of(side.samples, systems) & (side.samples["seed"] >= 0)][
        "seed"
    ]
    if len(seeds) and seeds.nunique() < 3:
        yield "fewer than three training seeds: a verdict is about these weights, not the method"
