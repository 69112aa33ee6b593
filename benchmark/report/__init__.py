"""What people read of a run: the console summary, the figures and ``report.html``.

Both entry points take the folder of a finished run. Drawing libraries are imported when needed.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console


def print_summary(run_folder: Path, console: Console) -> None:
    """Print what a person needs of the run in ``runs/<run_id>`` in ten seconds.

    Raises:
        DataError: if the run is unfinished, damaged or was written by another version.
    """
    from benchmark.report import console as view
    from benchmark.report.model import load_run

    view.print_summary(load_run(run_folder), console)


def render_report(run_folder: Path) -> Path:
    """Write ``report.html`` and ``figures/`` into ``runs/<run_id>`` and return the page's path.

    The same tables give the same bytes.

    Raises:
        DataError: if the run is unfinished, damaged or was written by another version.
        StoreError: if the folder cannot be written to.
    """
    from benchmark.report.model import load_run
    from benchmark.report.page import write_report

    return write_report(load_run(run_folder))
