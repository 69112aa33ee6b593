"""What docs/hosts.md says of hosts is so, and what it tells people to write is one."""

from __future__ import annotations

import re
from pathlib import Path

from benchmark.enhancers.hosts import HOSTS, Host

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hosts.md"


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
