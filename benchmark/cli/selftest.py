"""``python -m benchmark selftest``: is the statistics engine honest at this task's sizes?"""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark.cli.output import print_json, print_table
