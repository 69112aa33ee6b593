"""Every command that the README or a page of the docs names is one that the command line takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from benchmark.cli.app import app

HOME = Path(__file__).parents[2]
PAGES = sorted([HOME / "README.md", *HOME.glob("docs/*.md")])
_COMMAND = re.compile(r"python -m benchmark (?P<words>[^`\n]+)")


def _commands(page: Path) -> Iterator[str]:
    text = page.read_text("utf-8").replace("\\\n", " ")
    for found in _COMMAND.finditer(text):
        words = re.split(r"\s+#\s|\s*&&|\s*\||\s*[;>]", found["words"])[0]
        if "..." not in words:
            yield words.strip()


class _RefusedError(Exception):
    """What the command line says to a command that it does not take."""


def _parse(words: list[str]) -> None:
    """As the command line does before it calls anything."""
    command: Any = typer.main.get_command(app)
    try:
        while words:  # a command without any is spoken of, not written out
            context = command.make_context(command.name, list(words))
            if not hasattr(command, "commands"):
                return
            words = [*context._protected_args, *context.args]
            if words and words[0] not in command.commands:
                raise _RefusedError(f"no command {words[0]}")
            if words:
                command, words = command.commands[words[0]], words[1:]
    except typer.Exit:  # of --help and --version
        return
    except Exception as error:
        if hasattr(error, "format_message"):
            raise _RefusedError(error.format_message()) from error
        raise


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_commands_are_taken(page: Path) -> None:
    for text in _commands(page):
        try:
            _parse(shlex.split(text))
        except _RefusedError as error:
            pytest.fail(f"{page.name}: `python -m benchmark {text}`: {error}")


def test_a_wrong_one_would_be_seen() -> None:
    _parse(["run", "--task", "face-identity"])
    for text in ("run --tsak x", "run --task x --profile huge", "nothing", "gate update --reason"):
        with pytest.raises(_RefusedError):
            _parse(text.split())
