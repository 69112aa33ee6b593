"""The card for people."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from benchmark.report.cards.facts import Facts
from benchmark.report.cards.freshness import version_line
from benchmark.report.records import Digest, show
from benchmark.report.sections.structure import CHECKS, values_text
from benchmark.report.summary import Cell
from benchmark.report.wording import SIZE_FLAGS, Scale, clean, humanise

SOURCES = {
    "self-reported": "the people themselves",
    "annotated": "annotators who looked at the pictures",
    "rendered": "the renderer, exactly",
    "applied": "the suite, which applied it",
    "measured": "a measurement of the picture",
    "predicted": "a classifier's guess: for description only",
}


def markdown(facts: Facts) -> str:
    """``card.md``: the same facts give the same text."""
    environment = Environment(
        loader=PackageLoader("benchmark.report"),
        autoescape=False,  # Markdown; cells are escaped where tables are made
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template("card.md").render(
        facts=facts,
        task=facts.task,
        about=facts.about,
        real=facts.real,
        view=facts.view,
        version_line=version_line(facts.task),
        groups=_groups(facts),
        labels=_labels(facts),
        profiles=_profiles(facts),
        strata=_strata(facts),
        metrics=_metrics(facts),
        judges=_judges(facts),
        clean=_clean(facts),
        ceilings=_ceilings(facts),
        records=[(use.card.name, _digest(use.record)) for use in facts.judges if use.record],
        detectable=_detectable(facts),
        sanity=_sanity(facts),
        evidence=_digest(facts.evidence) if facts.evidence else "",
        licences=_licences(facts),
        systems=_systems(facts),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def grid(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; pipes and line breaks in cells are escaped, missing values are dashes."""
    body = [[_cell(value) for value in row] for row in rows]
    if not body:
        return ""
    lines = [columns, ["---"] * len(columns), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    text = clean(value if isinstance(value, str) else show(value)).strip()
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;") or "–"


def _groups(facts: Facts) -> str:
    rows = [
        (
            humanise(c.axis),
            c.role,
            humanise(c.group) + (" (shown, never compared)" if c.excluded else ""),
            c.subjects,
            c.images,
        )
        for c in facts.counts
    ]
    unit = facts.about.unit if facts.about else "subjects"
    return grid(("axis", "role", "group", unit, "pictures"), rows)


def _labels(facts: Facts) -> str:
    rows = [
        (axis.title or humanise(name), axis.role, SOURCES[axis.source], _caution(axis))
        for name, axis in facts.axes.items()
    ]
    return grid(("axis", "role", "who says so", "caution"), rows)


def _caution(axis: Any) -> str:
    return str(getattr(axis, "caution", ""))


def _profiles(facts: Facts) -> str:
    if facts.real:
        return ""
    rows = [
        (
            name,
            p.subjects,
            p.views,
            p.phantoms or "–",
            p.training.samples,
            p.training.steps,
            ", ".join(map(str, p.training.seeds)),
            p.replicates,
        )
        for name, p in facts.task.profiles.items()
    ]
    unit = facts.about.unit if facts.about else "subjects"
    return grid(
        (
            *("profile", unit, "views of each", "phantoms"),
            *("training images per context", "steps", "seeds", "resamples"),
        ),
        rows,
    )


def _strata(facts: Facts) -> str:
    rows = [
        (
            name,
            *(f"{v:g}" for v in (s.exposure, s.full_well, s.read_noise, s.blur, s.haze, s.uneven)),
        )
        for name, s in facts.task.degradation.strata.items()
    ]
    return grid(
        (
            facts.task.degradation.axis,
            *("exposure", "full well (electrons)", "read noise (electrons)"),
            *("blur (share of side)", "haze", "uneven"),
        ),
        rows,
    )


def _metrics(facts: Facts) -> str:
    known = {m.name: m for m in facts.view.manifest.metrics} if facts.view else {}
    rows = []
    for name, spec in facts.metrics.items():
        state = "" if name not in known or known[name].available else " (not measured in this run)"
        role = "claims" if name in facts.primary else "describes"
        rows.append(
            (
                f"`{name}`",
                role + state,
                spec.version,
                "higher" if spec.direction == 1 else "lower",
                ", ".join(sorted(spec.needs)),
                spec.summary,
                spec.licence,
            )
        )
    return grid(("metric", "role", "version", "better", "needs", "what it is", "licence"), rows)


def _judges(facts: Facts) -> str:
    return grid(
        ("judge", "kind", "asked for", "trained on", "licence", "known weaknesses"),
        [
            (
                f"`{use.card.name}` v{use.card.version}",
                use.card.kind,
                ", ".join(f"`{name}`" for name in use.used_for),
                use.card.trained_on,
                use.card.licence,
                "; ".join(use.card.caveats),
            )
            for use in facts.judges
        ],
    )


def _clean(facts: Facts) -> list[tuple[str, str]]:
    """One table per axis: metrics as rows, groups as columns."""
    if facts.view is None:
        return []
    records = {m.name: m for m in facts.view.manifest.metrics}
    found = []
    for axis in dict.fromkeys(row.axis for row in facts.clean):
        mine = [row for row in facts.clean if row.axis == axis]
        levels = [humanise(level) for level, _ in mine[0].groups]
        rows = []
        for row in mine:
            scale = Scale.of(records[row.metric], fine=int(records[row.metric].kind == "rate"))
            cells = [_mean(cell, scale) for cell in (row.overall, *(c for _, c in row.groups))]
            rows.append((f"`{row.metric}`", scale.unit, *cells))
        found.append((humanise(axis), grid(("metric", "unit", "everyone", *levels), rows)))
    return found


def _ceilings(facts: Facts) -> str:
    rows = [
        (
            f"`{c.judge}`",
            c.what,
            humanise(c.axis) or "–",
            humanise(c.group) or "everyone",
            f"{100 * c.rate:.1f}" if math.isfinite(c.rate) else "–",
            c.n,
        )
        for c in facts.ceilings
    ]
    return grid(("judge", "what", "axis", "group", "% of clean pictures", "pictures"), rows)


def _mean(cell: Cell, scale: Scale) -> str:
    shown = f"{scale.number(cell.mean)} {scale.interval(cell.low, cell.high, blank='')}".strip()
    flag = SIZE_FLAGS.get(cell.size_class, ("", ""))[0]
    return f"({shown})" if flag == "( )" else f"{shown}{flag}"


def _detectable(facts: Facts) -> str:
    if not facts.detectable:
        return ""
    sizes = list(dict.fromkeys(s for row in facts.detectable for s in row.by_size))
    rows = []
    for row in facts.detectable:
        scale = _scale(facts, row.metric)
        cells = [scale.number(row.by_size.get(size, math.nan), blank="–") for size in sizes]
        seen = [scale.number(row.seen, blank="–")] if facts.view else []
        unit = scale.difference_unit
        rows.append((f"`{row.metric}`", unit, scale.number(row.sd), row.assumed, *cells, *seen))
    columns = ["metric", "unit", "spread", "spread of", *(f"`{size}`" for size in sizes)]
    return grid([*columns, *(["in this run"] if facts.view else [])], rows)


def _scale(facts: Facts, name: str) -> Scale:
    records = {m.name: m for m in facts.view.manifest.metrics} if facts.view else {}
    if name in records:
        return Scale.of(records[name], fine=1)
    rate = facts.metrics[name].kind == "rate"
    return Scale(100.0, 1, "%", "pts") if rate else Scale(1.0, 3, "", "")


def _sanity(facts: Facts) -> str:
    if facts.view is None:
        return ""
    rows = [
        (
            f"`{r.metric}`",
            CHECKS.get(r.check, humanise(r.check)),
            "holds" if r.holds else "**fails**",
            r.detail or values_text(r.values),
        )
        for r in facts.view.sanity
    ]
    return grid(("metric", "what must hold", "result", "measured"), rows)


def _digest(found: Digest | None) -> str:
    """Facts as a list, grids as tables."""
    if found is None:
        return ""
    parts = ["\n".join(f"- {name}: {show(value)}" for name, value in found.facts)]
    for table in found.grids:
        columns = [humanise(column) or table.title for column in table.columns]
        parts.append(f"{table.title}:\n\n{grid(columns, table.rows)}")
    return "\n\n".join(part for part in parts if part)


def _licences(facts: Facts) -> str:
    if facts.view is not None:
        rows = [(r.name, r.kind, r.licence, r.note) for r in facts.view.manifest.licences]
    else:
        data = facts.real or facts.task
        rows = [(data.title, "data", data.licence, "")]
        by_licence: dict[str, list[str]] = {}
        for name, spec in facts.metrics.items():
            by_licence.setdefault(spec.licence, []).append(name)
        rows += [(", ".join(n), "metric", licence, "") for licence, n in sorted(by_licence.items())]
    return grid(("thing", "kind", "licence", "note"), rows)


def _systems(facts: Facts) -> str:
    hosts = [f"{s.host} ({', '.join(s.arms)}; baseline {s.baseline})" for s in facts.task.hosts]
    return ", ".join([*facts.task.systems, *hosts])
