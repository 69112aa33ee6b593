"""What a set of images can carry, before a run: groups, sizes, leaks, and what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from benchmark.data.fingerprints import (
    Fingerprints,
    alike_pictures,
    fingerprints,
    same_pictures,
)
from benchmark.data.opened import RealData
from benchmark.data.pictures import quiet_pillow
from benchmark.data.reading import try_rows, workers
from benchmark.data.rows import UNKNOWN
from benchmark.data.views import GALLERY, PROBE
from benchmark.fairness.groups import size_class
from benchmark.fairness.model import Policy
from benchmark.fairness.power import detectable

Advance = Callable[[int], None]
_EXAMPLES = 3


@dataclass(frozen=True)
class GroupSize:
    """One level of an axis, counted in readable probes.

    Attributes:
        images: to be enhanced.
        clusters: independent units.
        size_class: ``full``, ``small``, ``insufficient`` or ``empty`` by the policy; ``unknown``
            for rows without a label, which take part in no gap.
        detectable: smallest difference from all other groups that would be found with chance 0.9,
            in standard deviations of a cluster's mean; NaN where nothing can be compared.
        detectable_rate: the same for a rate near one half, as a share.
    """

    axis: str
    group: str
    images: int
    clusters: int
    size_class: str
    detectable: float
    detectable_rate: float


@dataclass(frozen=True)
class AxisFacts:
    """An axis and who labelled it."""

    name: str
    title: str
    role: str
    source: str
    caution: str


@dataclass(frozen=True)
class Overlap:
    """Something found twice.

    Attributes:
        between: ``within the data``, ``other splits`` or the second reference.
        kind: ``identity``, ``same pixels`` or ``same picture`` (perceptual).
        pairs: how many; for ``identity``, how many identities.
        across_clusters: pairs of pixels or pictures under two identities, or labels.
        examples: a few.
    """

    between: str
    kind: str
    pairs: int
    across_clusters: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """Everything that ``data inspect`` shows."""

    reference: str
    mapping: str
    title: str
    licence: str
    source: str
    provides: tuple[str, ...]
    rows: int
    images: int
    gallery: int
    clusters: int
    axes: tuple[AxisFacts, ...]
    groups: tuple[GroupSize, ...]
    failures: tuple[tuple[str, str], ...]
    left_out: dict[str, int]
    overlaps: tuple[Overlap, ...]
    cautions: tuple[str, ...]


@dataclass(frozen=True)
class _Known:
    """Rows with their fingerprints."""

    frame: pd.DataFrame
    prints: Fingerprints
    identities: bool


def inspect_data(
    data: RealData,
    *,
    policy: Policy,
    against: RealData | None = None,
    advance: Advance = lambda _: None,
) -> Inspection:
    """Read everything as a run would, and look for what is there twice.

    Args:
        data: to be evaluated.
        policy: thresholds of group sizes.
        against: other data, for example what something was trained on.
        advance: is called with the number of pictures just looked at, twice per evaluated one.

    Raises:
        DataError: for whatever would stop a run.
    """
    trial = try_rows(data, advance=advance)
    frame, mapping = trial.frame, data.mapping
    readable = frame.drop(index=list(trial.failures))
    probes = readable[readable["role"] == PROBE]
    return Inspection(
        reference=str(data.reference),
        mapping=mapping.name,
        title=mapping.title,
        licence=mapping.licence,
        source=mapping.source,
        provides=tuple(sorted(mapping.provides())),
        rows=len(data.source.table),
        images=len(probes),
        gallery=int((readable["role"] == GALLERY).sum()),
        clusters=probes["cluster"].nunique(),
        axes=tuple(
            AxisFacts(a.name, a.title or a.name, a.role, a.source, a.caution) for a in mapping.axes
        ),
        groups=tuple(
            size
            for axis in mapping.axes
            for size in group_sizes(probes, axis.name, axis.shown_levels(), policy)
        ),
        failures=tuple((frame["sample"].iloc[n], why) for n, why in trial.failures.items()),
        left_out=data.rows.left_out,
        overlaps=tuple(_overlaps(data, against, advance)),
        cautions=tuple(mapping.cautions()),
    )


def group_sizes(
    probes: pd.DataFrame, axis: str, levels: list[str], policy: Policy
) -> list[GroupSize]:
    """Sizes of the levels of an axis and the difference that each could show.

    A group is compared with all others that are large enough to be compared. The standard error of
    the difference of two means of clusters with standard deviation 1 is sqrt(1/n + 1/m).
    """
    found = probes.groupby(axis)["cluster"].agg(["size", "nunique"])
    names = levels or sorted(set(found.index) - {UNKNOWN})
    names += [UNKNOWN] if UNKNOWN in found.index and UNKNOWN not in names else []
    found = found.reindex(names, fill_value=0)
    n = found["nunique"].to_numpy(np.float64)
    compared = (n >= policy.n_min) & (found.index != UNKNOWN)
    others = (n * compared).sum() - n * compared
    comparable = compared & (others > 0)
    with np.errstate(divide="ignore"):
        se = np.where(comparable, np.sqrt(1 / n + 1 / others), np.nan)
    effect = detectable(se, n + others - 2, alpha=policy.alpha, power=policy.power)
    classes = np.where(found.index == UNKNOWN, UNKNOWN, size_class(n, policy))
    return [
        GroupSize(
            axis,
            str(name),
            int(row["size"]),
            int(row["nunique"]),
            str(label),
            float(d),
            float(np.minimum(d / 2, 1)),
        )
        for (name, row), label, d in zip(found.iterrows(), classes, effect, strict=True)
    ]


def _overlaps(data: RealData, against: RealData | None, advance: Advance) -> list[Overlap]:
    with quiet_pillow(), ThreadPoolExecutor(workers()) as pool:
        here = _known(data, data.rows.frame, pool, advance)
        found = _pictures("within the data", here, None)
        others = [("other splits", data, data.rows.others)]
        if against is not None:
            others.append((str(against.reference), against, against.rows.frame))
        for name, where, frame in others:
            if len(frame):
                there = _known(where, frame, pool, advance)
                found += _identities(name, here, there) + _pictures(name, here, there)
    return found


def _known(
    data: RealData, frame: pd.DataFrame, pool: ThreadPoolExecutor, advance: Advance
) -> _Known:
    pictures = [partial(data.picture, data.mapping.picture, row) for row in frame.index]
    prints = fingerprints(pictures, pool, advance=advance)
    return _Known(frame.reset_index(drop=True), prints, data.mapping.identity is not None)


def _identities(between: str, here: _Known, there: _Known) -> list[Overlap]:
    if not (here.identities and there.identities):
        return []
    shared = sorted(set(here.frame["cluster"]) & set(there.frame["cluster"]))
    shared = [name for name in shared if not name.startswith(UNKNOWN + " ")]
    return [Overlap(between, "identity", len(shared), 0, tuple(shared[:_EXAMPLES]))]


def _pictures(between: str, here: _Known, there: _Known | None) -> list[Overlap]:
    prints = there.prints if there is not None else None
    pairs = {
        "same pixels": same_pictures(here.prints, prints),
        "same picture": alike_pictures(here.prints, prints),
    }
    left, right = here.frame, (there or here).frame
    return [
        Overlap(
            between,
            kind,
            len(found),
            sum(_contradict(left.iloc[i], right.iloc[j], here.identities) for i, j in found),
            tuple(
                f"{left['sample'].iloc[i]} = {right['sample'].iloc[j]}"
                for i, j in found[:_EXAMPLES]
            ),
        )
        for kind, found in pairs.items()
    ]


def _contradict(one: pd.Series, two: pd.Series, identities: bool) -> bool:
    """Is one picture said to show two people, or two things?"""
    columns = [name for name in ("cluster", "label") if name in one and name in two]
    return any(one[name] != two[name] for name in columns if name != "cluster" or identities)


def reasons(failures: tuple[tuple[str, str], ...]) -> dict[str, int]:
    """How many pictures failed for each reason, most frequent first."""
    return dict(Counter(reason for _, reason in failures).most_common())
