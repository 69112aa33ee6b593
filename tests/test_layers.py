"""Imports run downwards only, so that every part can be read, tested and reused without what uses
it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import benchmark

ROOT = Path(benchmark.__file__).parent

#: From the bottom up; a package imports from rows below its own, function by function as well.
ROWS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "imaging", "paths", "progress"}),
    frozenset({"files", "registry"}),
    frozenset({"assets", "spec", "weights"}),
    frozenset({"fairness", "papers"}),
    # one row: probes are looked at by judges, which learn from probes
    frozenset({"contexts", "data", "judges", "probes"}),
    frozenset({"enhancers", "metrics", "schedules"}),
    frozenset({"losses"}),
    frozenset({"report", "training"}),
    frozenset({"regression", "results"}),
    frozenset({"runner"}),
    frozenset({"evidence"}),
    frozenset({"api"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
TOGETHER = ROWS[4]
#: What never sees a demographic group, and what never sees a picture.
WITHOUT_GROUPS = {"metrics", "judges", "enhancers", "losses", "schedules", "training"}
OF_NUMBERS_ONLY = {"fairness": {"errors", "spec"}}


def imported(source: str) -> Iterator[str]:
    """Packages of ``benchmark`` that a module imports, types alone left out."""
    tree = ast.parse(source)
    types_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in types_only:
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "benchmark":
            names = [f"benchmark.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        yield from (name.split(".")[1] for name in names if name.startswith("benchmark."))


def row_of(package: str) -> int:
    return next(number for number, row in enumerate(ROWS) if package in row)


def may_import(package: str, other: str) -> bool:
    if other == package or {package, other} <= TOGETHER:
        return True
    if other == "fairness" and package in WITHOUT_GROUPS:
        return False
    return row_of(other) < row_of(package) and other in OF_NUMBERS_ONLY.get(package, {other})


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


MODULES = [path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"]
PACKAGES = sorted({package_of(path) for path in MODULES})


def test_every_package_has_its_row() -> None:
    assert set(PACKAGES) == frozenset().union(*ROWS)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_downwards(package: str) -> None:
    upwards = {
        f"{path.relative_to(ROOT)} imports {other}"
        for path in MODULES
        if package_of(path) == package
        for other in imported(path.read_text(encoding="utf-8"))
        if other in PACKAGES and not may_import(package, other)
    }
    assert not upwards


def test_the_rules_can_be_broken() -> None:
    below = "def f():\n    import benchmark.fairness\n"
    assert list(imported(f"from benchmark.runner.plan import Plan\n{below}")) == [
        "runner",
        "fairness",
    ]
    assert not may_import("metrics", "runner")
    assert not may_import("metrics", "fairness")
    assert not may_import("fairness", "imaging")
    assert may_import("runner", "fairness")
    assert not list(imported("if TYPE_CHECKING:\n    from benchmark.cli.run import run\n"))
