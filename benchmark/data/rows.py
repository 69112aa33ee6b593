"""Which rows of a source are evaluated, and what the mapping says of them; no picture is opened."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from string import Formatter

import numpy as np
import pandas as pd

from benchmark.data.sources import Source
from benchmark.data.views import GALLERY, PROBE
from benchmark.errors import DataError
from benchmark.spec.mapping import AdultsRule, MappedAxis, MappingSpec, ranges

UNKNOWN = "unknown"

_AGE = re.compile(
    r"(?:more than|over|>)?\s*(\d{1,3})(?:\.\d+)?\s*(?:\+|(?:-|–|to)\s*\d{1,3})?", re.I
)


@dataclass(frozen=True)
class Rows:
    """Rows of a source after the mapping's rules.

    Attributes:
        frame: ``sample``, ``cluster``, ``role``, optionally ``label``, and one column of text per
            axis that a column decides; indexed by the row in the source.
        table: cells of every row of the source, recoded, with the columns that were made.
        others: the same as ``frame`` for rows of other splits, for leakage alone.
        left_out: how many rows each rule took, in order.
    """

    frame: pd.DataFrame
    table: pd.DataFrame
    others: pd.DataFrame
    left_out: dict[str, int]


def choose_rows(source: Source, mapping: MappingSpec, *, where: str) -> Rows:
    """Apply a mapping to a source.

    Raises:
        DataError: if a column is missing, a sample appears twice, a level is not declared, nothing
            is left, or an identity has no gallery view or nothing else.
    """
    if source.table.empty:
        raise DataError("the table has no rows", where=where)
    cells = table = _made(_recoded(source.table, mapping, where), mapping, where)
    _require(table, _wanted(mapping), where)
    left_out: dict[str, int] = {}
    unnamed = set(source.unnamed).difference(*(table[name] for name in mapping.pictures()))
    if unnamed:
        left_out["pictures in the folder that are not named like the pattern"] = len(unnamed)
    others = table.iloc[:0]
    if mapping.split is not None:
        test = table[mapping.split.column].isin(mapping.split.test)
        table, others = table[test], table[~test]
        left_out["in other splits"] = len(others)
    for column, values in mapping.keep.items():
        kept = table[column].isin(values)
        left_out[f"{column} is not {' or '.join(values)}"] = int((~kept).sum())
        table = table[kept]
    if mapping.adults_only is not None:
        adult = are_adults(table[mapping.adults_only.column], mapping.adults_only)
        left_out[f"not shown to be {mapping.adults_only.min} or older"] = int((~adult).sum())
        table = table[adult]
        others = others[are_adults(others[mapping.adults_only.column], mapping.adults_only)]
    if table.empty:
        detail = "; ".join(f"{reason}: {count}" for reason, count in left_out.items())
        raise DataError("no row is left", where=where, mend=f"left out: {detail}")
    frame = _frame(table, mapping, where)
    if mapping.gallery == "first":
        frame, alone = _first_is_gallery(frame)
        left_out["the only picture of an identity"] = alone
    if mapping.at_most is not None:
        kept = _drawn(frame, mapping.headline, mapping.at_most)
        left_out[f"beyond {mapping.at_most} clusters of a level"] = int((~kept).sum())
        frame = frame[kept]
    _check_gallery(frame, mapping, where)
    return Rows(frame, cells, _frame(others, mapping, where, strict=False), left_out)


def are_adults(ages: pd.Series, rule: AdultsRule) -> pd.Series:
    """True where the lowest age that a cell allows is at least ``rule.min``.

    Understands ``38``, ``30-39``, ``70+``, ``more than 70``; anything else, and a blank, is not
    shown to be an adult.
    """
    found = [_AGE.fullmatch(cell.strip()) for cell in ages]
    return pd.Series([m is not None and int(m[1]) >= rule.min for m in found], ages.index, bool)


def _recoded(table: pd.DataFrame, mapping: MappingSpec, where: str) -> pd.DataFrame:
    _require(table, set(mapping.recode), where)
    table = table.apply(lambda column: column.str.strip())
    for column, meanings in mapping.recode.items():
        table[column] = table[column].map(lambda cell, m=meanings: m.get(cell, cell))
    return table


def _made(table: pd.DataFrame, mapping: MappingSpec, where: str) -> pd.DataFrame:
    """New columns by template, in order, so that one may use another."""
    for name, template in mapping.columns.items():
        places = [(text, place) for text, place, _, _ in Formatter().parse(template)]
        parts = [(text, _place(table, place, where)) for text, place in places]
        made = pd.Series("", table.index, dtype=object)
        for text, column in parts:
            made = made + text + (column if column is not None else "")
        table[name] = made
    return table


def _place(table: pd.DataFrame, place: str | None, where: str) -> pd.Series | None:
    if place is None:
        return None
    if place in table:
        return table[place]
    column, _, part = place.rpartition(".")
    _require(table, {column if part in {"stem", "parent", "suffix"} else place}, where)
    return table[column].map(lambda cell: str(getattr(PurePosixPath(cell), part)))


def _wanted(mapping: MappingSpec) -> set[str]:
    wanted = {mapping.id, mapping.image, mapping.input, mapping.label, mapping.identity}
    wanted |= {*mapping.masks.values(), *(mapping.window or ()), *mapping.keep}
    wanted |= {axis.column for axis in mapping.axes}
    rules = (mapping.gallery, mapping.split, mapping.adults_only)
    wanted |= {rule.column for rule in rules if rule is not None and rule != "first"}
    if mapping.faces is not None and mapping.faces.landmarks != "detect":
        wanted |= set(mapping.faces.landmarks)
    return {column for column in wanted if column is not None}


def _require(table: pd.DataFrame, columns: set[str], where: str) -> None:
    missing = sorted(columns - set(table.columns))
    if missing:
        raise DataError(
            f"no column {', '.join(missing)}",
            where=where,
            mend=f"there is: {', '.join(map(str, table.columns))}; correct the mapping",
        )


def _frame(
    table: pd.DataFrame, mapping: MappingSpec, where: str, *, strict: bool = True
) -> pd.DataFrame:
    sample = table[mapping.id or mapping.picture]
    repeated = sample[sample.duplicated()].unique()
    if strict and len(repeated):
        raise DataError(
            f"{len(repeated)} samples appear twice, for example {repeated[0]!r}",
            where=where,
            mend="every row needs an id of its own: name a column with id: in the mapping",
        )
    if strict and (sample == "").any():
        raise DataError(
            f"{int((sample == '').sum())} rows name no picture", where=where, mend="fill the column"
        )
    cluster = sample if mapping.identity is None else table[mapping.identity]
    if mapping.identity is not None:  # nobody knows who: at most the same as itself
        cluster = cluster.where(cluster != "", UNKNOWN + " " + sample)
    frame = pd.DataFrame({"sample": sample, "cluster": cluster}, index=table.index)
    rule = mapping.gallery
    frame["role"] = PROBE
    if rule is not None and rule != "first":
        frame["role"] = np.where(table[rule.column] == rule.value, GALLERY, PROBE)
    if mapping.label is not None:
        frame["label"] = table[mapping.label]
    for axis in mapping.axes:
        if axis.column is not None:
            frame[axis.name] = _levels(table[axis.column], axis, where, strict=strict)
    return frame


def _levels(cells: pd.Series, axis: MappedAxis, where: str, *, strict: bool) -> pd.Series:
    if axis.edges:
        numbers = pd.to_numeric(cells, errors="coerce")
        codes = np.searchsorted(axis.edges, numbers.to_numpy(), side="right")
        names = np.array(ranges(axis.edges), dtype=object)[codes]
        return pd.Series(names, cells.index).where(numbers.notna(), UNKNOWN)
    levels = cells.replace("", UNKNOWN)
    strange = sorted(set(levels) - {*axis.levels, *axis.excluded, UNKNOWN})
    if strict and axis.levels and strange:
        raise DataError(
            f"{axis.name} has levels that the mapping does not declare: {', '.join(strange[:5])}",
            where=where,
            mend=f"declared: {', '.join(axis.levels)}; add them, or recode the column",
        )
    return levels


def _drawn(frame: pd.DataFrame, axis: str | None, most: int) -> pd.Series:
    """The same clusters on every machine: the first by the digest of their names."""
    level = frame[axis] if axis in frame else pd.Series("", frame.index)
    table = pd.DataFrame({"level": level, "cluster": frame["cluster"]}).drop_duplicates()
    order = [hashlib.sha256(name.encode()).hexdigest() for name in table["cluster"]]
    first = table.assign(order=order).sort_values("order").groupby("level").head(most)
    return frame["cluster"].isin(set(first["cluster"]))


def _first_is_gallery(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The first picture of each identity by name is its gallery view; and how many had no other."""
    people = frame.groupby("cluster")["sample"]
    several = people.transform("size") > 1
    role = np.where(frame["sample"] == people.transform("min"), GALLERY, PROBE)
    return frame.assign(role=role)[several], int((~several).sum())


def _check_gallery(frame: pd.DataFrame, mapping: MappingSpec, where: str) -> None:
    rule = mapping.gallery
    if rule is None or rule == "first":
        return
    shown = set(frame.loc[frame["role"] == GALLERY, "cluster"])
    probes = set(frame.loc[frame["role"] == PROBE, "cluster"])
    alone = sorted(probes - shown)
    if not probes or alone:
        detail = f"{len(alone)} identities, for example {alone[0]!r}," if alone else "all rows"
        raise DataError(
            f"{detail} have no gallery view or no other view",
            where=where,
            mend=f"each identity needs one row with {rule.column} = {rule.value} "
            "and at least one other",
        )
