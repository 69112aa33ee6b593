"""Where things live: tasks of this checkout, the user's cache, the run folders."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

CHECKOUT = Path(__file__).resolve().parent.parent


def cache_root() -> Path:
    """Folder of cached stage results: ``EQUILUX_CACHE`` or the user's cache folder."""
    given = os.environ.get("EQUILUX_CACHE")
    return Path(given) if given else platformdirs.user_cache_path("equilux")


def task_folders() -> tuple[Path, ...]:
    """Folders searched for tasks: ``EQUILUX_TASKS``, then those of the checkout."""
    given = os.environ.get("EQUILUX_TASKS")
    folders = [Path(part) for part in given.split(os.pathsep)] if given else []
    return (*folders, CHECKOUT / "tasks")
