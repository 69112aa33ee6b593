"""Equilux: does an image enhancer treat everyone, and every context, equally well?"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.api import compare, gate, load_run, run, verify_bundle, write_bundle

try:
    __version__ = version("equilux")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+checkout"

#: See docs/python-api.md; imported on first use, so that the command line stays quick.
_API = ("compare", "gate", "load_run", "run", "verify_bundle", "write_bundle")

__all__ = [
    "__version__",
    "compare",
    "gate",
    "load_run",
    "run",
    "verify_bundle",
    "write_bundle",
]


def __getattr__(name: str) -> Any:
    if name in _API:
        from benchmark import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_API})
