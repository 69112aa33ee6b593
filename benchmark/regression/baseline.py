"""A baseline: what the gate holds a candidate against, small enough to live in git.

    leaderboards/baselines/<name>/
      policy.yaml      what a change may cost; written once, then yours to edit
      samples.parquet  one row per system, arm, seed and sample, with every metric
      facts.json       what the numbers depend on: data, task, instruments; digest of the table
      history.jsonl    one line for every time that the baseline was set: what and why

The history is append-only: each line names the digest of the line before, so a line that was
changed, dropped or slipped in is an error. Dates and authors are git's.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from pydantic import ValidationError

from benchmark.errors import DataError, EquiluxError
from benchmark.files import sha256_of_file, write_bytes, write_json, write_text
from benchmark.regression.facts import KEYS, Facts, Side, read_run
from benchmark.spec.gate import GatePolicy
from benchmark.spec.margins import default_policy
from benchmark.spec.yamlfile import read_spec

_MEND = "restore the folder from git, or set it again with `python -m benchmark gate update`"
_FIRST = "0" * 64
_LONGEST_REASON = 2000


@dataclass(frozen=True)
class Baseline:
    """A baseline in memory.

    Attributes:
        folder: where it lies.
        side: its numbers and facts.
        policy: what a change may cost.
        history: the lines of ``history.jsonl``.
    """

    folder: Path
    side: Side
    policy: GatePolicy
    history: tuple[Mapping[str, Any], ...]


def read_baseline(folder: Path) -> Baseline:
    """Read and check a baseline.

    Raises:
        DataError: if a file is missing, is not what ``facts.json`` says, or the history is broken.
        SpecError: if the policy is wrong.
    """
    facts_file = folder / "facts.json"
    try:
        record = json.loads(facts_file.read_bytes())
        digest = record.pop("samples_sha256")
        facts = Facts.model_validate_json(json.dumps(record))
    except OSError as error:
        raise DataError(
            f"there is no baseline here: {error.strerror}",
            where=str(facts_file),
            mend="`python -m benchmark gate update --baseline FOLDER --candidate RUN --reason ...`",
        ) from error
    except (ValueError, KeyError, ValidationError) as error:
        raise DataError(f"not the facts of a baseline: {error}", where=str(facts_file)) from error
    samples_file = folder / "samples.parquet"
    if not samples_file.is_file() or sha256_of_file(samples_file) != digest:
        raise DataError("is not the table that facts.json names", where=str(samples_file),
                        mend=_MEND)  # fmt: skip
    policy = read_spec(folder / "policy.yaml", GatePolicy)
    _check_policy(policy, facts, folder / "policy.yaml")
    return Baseline(
        folder,
        Side(str(folder), facts, pd.read_parquet(samples_file)),
        policy,
        tuple(json.loads(line) for line in _history(folder / "history.jsonl")),
    )


def set_baseline(folder: Path, run: Path, *, reason: str, accepted: str = "") -> Baseline:
    """Make a run the baseline, and record why.

    A policy that is there stays as it is; a new baseline gets default margins.

    Args:
        folder: of the baseline.
        run: a finished run.
        reason: why, in a sentence that a reviewer can judge.
        accepted: what the gate said of the run against the old baseline.

    Raises:
        DataError: if the run is unfinished, or the old history is broken.
        EquiluxError: without a reason.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise EquiluxError("a baseline is not moved without a reason", mend="--reason TEXT")
    if len(reason) > _LONGEST_REASON:
        raise EquiluxError(f"a reason of {len(reason)} characters", mend="be brief")
    side = read_run(run)
    policy_file, history_file = folder / "policy.yaml", folder / "history.jsonl"
    if policy_file.is_file():
        _check_policy(read_spec(policy_file, GatePolicy), side.facts, policy_file)
        policy_text = None
    else:
        policy_text = policy_yaml(default_policy_of(side))
    lines = _history(history_file) if history_file.is_file() else []
    table = _table(side)
    entry = {
        "number": len(lines) + 1,
        "reason": reason,
        "run_id": side.facts.run_id,
        "manifest_sha256": side.facts.manifest_sha256,
        "samples_sha256": hashlib.sha256(table).hexdigest(),
        "accepted": accepted,
        "previous": _digest(lines[-1]) if lines else _FIRST,
    }
    lines.append(json.dumps(entry, sort_keys=True, ensure_ascii=False))
    if policy_text is not None:
        write_text(policy_file, policy_text)
    # facts name the digest of the table and come after it: half an update never reads as whole
    write_bytes(folder / "samples.parquet", table)
    write_text(history_file, "\n".join(lines) + "\n")
    record = json.loads(side.facts.model_dump_json())
    write_json(folder / "facts.json", record | {"samples_sha256": entry["samples_sha256"]})
    return read_baseline(folder)


def default_policy_of(side: Side) -> GatePolicy:
    """The policy that a new baseline starts with: its primary and headline metrics."""
    facts = side.facts
    declared = {metric.name: metric for metric in facts.measured}
    scatter = side.samples.groupby(["system", "arm"])[list(facts.primary)].std().median()
    sensitive = [axis.name for axis in facts.axes if axis.role == "sensitive"]
    return default_policy(
        {
            name: (declared[name].unit, declared[name].kind, float(scatter[name]))
            for name in facts.primary
        },
        axes=sensitive or [facts.headline_axis],
    )


def policy_yaml(policy: GatePolicy) -> str:
    """The policy as a file with a word on how to change it."""
    head = (
        "# What a change may cost whom: docs/ci-gate.md. Margins are in the metric's own unit;\n"
        "# evidence of a loss beyond `harm` blocks, a loss shown below `non_inferior` passes.\n"
    )
    return head + yaml.safe_dump(policy.model_dump(mode="json"), sort_keys=False, width=100)


def _check_policy(policy: GatePolicy, facts: Facts, where: Path) -> None:
    """Every name in the policy is one that the baseline has."""
    known = {
        "metrics": {m.name for m in facts.measured},
        "axes": {axis.name for axis in facts.axes},
        "systems": {s.system for s in facts.systems},
    }
    for key, names in known.items():
        unknown = sorted(set(getattr(policy, key)) - names)
        if unknown:
            raise DataError(
                f"{key}: the baseline has no {', '.join(unknown)}",
                where=str(where),
                mend=f"it has {', '.join(sorted(names))}",
            )


def _table(side: Side) -> bytes:
    """The rows of a run as compact Parquet: keys, status, axes and metrics, sorted."""
    columns = [
        *KEYS, "cluster", "status",
        *(axis.name for axis in side.facts.axes),
        *(metric.name for metric in side.facts.measured),
    ]  # fmt: skip
    table = side.samples[columns].sort_values(list(KEYS), kind="stable", ignore_index=True)
    stream = io.BytesIO()
    table.to_parquet(stream, index=False, compression="zstd")
    return stream.getvalue()


def _history(path: Path) -> list[str]:
    """The lines of a history whose chain holds."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path), mend=_MEND) from error
    previous = _FIRST
    for number, (line, entry) in enumerate(zip(lines, entries, strict=True), start=1):
        if entry.get("previous") != previous or entry.get("number") != number:
            raise DataError(
                "does not follow the line before: the history was rewritten",
                where=f"{path}:{number}",
                mend="restore the file from git; the history of a baseline only grows",
            )
        previous = _digest(line)
    return lines


def _digest(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()
