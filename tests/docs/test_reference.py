"""The generated reference."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark.cli.app import app
from benchmark.spec.submission import SubmissionSpec
from benchmark.spec.task import TaskSpec

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"


def test_the_page_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(app, ["reference"])
    assert printed.exit_code == 0
    assert PAGE.read_text("utf-8") == printed.stdout, (
        "python -m benchmark reference > docs/reference.md"
    )


@pytest.mark.parametrize("spec", [TaskSpec, SubmissionSpec])
def test_every_key_is_there(spec: type[TaskSpec | SubmissionSpec]) -> None:
    text = PAGE.read_text("utf-8")
    for name, field in spec.model_fields.items():
        assert (f"**`{name}`**" if field.is_required() else f"| `{name}` |") in text
