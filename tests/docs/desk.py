"""A folder in which a reader of one page works: a checkout, and the things that pages speak of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .pages import HOME

_CHECKOUT = ("benchmark", "benchmarks", "docs", "leaderboards", "tasks", "tests")
_FILES = ("README.md", "LICENSE", "pyproject.toml", "tox.ini")
_SECONDS = 600
#: Variables that would let the desk see what a new machine has not.
_SET_ASIDE = ("EQUILUX_", "HF_", "PYTEST_", "TRANSFORMERS_")


@dataclass(frozen=True)
class Ended:
    """How a command ended, what it said, and how long it had a CPU."""

    code: int
    said: str
    seconds: float = 0.0


def _children() -> float:
    """Seconds of a CPU that ended children of this process took."""
    times = os.times()
    return times.children_user + times.children_system


class Desk:
    """A copy of the checkout, a server in it, and shells beside.

    Args:
        folder: is made.
        things: a folder whose content is laid on the desk.
        environment: of everything that runs here, beside the usual.
    """

    def __init__(self, folder: Path, things: Path, environment: dict[str, str]) -> None:
        self.folder, self._things, self._laid = folder, things, 0.0
        folder.mkdir(parents=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_SET_ASIDE)}
        self.environment = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "EQUILUX_WEIGHTS": str(folder / "weights"),
            "PYTHONPATH": str(folder / "plugins"),
            "DOCS_PACKAGES": sysconfig.get_path("purelib"),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "160",
            **environment,
        }
        self._server: subprocess.Popen[str] | None = None

    def lay(self) -> None:
        """Make it as it was at first."""
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        for name in _CHECKOUT:
            leave = shutil.ignore_patterns("site") if name == "leaderboards" else None
            shutil.copytree(HOME / name, self.folder / name, ignore=leave)
        for name in _FILES:
            shutil.copy2(HOME / name, self.folder / name)
        shutil.copytree(self._things, self.folder, dirs_exist_ok=True, symlinks=True)
        self._laid = time.time()

    def suite(self, words: list[str], *, typed: str = "", into: str | None = None) -> Ended:
        """``python -m benchmark`` with these words; what it prints goes to the file ``into``."""
        return self._job({"words": words}, typed=typed, into=into)

    def python(self, text: str, *, where: str) -> Ended:
        """A program of Python, as a notebook in this folder has it."""
        return self._job({"python": text, "where": where}, typed="", into=None)

    def shell(self, line: str) -> Ended:
        """A line of shell."""
        before = _children()
        found = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return Ended(found.returncode, found.stdout, _children() - before)

    def newest_run(self) -> str:
        """The run that was made last, as a page means by ``runs/RUN``."""
        made = {
            path.stat().st_mtime: path.parent.name
            for path in (self.folder / "runs").glob("*/manifest.json")
        }
        newest = max(made)
        return f"runs/{made[newest]}" if newest > self._laid else "runs/before"

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.communicate()

    def _job(self, job: dict[str, Any], *, typed: str, into: str | None) -> Ended:
        given, said = self.folder / "typed.txt", self.folder / "said.txt"
        given.write_text(typed, "utf-8")
        said.write_bytes(b"")
        output = said if into is None else self.folder / into
        job |= {"input": str(given), "output": str(output), "errors": str(said)}
        server = self._running()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(job | {"seconds": _SECONDS}) + "\n")
        server.stdin.flush()
        code, seconds = server.stdout.readline().split()
        return Ended(int(code), said.read_text("utf-8", "replace"), float(seconds))

    def _running(self) -> subprocess.Popen[str]:
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("server.py"))],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert self._server.stdout is not None
            assert self._server.stdout.readline() == "ready\n"
        return self._server
