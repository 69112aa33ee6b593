"""One desk for all pages of a worker; with tox, the three smoke runs that were made before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import hub
from .desk import Desk
from .things import make_things

_TASKS = ("medical-structure", "low-light-recognition", "face-identity")


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk; ``EQUILUX_DOCS`` names a folder with ``runs`` and the ``cache`` they came from."""
    folder = tmp_path_factory.mktemp("docs")
    given = Path(os.environ.get("EQUILUX_DOCS", folder / "given"))
    things, published = folder / "things", folder / "published"
    things.mkdir()
    published.mkdir()
    make_things(things)
    (things / "authors").symlink_to(published)
    with hub.serving(published, things / "photographs", things / "model") as address:
        made = Desk(
            folder / "desk",
            things,
            {
                "EQUILUX_CACHE": str(given / "cache"),
                "HF_ENDPOINT": address,
                "DOCS_ADDRESS": address,
                "DOCS_PUBLISHED": str(published),
                "MPLCONFIGDIR": str(folder / "matplotlib"),
            },
        )
        made.lay()
        if not (given / "runs").is_dir():
            for task in _TASKS:
                ended = made.suite(
                    ["run", "--task", task, "--profile", "smoke", "--runs", str(given / "runs")]
                )
                assert ended.code == 0, ended.said
        _runs(given / "runs", things / "runs")
        yield made
        made.close()


def _runs(given: Path, folder: Path) -> None:
    """The smoke runs, that of faces under the names of pages, too."""
    for task in _TASKS:
        (run,) = given.glob(f"{task}-*")
        shutil.copytree(run, folder / run.name)
    for name in ("before", "after", "A", "B"):
        (folder / name).symlink_to(run.name)
