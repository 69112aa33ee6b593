"""Whether the numbers of two runs may be compared; every reason why not, never a warning.

Declarations come first (task, data, instruments, metrics, samples). But a declaration can be
truthful and the pictures still differ, so the reference rows are looked at too: nobody's change
touches what the untouched ``input`` and the clean ``oracle`` score. If they moved, the data or the
instruments did. The same rows decide about releases of libraries: another release of pyiqa is not
another metric as long as every reference row scores what it did.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.fairness.resampling import Floats
from benchmark.regression.facts import KEYS, Side

#: Keys of an instrument's identity that name the release of a library.
_RELEASES = frozenset({"deepface", "dlib", "lpips", "pyiqa", "skimage", "torch", "torchvision"})
_SHOWN = 3


def different_samples(one: Side, two: Side, axes: Sequence[str]) -> list[str]:
    """Samples, people and groups that are not the same on both sides."""
    missing = [f"{side.name}: no column {axis}" for side in (one, two) for axis in axes
               if axis not in side.samples]  # fmt: skip
    if missing:
        return missing
    columns = ["sample", "cluster", *axes]
    before, after = (
        side.samples[columns].drop_duplicates("sample").set_index("sample").sort_index()
        for side in (one, two)
    )
    problems = list(_vanished_groups(before, after, axes))
    gone, new = before.index.difference(after.index), after.index.difference(before.index)
    if len(gone):
        problems.append(f"{_samples(len(gone))} missing: {_some(gone)}")
    if len(new):
        problems.append(f"{_samples(len(new))} new: {_some(new)}")
    common = before.index.intersection(after.index)
    for column in ("cluster", *axes):
        old, now = before.loc[common, column].astype(str), after.loc[common, column].astype(str)
        moved = common[(old != now).to_numpy()]
        if len(moved):
            first = moved[0]
            problems.append(
                f"another {column} for {len(moved)} of {len(common)} samples: {first} was "
                f"{old[first]}, is {now[first]}"
            )
    return problems


def _vanished_groups(
    before: pd.DataFrame, after: pd.DataFrame, axes: Sequence[str]
) -> Iterator[str]:
    for axis in axes:
        was, now = (Counter(frame[axis].astype(str)) for frame in (before, after))
        for group, count in sorted(was.items()):
            if not now[group]:
                yield f"the group {group} of {axis} ({count} samples) vanished"
            elif now[group] != count:
                yield f"the group {group} of {axis} had {count} samples and has {now[group]}"


def different_terms(one: Side, two: Side, metrics: Sequence[str]) -> list[str]:
    """Task, data, protocol, metrics and instruments that are not the same on both sides."""
    a, b = one.facts, two.facts
    problems = [
        f"{what} was {_text(getattr(a, key))}, is {_text(getattr(b, key))}"
        for key, what in (
            ("task", "the task"),
            ("task_version", "the version of the task"),
            ("profile", "the profile"),
            ("protocol", "the protocol"),
        )
        if getattr(a, key) != getattr(b, key)
    ]
    problems += [
        f"the data differ in {key}: {_text(was)} became {_text(now)}"
        for key, was, now in changed_keys(a.data, b.data)
    ]
    known = {metric.name for metric in b.measured}
    for metric in metrics:
        if metric not in known:
            problems.append(f"{metric} is not measured any more")
            continue
        problems += [
            f"{metric}: {key} was {_text(was)}, is {_text(now)}"
            for key, was, now in changed_keys(a.judges_of(metric), b.judges_of(metric))
            if not (a.references and _is_release(key))
        ]
    return problems


def other_releases(one: Side, two: Side) -> list[str]:
    """Libraries of another release; whether they changed anything, the reference rows tell."""
    before, after = (dict(side.facts.created_with) for side in (one, two))
    return [f"{library} was {was}, is {now}" for library, was, now in changed_keys(before, after)]


def _is_release(key: str) -> bool:
    return key.rpartition(".")[2] in _RELEASES


def changed_keys(one: Any, two: Any, within: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every leaf of nested plain data in which two things differ: its path and both values."""
    if isinstance(one, dict) and isinstance(two, dict):
        for key in sorted({*one, *two}):
            path = f"{within}.{key}" if within else str(key)
            yield from changed_keys(one.get(key), two.get(key), path)
    elif isinstance(one, list | tuple) and isinstance(two, list | tuple) and len(one) == len(two):
        for number, (a, b) in enumerate(zip(one, two, strict=True)):
            yield from changed_keys(a, b, f"{within}[{number}]")
    elif json.dumps(one, sort_keys=True) != json.dumps(two, sort_keys=True):
        yield within, one, two


def vanished_rows(one: Side, two: Side, systems: Sequence[tuple[str, str]]) -> list[str]:
    """Systems and training seeds of one side that the other lacks."""
    before, after = (
        {key: set(rows["seed"]) for key, rows in side.samples.groupby(["system", "arm"])}
        for side in (one, two)
    )
    problems = []
    for system, arm in systems:
        name = f"{system} {arm}".strip()
        lost = before.get((system, arm), set()) - after.get((system, arm), set())
        if (system, arm) not in after:
            problems.append(f"the system {name} vanished")
        elif lost:
            problems.append(f"{name} lacks the seed(s) {', '.join(map(str, sorted(lost)))}")
    return problems


