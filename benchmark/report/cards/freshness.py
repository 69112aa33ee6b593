"""Is a committed card still true of its task file?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark.spec.about import AboutSpec
from benchmark.spec.task import TaskSpec
from benchmark.spec.yamlfile import read_spec


def version_line(task: TaskSpec) -> str:
    """The line of a card that names the version that it is of."""
    return f"Task `{task.name}`, version {task.version}"


def stale(task: TaskSpec, card: Path) -> tuple[str, ...]:
    """What a card says otherwise than the task file and ``about.yaml`` beside it, in words.

    Args:
        task: as read now.
        card: ``card.md`` in the folder of the task.

    Returns:
        Nothing if the card is up to date; else one line for each thing that it lacks.
    """
    if not card.is_file():
        return (f"{card.name} is missing",)
    text = _flat(card.read_text(encoding="utf-8"))
    about = card.parent / "about.yaml"
    promised = list(_of_task(task))
    if about.is_file():
        promised += _of_about(read_spec(about, AboutSpec))
    return tuple(what for what, words in promised if _flat(words) not in text)


def _of_task(task: TaskSpec) -> Iterator[tuple[str, str]]:
    """What of the task file must be in its card, and the words for it."""
    yield f"version {task.version}", version_line(task)
    yield "title", task.title
    yield "question", task.question
    for name in task.metrics.all():
        yield f"metric {name}", f"| `{name}` |"
    for limit in task.limits:
        yield f"limit {limit!r}", limit
    for name, stratum in task.degradation.strata.items():
        cells = (stratum.exposure, stratum.full_well, stratum.read_noise)
        shown = " | ".join(f"{value:g}" for value in cells)
        yield f"stratum {name}", f"| {name} | {shown} |"
    for name, profile in task.profiles.items():
        yield f"profile {name}", f"| {name} | {profile.subjects} | {profile.views} |"


def _of_about(about: AboutSpec) -> Iterator[tuple[str, str]]:
    for name in ("who", "collection", "labels", "degradation", "judging", "impact", "personal"):
        yield f"{name} in about.yaml", getattr(about, name)
    for bias in about.biases:
        yield f"bias {bias!r}", bias


def _flat(text: str) -> str:
    return " ".join(text.split())
