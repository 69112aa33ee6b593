"""The tables of a paper as data: what was printed, where, and by which protocol."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from benchmark.spec.submission import Dataset
from benchmark.spec.task import Name
from benchmark.spec.yamlfile import Spec

Number = Annotated[float, Field(strict=False)]
Flag = Literal["ground-truth-brightness", "ground-truth-illumination", "reported-only"]


class PrintedColumn(Spec):
    """A column, and which of our metrics follows the same protocol, if one does."""

    name: Name
    unit: str = ""
    protocol: str = Field(description="How the number was made, as far as that is known.")
    ours: str | None = Field(default=None, description="A metric by the same protocol.")


class PrintedRow(Spec):
    """What a paper says of one system."""

    system: str
    values: list[Number | None]
    ours: Name | None = Field(default=None, description="The system of this suite it stands for.")
    note: str = Field(default="", description="Why the two need not agree.")
    flag: Flag | None = Field(default=None, description="What sets the printed scores apart.")


class PrintedTable(Spec):
    """One table, or the part of it that is about one dataset."""

    table: str
    title: str
    dataset: Dataset | None
    columns: list[Name]
    rows: list[PrintedRow]
    caution: str = ""

    @model_validator(mode="after")
    def _full_rows(self) -> Self:
        for row in self.rows:
            if len(row.values) != len(self.columns):
                raise ValueError(
                    f"{row.system}: {len(row.values)} values, {len(self.columns)} columns"
                )
        return self


class PaperSpec(Spec):
    """``benchmark/papers/<name>.yaml``, format 1."""

    format: Literal[1]
    name: Name
    title: str
    source: str
    columns: list[PrintedColumn]
    tables: list[PrintedTable]
    cautions: list[str] = []

    @model_validator(mode="after")
    def _columns_are_declared(self) -> Self:
        known = {column.name for column in self.columns}
        for table in self.tables:
            unknown = sorted(set(table.columns) - known)
            if unknown:
                raise ValueError(f"table {table.table}: no such column {', '.join(unknown)}")
        return self

    def column(self, name: str) -> PrintedColumn:
        """The declaration of a column."""
        return next(column for column in self.columns if column.name == name)
