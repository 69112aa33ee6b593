"""What README and docs tell people to type: command lines, Python and links, where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer.main

from benchmark.cli.app import app

HOME = Path(__file__).resolve().parents[2]
PAGES = (HOME / "README.md", *sorted(HOME.glob("docs/*.md")))

_SHELLS = ("sh", "bash", "console")
_FENCE = re.compile(r"^```(?P<language>\S*)\n(?P<text>.*?)^```$", re.M | re.S)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n|\n(?= {4}))+")
_INLINE = re.compile(r"`(?P<text>[^`]+)`")
#: What a command line of somebody in a checkout starts with.
_PROGRAM = re.compile(
    r"(?:\w+=\S+ )*(?:python[\d.]*|benchmark|equilux|pip|tox|pytest|git|sha256sum|\.venv/\S+|\.) "
)
_GROUPS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Line:
    """What a page tells people to type, without comment.

    Attributes:
        page: the file.
        number: of the line there.
        text: a command as it is printed, or a whole block of Python.
        spoken: stands in running text, where the bare name of a command may mean just that.
    """

    page: Path
    number: int
    text: str
    spoken: bool = False

    def __str__(self) -> str:
        return f"{self.page.relative_to(HOME)}:{self.number}: {self.text}"


def command_lines(page: Path) -> list[Line]:
    """Every command line of a page, in its order, each once.

    In blocks for a shell every line is one. In other code a line is one if it starts with a
    program; in running text also the short form, `` `study sdag` ``, of a command of the suite.
    """
    text = page.read_text("utf-8")
    found: dict[str, Line] = {}
    printed = [(at, line, False) for at, line in _in_blocks(text)]
    printed += [(at, line, True) for at, line in _in_running_text(text)]
    for at, line, spoken in sorted(printed):
        command = re.split(r"\s+#\s", line)[0].strip()
        number = text.count("\n", 0, at) + 1
        found.setdefault(command, Line(page, number, command, spoken))
    return list(found.values())


def snippets(page: Path) -> list[Line]:
    """The blocks of Python of a page, in its order."""
    text = page.read_text("utf-8")
    return [
        Line(page, text.count("\n", 0, block.start()) + 2, block["text"])
        for block in _FENCE.finditer(text)
        if block["language"] == "python"
    ]


def prose(page: Path) -> str:
    """A page without its blocks of code, as long as before."""
    return _blank(_INDENTED, _blank(_FENCE, page.read_text("utf-8")))


def _in_blocks(text: str) -> Iterator[tuple[int, str]]:
    for block in _FENCE.finditer(text):
        if block["language"] in _SHELLS:
            for position, line in _logical(block["text"], block.start("text")):
                if block["language"] != "console":
                    yield position, line
                elif line.startswith("$ "):
                    yield position, line[2:]
    for block in _INDENTED.finditer(_blank(_FENCE, text)):
        for position, line in _logical(block[0], block.start()):
            if _PROGRAM.match(line):
                yield position, line


def _in_running_text(text: str) -> Iterator[tuple[int, str]]:
    for code in _INLINE.finditer(_blank(_INDENTED, _blank(_FENCE, text))):
        words = " ".join(code["text"].split())
        if not words or "..." in words:  # spoken of, not written out
            continue
        if _PROGRAM.match(words) or words == "tox":
            yield code.start(), words
        elif (group := _GROUPS.get(words.split()[0])) is not None:
            rest = words.split()[1:]
            known = getattr(group, "commands", {})
            if rest and (rest[0] in known or rest[0].startswith("--") or not known):
                yield code.start(), f"python -m benchmark {words}"


def _logical(text: str, start: int) -> Iterator[tuple[int, str]]:
    """Lines with their positions; a backslash joins one with the next."""
    for line in re.finditer(r"(?:.*\\\n)*.+", text):
        joined = " ".join(line[0].replace("\\\n", " ").split())
        if joined and not joined.startswith("#"):
            yield start + line.start(), joined


def _blank(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
