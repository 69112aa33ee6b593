"""Files of numbers beside the tables: CSV that no spreadsheet runs, JSON that names its source."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.report.leaderboard.tables import Panel
from benchmark.report.wording import clean


def downloads(panel: Panel, about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The numbers of a table as CSV and as JSON, which also says what they are of."""
    rows = [{key: _known(value) for key, value in row.items()} for row in panel.numbers]
    names = list(rows[0]) if rows else []
    yield f"data/{panel.stem}.csv", _csv(names, [[_cell(v) for v in row.values()] for row in rows])
    yield f"data/{panel.stem}.json", json_text({"about": dict(about), "rows": rows})


def table_csv(table: pd.DataFrame) -> str:
    """A table column by column: a site of hundreds of systems has millions of cells."""
    columns = []
    for name in table:
        values = table[name].to_numpy(dtype=object).tolist()
        if any(isinstance(value, str) for value in values[:1]):
            known = {value: _cell(_known(value)) for value in set(values)}
            columns.append([known[value] for value in values])
        else:
            columns.append([_cell(_known(value)) for value in values])
    return _csv(list(table), zip(*columns, strict=True))


def _csv(names: Sequence[Hashable], rows: Iterable[Sequence[Any]]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return stream.getvalue()


def _cell(known: Any) -> Any:
    """What is known, as CSV of which no cell is a formula to a spreadsheet."""
    if not isinstance(known, str):
        return "" if known is None else known
    return f"'{known}" if known[:1] in {"=", "+", "-", "@"} else known


def _known(value: Any) -> Any:
    """A number with seven digits, a text without control characters, or None for the unknown."""
    kind = type(value)
    if kind is str:
        return clean(value)
    if kind is float:
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return _known(value.item()) if isinstance(value, np.generic) else value


def json_text(content: Any) -> str:
    """One row a line: short, and readable as a difference."""
    about = {key: value for key, value in content.items() if key != "rows"}
    options: dict[str, Any] = {"sort_keys": True, "ensure_ascii": False, "allow_nan": False}
    text = json.dumps(about, indent=1, **options)
    if "rows" not in content:
        return f"{text}\n"
    rows = ",\n".join(f"  {json.dumps(row, **options)}" for row in content["rows"])
    return f'{text[:-2]},\n "rows": [\n{rows}\n ]\n}}\n'
