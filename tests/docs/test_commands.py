"""Every command and every snippet of Python in README and docs is run, page by page, in order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from benchmark.cli.app import app

from . import bindings
from .bindings import SUITE
from .desk import Desk, Ended
from .pages import HOME, PAGES, Line, command_lines, snippets

#: With the fixture of the checkout, whether or not it is installed.
_PYTEST = """
import os, pytest

os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
plugin = ["-p", "benchmark.regression.pytest_plugin"]
raise SystemExit(pytest.main(["-q", "-W", "ignore", "-c", os.devnull, *plugin, "test_snippet.py"]))
"""
BINDINGS = Path(bindings.__file__).relative_to(HOME)


class _RefusedError(Exception):
    """What the command line says to a command that it does not take."""


def _parse(words: list[str]) -> None:
    """As the command line does before it calls anything."""
    command: Any = typer.main.get_command(app)
    try:
        while True:
            context = command.make_context(command.name, list(words))
            words = [*context._protected_args, *context.args]
            if not words or not hasattr(command, "commands"):
                return
            if words[0] not in command.commands:
                raise _RefusedError(f"no command {words[0]}")
            command, words = command.commands[words[0]], words[1:]
    except typer.Exit:  # of --help and --version
        return
    except Exception as error:
        if hasattr(error, "format_message"):
            raise _RefusedError(error.format_message()) from error
        raise


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_is_bound_and_taken(page: Path) -> None:
    for line in command_lines(page):
        bound = bindings.bind(line, run="runs/before")
        word = bindings.unbound(bound)
        assert word is None, f"{line}\n{BINDINGS} must say what {word} stands for"
        for command in bound.split(" && "):
            if command.startswith(SUITE) and not _named(line):
                try:
                    _parse(_words(command)[0])
                except _RefusedError as error:
                    pytest.fail(f"{line}\n{error}")


def test_a_wrong_one_would_be_seen() -> None:
    _parse(["run", "--task", "face-identity"])
    for text in ("run --tsak x", "run --task x --profile huge", "nothing", "gate update --reason"):
        with pytest.raises(_RefusedError):
            _parse(text.split())
    for text in ("run --data REF", "card --run runs/RUN", "weights fetch hub:owner/name"):
        assert bindings.unbound(SUITE + text)


@pytest.mark.docs
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_runs(page: Path, desk: Desk) -> None:
    desk.lay()
    for line in sorted([*command_lines(page), *snippets(page)], key=lambda line: line.number):
        command = bindings.bind(line, run=desk.newest_run())
        ended = _python(desk, line) if "\n" in line.text else _command(desk, line, command)
        print(f"{ended.seconds:5.1f} CPU s  {command}")  # noqa: T201 - for -rA
        assert ended.code == 0, f"{line}\nas: {command}\nended with {ended.code}\n{ended.said}"


def _command(desk: Desk, line: Line, command: str) -> Ended:
    ended = Ended(0, "")
    parts = command.split(" && ")
    if not all(part.startswith(SUITE) for part in parts):
        return desk.shell(command)
    for part in parts:
        words, into = _words(part)
        if _named(line):
            words = [*words, "--help"]
        if ended.code == 0:
            ended = desk.suite(words, typed=bindings.TYPED.get(" ".join(words), ""), into=into)
    return ended


def _python(desk: Desk, line: Line) -> Ended:
    if line.page.name in bindings.SNIPPETS_ELSEWHERE:
        return Ended(0, "")
    text = bindings.bind_python(line, run=desk.newest_run())
    if "def test_" in text:
        (desk.folder / "test_snippet.py").write_text(text, "utf-8")
        text = _PYTEST
    return desk.python(text, where=str(line.page))


def _named(line: Line) -> bool:
    """Whether a command is only named, without what it needs: then its help is asked for."""
    if not (line.spoken and line.text.startswith(SUITE)):
        return False
    words = _words(line.text)[0]
    if any(re.match(r"-|.*[^a-z-]", word) for word in words):
        return False
    try:
        _parse(words)
    except _RefusedError as error:
        return "Missing" in str(error)
    return False


def _words(command: str) -> tuple[list[str], str | None]:
    """What the suite is given, and the file that its output goes to."""
    words, _, into = command.removeprefix(SUITE).partition(" > ")
    return shlex.split(words), into.strip() or None


def test_the_command_for_tests_is_that_of_ci() -> None:
    """What the README tells people to type to pass the tests is what started this one there."""
    (line,) = [line for line in command_lines(PAGES[0]) if line.text.endswith("/tox")]
    script = (HOME / ".ci" / "run").read_text("utf-8")
    for command in re.sub("python3.11", '"$python"', line.text, count=1).split(" && "):
        assert command in script.replace("--quiet ", "")
