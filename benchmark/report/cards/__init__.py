"""The card of a task: who is in the data and what may be concluded, for people and for machines.

``card.md`` is for people. ``croissant.json`` is the same as JSON-LD (Croissant 1.0 with the
Responsible AI vocabulary). Both are generated: from the task file, from ``about.yaml`` beside it
(what no command can find out), from a finished run, and from ``evidence.json`` if there is one. The
same inputs give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.report.cards.freshness import stale
from benchmark.spec.catalogue import TaskFolder


@dataclass(frozen=True)
class CardFiles:
    """Where a card was written; ``samples`` is None where no rows may or can be listed."""

    card: Path
    croissant: Path
    samples: Path | None


def write_card(
    task: TaskFolder,
    *,
    out: Path,
    run: Path | None = None,
    data: str | None = None,
    mapping: str | None = None,
) -> CardFiles:
    """Write ``card.md``, ``croissant.json`` and, for a probe with a run, ``samples.csv``.

    Rows of somebody's data are counted and never listed: no name, path or identity of a real
    person leaves the data through a card.

    Args:
        task: whose card.
        out: folder to write to.
        run: a finished run of the task, for measured numbers; without, they are left out.
        data: a data reference in place of the probe.
        mapping: how to read ``data``, as for ``run``.

    Raises:
        DataError: if the run is of another task or version, or is damaged.
        SpecError: if ``about.yaml`` is missing or wrong.
    """
    from benchmark.files import write_bytes, write_json, write_text
    from benchmark.report.cards.croissant import croissant
    from benchmark.report.cards.facts import gather
    from benchmark.report.cards.markdown import markdown
    from benchmark.report.cards.rows import listing

    facts = gather(task, run=run, data=data, mapping=mapping)
    rows = listing(facts)
    files = CardFiles(
        out / "card.md", out / "croissant.json", out / "samples.csv" if rows else None
    )
    write_text(files.card, markdown(facts))
    if rows and files.samples:
        write_bytes(files.samples, rows)
    write_json(files.croissant, croissant(facts, rows))
    return files


__all__ = ["CardFiles", "stale", "write_card"]
