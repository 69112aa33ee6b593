"""What docs/hosts.md tells people to type and to write works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark.cli.app import app
from benchmark.enhancers.hosts import HOSTS, Host

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hosts.md"
COMMANDS = re.findall(r"python -m benchmark ([^\n`]+)", PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", dict.fromkeys(COMMANDS))
def test_every_command_of_the_page_works(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EQUILUX_CACHE", str(tmp_path))
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 0, result.output


def test_the_table_names_every_host_of_the_page_with_its_size() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in ("curve", "curve-full", "nafnet16", "nafnet32", "retinexnet", "drbn"):
        assert f"`{name}`" in text
        assert f"{HOSTS.get(name).parameters:,}" in text


def test_the_example_is_a_host() -> None:
    text = PAGE.read_text(encoding="utf-8")
    block = next(b for b in re.findall(r"(?:^    .*\n|^\n)+", text, re.M) if "MINE = Host(" in b)
    names: dict[str, object] = {"MyNetwork": object}
    exec("\n".join(line[4:] for line in block.splitlines()), names)
    assert isinstance(names["MINE"], Host)
