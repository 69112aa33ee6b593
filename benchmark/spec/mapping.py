"""The mapping file: how the columns of somebody's images are to be understood."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from benchmark.spec.task import ColumnName, LabelSource, Positive, Role
from benchmark.spec.yamlfile import Spec


class MappedAxis(Spec):
    """A column of ``metadata.csv`` that stratifies samples."""

    column: ColumnName
    role: Role
    source: LabelSource = Field(description="Who says so; a classifier's guess is not accepted.")
    levels: list[str] = Field(default=[], description="In display order; empty: sorted as found.")
    excluded: list[str] = []
    title: str = ""


class GalleryRule(Spec):
    """Which rows are the clean reference views that probes are compared with."""

    column: ColumnName
    value: str


class MappingSpec(Spec):
    """A YAML file beside, or apart from, a folder with ``metadata.csv``; format 1."""

    format: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    title: str
    licence: str
    source: str = Field(description="Where the images are from, for the record.")
    metadata: str = "metadata.csv"
    image: ColumnName = Field(description="Column with paths relative to the folder.")
    identity: ColumnName
    sample: ColumnName | None = Field(default=None, description="Unique id; default: the path.")
    gallery: GalleryRule
    axes: list[MappedAxis] = Field(min_length=1)
    headline_axis: ColumnName
    size: Positive = Field(default=256, description="Images are resized to this square.")
    notes: list[str] = []

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        columns = [axis.column for axis in self.axes]
        if self.headline_axis not in columns:
            raise ValueError(f"headline_axis {self.headline_axis!r} is not one of {columns}")
        return self
