"""From a command as it is printed to one that a machine of tests can run.

The tables are read from top to bottom; ``page`` is a file name or empty for every page. What a page
prints is changed by nothing else, so these are all the differences that there are.
"""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from benchmark.enhancers.published import PUBLISHED

from .hub import COMMIT
from .pages import Line

SUITE = "python -m benchmark "


class Change(NamedTuple):
    """``instead`` takes the place of ``printed``, a pattern, on this page."""

    page: str
    printed: str
    instead: str


class Less(NamedTuple):
    """Options for a command that would work for long, unless it is printed with them."""

    printed: str
    option: str
    value: str = ""


#: What placeholders stand for. ``{run}`` is the run that this page made last.
PLACEHOLDERS = (
    Change("cards.md", r"\bREF\b", "london"),
    Change("", r"\bREF\b", "photographs"),
    Change("", r"(--mapping) FILE", r"\1 mine.yaml"),
    Change("", r"(bundle verify) FILE", r"\1 {run}.zip"),
    Change("", r"(submit validate) FILE", r"\1 leaderboards/submissions/you/another.yaml"),
    Change("", r"(digest spandrel:)FILE", r"\1model.safetensors"),
    Change(
        "", r"(hrnet-w48-pascal) FILE", r"\1 authors/hrnet_w48_pascal_context_cls59_480x480.pth"
    ),
    Change("", r"Epoch99\.pth", "authors/zero-dce.pth"),
    Change("README.md", r"(load_run\(.)runs/RUN", r"\1runs/before"),  # the only one of faces there
    Change("README.md", r"(--candidate) runs/RUN", r"\1 runs/before"),
    Change("", r"runs/(RUN|<run_id>)|(?<=--run )RUN", "{run}"),
    Change("", r"\b(DIR|FOLDER)\b", "folder"),
    Change("", r"\bPROBE\b", "faces"),
    Change("", r"\bTASK\b", "face-identity"),
    Change("", r"(show metrics) NAME", r"\1 psnr"),
    Change("", r"(show tasks|card --task) NAME", r"\1 face-identity"),
    Change(
        "leaderboards.md",
        r".*weights fetch NAME",
        " && ".join(f"{SUITE}weights fetch {name}" for each in PUBLISHED for name in each.weights),
    ),
    Change("", r"(benchmarks/leaderboard\.py)[\d ]*", r"\1 2 5"),
    Change("", r"(show enhancers|weights fetch) NAME", r"\1 zero-dce"),
    Change("", r"(data list) NAME", r"\1 london"),
    Change("", r"(clip|vlm):MODEL\b", r"\1:\1"),
    Change("", r"@COMMIT", f"@{COMMIT}"),
)

#: What a machine of tests has not, or does otherwise.
ELSEWHERE = (
    # dependencies are those of the tests
    Change("", r"^python3\.11 ", "python "),
    Change(
        "",
        r"\.venv/bin/pip install -e \.",
        "echo $DOCS_PACKAGES > $(echo .venv/lib/python*/site-packages)/tests.pth && "
        "PYTHONPATH=$DOCS_PACKAGES .venv/bin/pip install -q --no-deps --no-build-isolation -e .",
    ),
    Change("", r"^\. \.venv/bin/activate$", rf"\g<0> && {SUITE}--version"),
    # the rest is how CI starts these tests: test_the_command_for_tests_is_that_of_ci
    Change("README.md", r"(?<=\.venv && ).*/tox$", ".venv/bin/pip --version"),
    Change("", r"^tox (-e \w+)$", r"tox config -q -x tox.requires= \1 -k commands"),
    Change("", r"^sha256sum .*", r"python -m zipfile -e before.zip got && cd got && \g<0>"),
    Change("", r"pip install '.*'", "python -c 'import accelerate'"),
    Change("", r"(--device) cuda", r"\1 cpu"),
    # weights that a page takes for granted
    Change("README.md", r".*--system zero-dce$", rf"{SUITE}weights fetch zero-dce && \g<0>"),
)

#: The same in blocks of Python.
PYTHON = (
    # one of the three checkpoints that its text speaks of
    Change("published-enhancers.md", r', Path\("adjust.npz"\), Path\("restore.npz"\)', ""),
)

#: Work for minutes or hours becomes work for seconds: the same way, less of it. What is printed
#: with a size gets a smaller one ...
SIZES = (
    Change("", r"(--profile) (quick|full)", r"\1 smoke"),
    Change("", r"(--seeds) \d+", r"\1 1"),
    Change("", r"(--tune) \d+", r"\1 2"),
)
#: ... and what is printed without gets one.
LESS = (
    Less("run ", "--profile", "smoke"),
    Less("submit inputs", "--profile", "smoke"),
    Less("study ", "--profile", "smoke"),
    Less("study (?!router)", "--seeds", "1"),
    Less("study (cals|sdag)", "--task", "low-light-recognition"),
    Less("probe evidence", "--subjects", "12"),
    Less("probe evidence", "--views", "2"),
    Less("selftest", "--tables", "400"),
    Less(r"benchmarks/gate\.py", "--pairs", "100"),
    Less(r"benchmarks/training\.py", "--hosts", "curve --side 32 --batch 4 --steps 1"),
    # large networks on one core, and fourteen published ones: planned, not computed
    Less("run .*(mirnet|--system drbn|--host nafnet)", "--dry-run"),
    Less("study skf --host drbn", "--dry-run"),
)

#: Capitals that are names, not placeholders.
_NAMES = ("LOL", "MIT")

#: What a person answers.
TYPED = {
    "submit new": "onnx:model.onnx\nyou\nanother\nAnother\nMIT\nnone\nyou@example.org\nNothing.\n",
}

#: Pages whose Python another test runs, with what it speaks of.
SNIPPETS_ELSEWHERE = {
    "add-a-metric.md": "tests/metrics/test_planning.py",
    "python-api.md": "tests/regression/test_documents.py",
}


def bind(line: Line, *, run: str) -> str:
    """The command that is run for one that is printed."""
    text = _changed(line.text, line, (*PLACEHOLDERS, *ELSEWHERE, *SIZES), run)
    for less in LESS:
        printed = less.printed if "benchmarks/" in less.printed else SUITE + less.printed
        if re.search(printed, text) and less.option not in text.split():
            text = f"{text} {less.option} {less.value}".rstrip()
    return text


def bind_python(line: Line, *, run: str) -> str:
    """The same for a block of Python."""
    return _changed(line.text, line, (*PLACEHOLDERS, *PYTHON), run)


def unbound(command: str) -> str | None:
    """A word that still looks like a placeholder: capitals, angle brackets, or nobody's name."""
    for word in shlex.split(command):
        for part in re.split(r"[/@:=]", word):
            if re.fullmatch(r"<\w+>|[A-Z]{3,}", part) and part not in _NAMES and "$" not in word:
                return word
    return "@COMMIT" if re.search(r"owner/name(?!@[0-9a-f]{40})", command) else None


def _changed(text: str, line: Line, changes: tuple[Change, ...], run: str) -> str:
    for change in changes:
        if change.page in {"", line.page.name}:
            text = re.sub(change.printed, change.instead, text)
    return text.replace("{run}", run)
