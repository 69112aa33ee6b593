"""Somebody's data, opened: which rows are evaluated and where their pictures are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from benchmark.data.references import Reference
from benchmark.data.rows import Rows, choose_rows
from benchmark.data.sources import Source, open_source
from benchmark.files import content_key, sha256_of_file
from benchmark.spec.mapping import MappingSpec


@dataclass(frozen=True)
class RealData:
    """Opened data: rows are chosen, no picture is decoded yet.

    Attributes:
        reference: where they are.
        mapping: how they are understood.
        source: the table and its pictures.
        rows: what is evaluated.
    """

    reference: Reference
    mapping: MappingSpec
    source: Source
    rows: Rows

    def notes(self) -> list[str]:
        """What a reader of any number must be told, and what was left out."""
        left_out = [f"{count} rows left out: {why}" for why, count in self.rows.left_out.items()]
        return [*self.mapping.cautions(), *left_out]

    def digest(self) -> str:
        """Content key of everything that :func:`benchmark.data.reading.read_views` would read."""
        rows = self.rows.frame.index
        pictures = self.source.identity or [
            _digest(self.picture(column, row)) for column in self.mapping.pictures() for row in rows
        ]
        cells = self.rows.table.loc[rows].to_csv(index=True)
        return content_key(self.mapping.model_dump(mode="json"), cells, pictures)

    def picture(self, column: str, row: int) -> Path | bytes:
        """Where the picture of a row of the source is, or its bytes.

        Raises:
            DataError: if the path leaves the folder.
        """
        return self.source.picture(column, row, str(self.rows.table.at[row, column]))


def open_data(reference: Reference, mapping: MappingSpec) -> RealData:
    """Open a reference and choose its rows.

    Raises:
        DataError: for whatever is wrong with the data as a whole.
    """
    source = open_source(reference, mapping)
    return RealData(reference, mapping, source, choose_rows(source, mapping, where=str(reference)))


def _digest(picture: Path | bytes) -> str:
    if isinstance(picture, bytes):
        return hashlib.sha256(picture).hexdigest()
    return sha256_of_file(picture) if picture.is_file() else "absent"
