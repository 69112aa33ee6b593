"""Tables that are made of whole sets and not of one number a sample; each only where it applies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.runner.statistics import axes_of, policy_of

Systems = Sequence[Sequence[str | int]]
Values = Mapping[tuple[str, str, int], NDArray[np.float32]]


def set_level_tables(
    samples: pd.DataFrame,
    frame: pd.DataFrame,
    inputs: Mapping[str, Path],
    payload: Mapping[str, Any],
) -> dict[str, pd.DataFrame]:
    """Recognition, representation, distribution and null-test tables of a run.

    Args:
        samples: one row per system x arm x seed x sample, with scores.
        frame: one row per sample.
        inputs: ``"<i>@<judge>"`` is the folder with what a judge saw in the outputs of system i,
            ``"clean@<judge>"`` in the clean references, ``"<i>!"`` what system i invented.
        payload: of the analysis; ``reader``, ``representation``, ``distribution`` and
            ``phantoms`` are None or say what is to be computed.
    """
    tables: dict[str, pd.DataFrame] = {}
    outcomes = outcome_table(samples, payload)
    if outcomes is not None:
        tables["outcomes"] = outcomes
    if payload["representation"] is not None:
        tables |= _representation(frame, inputs, payload)
    if payload["distribution"] is not None:
        tables |= _distribution(frame, inputs, payload)
    if payload["phantoms"] is not None:
        tables["phantoms"] = phantom_table(inputs, payload["systems"])
    return tables


def outcome_table(samples: pd.DataFrame, payload: Mapping[str, Any]) -> pd.DataFrame | None:
    """Right and wrong answers before and after; None for a task without a reader."""
    if payload["reader"] is None:
        return None
    from benchmark.fairness.recognition import outcomes

    return outcomes(
        samples,
        axes=axes_of(payload),
        policy=policy_of(payload),
        protocol=payload["protocol"],
        judge=payload["reader"]["judge"],
        suffix=payload["reader"]["suffix"],
    )


def phantom_table(inputs: Mapping[str, Path], systems: Systems) -> pd.DataFrame:
    """Mean structures invented per image, with a 95 % Student interval over the images.

    Returns:
        Columns ``system, arm, seed, phantom, structure, n, invented, ci_low, ci_high``; images on
        which the system failed are not among the ``n``.
    """
    from benchmark.fairness.intervals import student

    rows: list[dict[str, Any]] = []
    for number, (system, arm, seed) in enumerate(systems):
        if f"{number}!" not in inputs:  # outputs that were made elsewhere, of other pictures
            continue
        counts = pd.read_parquet(inputs[f"{number}!"] / "invented.parquet")
        structures = [name for name in counts if name not in {"sample", "phantom"}]
        for phantom, members in counts.groupby("phantom", sort=True):
            for structure in structures:
                values = members[structure].dropna().to_numpy(dtype=np.float64)
                low, high = student(values)
                rows.append(
                    {"system": system, "arm": arm, "seed": seed, "phantom": phantom}
                    | {"structure": structure, "n": len(values)}
                    | {"invented": float(values.mean()) if len(values) else np.nan}
                    | {"ci_low": low, "ci_high": high}
                )
    return pd.DataFrame(rows)


def _representation(
    frame: pd.DataFrame, inputs: Mapping[str, Path], payload: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    from benchmark.fairness.representation import representation

    wanted = payload["representation"]
    parts = [
        representation(
            frame,
            _seen(inputs, payload["systems"], judge["name"]),
            _values(inputs[f"clean@{judge['name']}"]),
            axis=wanted["axis"],
            levels=wanted["levels"],
            judge_levels=judge["levels"],
            judge=judge["name"],
            policy=policy_of(payload),
            seed=payload["seed"],
        )
        for judge in wanted["judges"]
    ]
    groups, indices = zip(*parts, strict=True)
    return {
        "representation": pd.concat(groups, ignore_index=True),
        "divergences": pd.concat(indices, ignore_index=True),
    }


def _distribution(
    frame: pd.DataFrame, inputs: Mapping[str, Path], payload: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    from benchmark.fairness.distribution import distribution, parity

    wanted = payload["distribution"]
    parts = [
        distribution(
            frame,
            _seen(inputs, payload["systems"], judge["name"]),
            _values(inputs[f"clean@{judge['name']}"]),
            axis=wanted["axis"],
            levels=wanted["levels"],
            net=judge["name"],
            attribute_aware=judge["attribute_aware"],
            policy=policy_of(payload),
            seed=payload["seed"],
        )
        for judge in wanted["judges"]
    ]
    return {"distribution": pd.concat(parts, ignore_index=True), "parity": parity(parts)}


def _seen(inputs: Mapping[str, Path], systems: Systems, judge: str) -> Values:
    width = _values(inputs[f"clean@{judge}"]).shape[1]
    seen: dict[tuple[str, str, int], NDArray[np.float32]] = {}
    for number, (system, arm, seed) in enumerate(systems):
        found = _values(inputs[f"{number}@{judge}"])
        if not found.shape[1]:  # there was no output to look at
            found = np.full((len(found), width), np.nan, np.float32)
        seen[str(system), str(arm), int(seed)] = found
    return seen


def _values(folder: Path) -> NDArray[np.float32]:
    values: NDArray[np.float32] = np.load(folder / "values.npy", allow_pickle=False)
    return values
