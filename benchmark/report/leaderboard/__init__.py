"""Leaderboards: committed aggregates of runs, and the static site that is made of them alone."""

from benchmark.report.leaderboard.extract import add_result
from benchmark.report.leaderboard.store import read_result, read_results

__all__ = ["add_result", "read_result", "read_results"]
