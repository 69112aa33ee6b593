"""Leaderboards: committed aggregates of runs, and the static site that is made of them alone."""

from __future__ import annotations

from pathlib import Path

from benchmark.report.leaderboard.extract import add_result
from benchmark.report.leaderboard.store import read_result, read_results

__all__ = ["add_result", "export_system", "make_site", "read_result", "read_results"]


def make_site(results: Path, submissions: Path, out: Path) -> int:
    """Build the site from what is committed and replace ``out`` by it.

    Args:
        results: ``leaderboards/results``.
        submissions: ``leaderboards/submissions``; their texts appear on pages.
        out: ``leaderboards/site``.

    Returns:
        The number of pages.

    Raises:
        DataError: if a result is damaged, there is none, or a table lacks a baseline.
        SpecError: if a submission's file is wrong.
        StoreError: if ``out`` holds anything but a site, or cannot be written.
    """
    from benchmark.paths import task_folders
    from benchmark.report.leaderboard.site import build_site, write_site
    from benchmark.spec.submission import SubmissionSpec
    from benchmark.spec.yamlfile import read_spec

    texts = {}
    for path in sorted(submissions.glob("*/*.yaml")):
        spec = read_spec(path, SubmissionSpec)
        texts[f"{spec.owner}/{spec.name}"] = spec
    cards = {
        path.parent.name: path.read_text(encoding="utf-8")
        for folder in reversed(task_folders())
        for path in sorted(folder.glob("*/card.md"))
    }
    files = build_site(read_results(results), submissions=texts, cards=cards)
    write_site(files, out)
    return sum(name.endswith(".html") for name in files)


def export_system(results: Path, system: str, arm: str = "") -> dict[str, str]:
    """Files for the repository of a model on the Hugging Face Hub, by their path in it.

    Args:
        results: ``leaderboards/results``.
        system: name of a system in the tables.
        arm: of a host.

    Raises:
        UnknownNameError: with the nearest names, if there is no such system.
        DataError: if a result is damaged.
    """
    from benchmark.report.leaderboard.board import boards, most_telling
    from benchmark.report.leaderboard.exports import hub_files

    found = most_telling(boards(read_results(results)))
    return hub_files(tuple(found.values()), system, arm)