def lower_coverage(
    pairs: pd.DataFrame, metrics: Sequence[str], axes: Sequence[str], tolerance: float
) -> list[str]:
    """Groups of which less is measured than before.

    Args:
        pairs: as from :func:`matched`.
        metrics, axes: which columns.
        tolerance: share of a group that may be lost.
    """
    problems = []
    for axis in axes:
        for (system, arm, group), rows in pairs.groupby(["system", "arm", axis], sort=True):
            for metric in metrics:
                was, now = (np.isfinite(rows[f"{metric}{end}"]) for end in ("_before", "_after"))
                if was.mean() - now.mean() > tolerance + 1e-9:
                    lost = rows.loc[was & ~now, "sample"]
                    problems.append(
                        f"{system} {arm}".strip() + f": {metric} was measured on {was.mean():.0%} "
                        f"of {group} and is on {now.mean():.0%}; lost: {_some(lost)}"
                    )
    return problems


def matched(one: Side, two: Side, metrics: Sequence[str], axes: Sequence[str]) -> pd.DataFrame:
    """Rows that both sides have, with ``METRIC_before`` and ``METRIC_after``; NaN where a row
    failed."""
    sides = []
    for side in (one, two):
        frame = side.samples[[*KEYS, "cluster", "status", *axes, *metrics]].copy()
        values = frame[list(metrics)].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
        values[(frame["status"] != "ok").to_numpy()] = np.nan
        frame[list(metrics)] = np.where(np.isfinite(values), values, np.nan)
        sides.append(frame)
    right = sides[1].drop(columns=["cluster", *axes])
    pairs = sides[0].merge(right, on=list(KEYS), suffixes=("_before", "_after"), sort=False)
    return pairs.sort_values(list(KEYS), kind="stable", ignore_index=True)


def stacked(
    pairs: pd.DataFrame, metrics: Sequence[str], axes: Sequence[str], *, arms: tuple[str, str]
) -> pd.DataFrame:
    """Matched rows as two arms of every system, for the engine that compares arms."""
    frames = []
    for arm, end in zip(arms, ("_before", "_after"), strict=True):
        frame = pairs[["seed", "sample", "cluster", *axes]].copy()
        frame["system"] = (pairs["system"] + " " + pairs["arm"]).str.strip()
        frame["arm"], frame["status"] = arm, "ok"
        frames.append(
            frame.join(pairs[[f"{m}{end}" for m in metrics]].set_axis(list(metrics), axis=1))
        )
    return pd.concat(frames, ignore_index=True)


def noise_floor(side: Side, metrics: Sequence[str], share: float) -> dict[str, float]:
    """For every metric, the difference that passes for rounding: a share of the scatter between
    samples of one system, averaged over systems."""
    rows = side.samples[list(metrics)].replace([np.inf, -np.inf], np.nan)
    scatter = rows.groupby([side.samples["system"], side.samples["arm"]]).std().mean()
    return {metric: share * float(np.nan_to_num(scatter[metric])) for metric in metrics}


def moved(pairs: pd.DataFrame, metric: str, noise: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Rows whose value moved by more than ``noise``, appeared or disappeared."""
    before, after = (_finite(pairs[f"{metric}{end}"]) for end in ("_before", "_after"))
    with np.errstate(invalid="ignore"):
        far = np.abs(after - before) > noise
    changed: np.ndarray[Any, np.dtype[np.bool_]] = far | (np.isfinite(before) != np.isfinite(after))
    return changed


def is_one_of(pairs: pd.DataFrame, systems: Sequence[tuple[str, str]]) -> pd.Series:
    """Whether each row is of one of the given systems and arms."""
    keys = pd.MultiIndex.from_frame(pairs[["system", "arm"]])
    return pd.Series(keys.isin(systems), index=pairs.index)


def any_moved(
    pairs: pd.DataFrame, key: tuple[str, str], metrics: Sequence[str], noise: dict[str, float]
) -> bool:
    """Whether any value or status of a system moved by more than rounding."""
    rows = pairs[is_one_of(pairs, [key])]
    other_status = (rows["status_before"] != rows["status_after"]).any()
    return bool(other_status) or any(moved(rows, metric, noise[metric]).any() for metric in metrics)


def moved_references(
    pairs: pd.DataFrame,
    references: Sequence[str],
    metrics: Sequence[str],
    noise: dict[str, float],
    share: float,
) -> list[str]:
    """Reference rows that moved: the data or an instrument changed, whatever was declared."""
    rows = pairs[pairs["system"].isin(references)]
    problems = []
    for metric in metrics:
        found = moved(rows, metric, noise[metric])
        if len(rows) and found.mean() > share:
            first = rows.iloc[int(found.argmax())]
            problems.append(
                f"{metric} of {found.sum()} of {len(rows)} reference rows moved, which no change "
                f"of an enhancer can do: {first['system']} on {first['sample']} from "
                f"{first[f'{metric}_before']:.6g} to {first[f'{metric}_after']:.6g}"
            )
    return problems


def _finite(column: pd.Series) -> Floats:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _some(names: Sequence[str] | pd.Index | pd.Series) -> str:
    shown = ", ".join(str(name) for name in list(names)[:_SHOWN])
    return shown + (", ..." if len(names) > _SHOWN else "")


def _samples(count: int) -> str:
    return "1 sample is" if count == 1 else f"{count} samples are"


def _text(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
