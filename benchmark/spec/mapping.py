"""The mapping file: how the rows and columns of somebody's images are to be understood.

Data come as a table of text, one row per picture: a CSV file, names of files taken apart by a
pattern, or the columns of a dataset. The mapping recodes cells, makes columns from columns, keeps
some rows, and says what is left: picture, degraded twin, masks, label, person, groups.
"""

from __future__ import annotations

from itertools import pairwise
from string import Formatter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from benchmark.spec.task import ColumnName, Name, Positive, Stratifier
from benchmark.spec.yamlfile import Spec

SourceColumn = Annotated[str, Field(min_length=1, max_length=200, strict=True)]
MaskName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$", strict=True)]

#: Columns of the evaluation set, which no axis may be called by.
RESERVED = frozenset(
    {"sample", "cluster", "role", "status", "view", "label", "cohort", "system", "arm", "seed"}
)
#: Names of the thirds of a measured axis, from the least to the most.
THIRDS = ("dark", "medium", "bright")


class Table(Spec):
    """A table in a folder of images."""

    file: str = Field(description="Path relative to the folder.")
    separator: Literal[",", ";", "\t", "space"] = ","
    header: list[SourceColumn] = Field(
        default=[], description="Names of the columns, in place of the first line."
    )


class MappedAxis(Stratifier):
    """A column, or a measurement, that stratifies samples."""

    column: SourceColumn | None = None
    measure: Literal["brightness"] | None = Field(
        default=None, description="Thirds of the mean luma of what the enhancer is given."
    )
    name: ColumnName = Field(default="", description="In tables; default: the column.")
    edges: list[float] = Field(default=[], description="Cuts a column of numbers into ranges.")
    caution: str = Field(default="", description="What a reader must know of these labels.")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: object) -> object:
        if isinstance(data, dict) and "name" not in data:
            return data | {"name": data.get("column") or data.get("measure") or ""}
        return data

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.column is None) == (self.measure is None):
            raise ValueError("an axis has either a column or a measure")
        if self.name in RESERVED:
            raise ValueError(f"{self.name!r} is a column of the suite: give the axis another name")
        if (self.measure is not None) != (self.source == "measured"):
            raise ValueError("source: measured goes with a measure, and with nothing else")
        if self.measure is not None and self.role == "sensitive":
            raise ValueError(
                "how bright a picture is says nothing about who is in it: role context"
            )
        if self.edges and (sorted(set(self.edges)) != self.edges or self.measure or self.levels):
            raise ValueError("edges are rising, cut a column, and name the levels themselves")
        return self

    def shown_levels(self) -> list[str]:
        """Levels in the order of display; empty: sorted as found."""
        if self.measure is not None:
            return self.levels or list(THIRDS)
        return list(ranges(self.edges)) if self.edges else self.levels


def ranges(edges: list[float]) -> tuple[str, ...]:
    """Names of the levels that rising edges cut numbers into."""
    text = [f"{edge:g}" for edge in edges]
    between = [f"{low} to below {high}" for low, high in pairwise(text)]
    return (f"below {text[0]}", *between, f"{text[-1]} and more")


class GalleryRule(Spec):
    """Which rows are the clean reference views that probes are compared with."""

    column: SourceColumn
    value: str


class SplitRule(Spec):
    """Which rows are evaluated; the others are looked at for leakage alone."""

    column: SourceColumn
    test: list[str] = Field(min_length=1)


class AdultsRule(Spec):
    """Rows whose age is not shown to be at least ``min`` are left out and counted."""

    column: SourceColumn
    min: Positive = 18


class Faces(Spec):
    """How the five landmarks of a face are found, and whether pictures are cut around them."""

    landmarks: Annotated[
        Literal["detect"] | list[SourceColumn],
        Field(description="Or ten columns x, y of left eye, right eye, nose, mouth corners."),
    ] = "detect"
    zoom: Annotated[
        float | None,
        Field(gt=0.1, le=1, description="Turn and cut; 1 is tight, less shows more around."),
    ] = None

    @model_validator(mode="after")
    def _ten(self) -> Self:
        if self.landmarks != "detect" and len(self.landmarks) != 10:
            raise ValueError(f"five points are ten columns, not {len(self.landmarks)}")
        return self


class MappingSpec(Spec):
    """A YAML file beside, or apart from, the images; format 2.

    Order of events: the rows of ``table`` or ``pattern`` (a dataset brings its own), ``recode``,
    ``columns``, then ``split``, ``keep`` and ``adults_only``, then ``at_most``.
    """

    format: Literal[2]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    title: str
    licence: str
    source: str = Field(description="Where the images are from, for the record.")
    recipe: str = Field(default="", description="How to get them and how to lay them out.")
    notes: list[str] = []
    training_overlap: list[str] = Field(
        default=[], description="What judges and enhancers may have seen of these images."
    )

    table: Table | None = Field(default=None, description="Default: metadata.csv if there is one.")
    pattern: str | None = Field(
        default=None, description="Paths such as {label}/{picture}.png; every name is a column."
    )
    recode: dict[SourceColumn, dict[str, str]] = Field(
        default={}, description="Column, then what a cell says and what it means."
    )
    columns: dict[SourceColumn, str] = Field(
        default={}, description="New columns by template: {column}, {column.stem}, .parent, .suffix"
    )
    split: SplitRule | None = None
    keep: dict[SourceColumn, list[str]] = Field(
        default={}, description="Rows whose cell is one of these; the others are counted."
    )
    adults_only: AdultsRule | None = None
    at_most: Positive | None = Field(
        default=None, description="Clusters of each level of the headline axis, drawn by name."
    )

    id: SourceColumn | None = Field(
        default=None, description="Unique; default: the picture's path."
    )
    image: SourceColumn | None = Field(default=None, description="The clean picture, if there is.")
    input: SourceColumn | None = Field(
        default=None, description="A degraded picture; the task's degradation is then not applied."
    )
    masks: dict[MaskName, SourceColumn] = {}
    mask_threshold: Annotated[float, Field(ge=0, lt=1, description="Brighter is inside.")] = 0.5
    window: Annotated[
        list[SourceColumn] | None,
        Field(min_length=4, max_length=4, description="x0, y0, x1, y1 of what was annotated."),
    ] = None
    label: SourceColumn | None = None
    identity: SourceColumn | None = Field(
        default=None, description="Person, patient, scene; default: each picture its own."
    )
    gallery: Annotated[
        GalleryRule | Literal["first"] | None,
        Field(description="first: each identity's first picture; whoever has but one is left out."),
    ] = None
    faces: Faces | None = None
    fit: Annotated[
        Literal["crop", "letterbox", "none"],
        Field(description="Centre square; whole with a valid mask; as it is, all of one size."),
    ] = "crop"
    size: Positive = Field(default=256, description="Side in pixels; of no effect with fit: none.")
    axes: list[MappedAxis] = []
    headline_axis: ColumnName | None = Field(
        default=None, description="Default: the first axis, else the task's own degradation."
    )
    judges: dict[Literal["recogniser", "segmenter", "reader"], Name] = Field(
        default={}, description="Judges that know these images, in place of those of record."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [axis.name for axis in self.axes]
        if len(set(names)) < len(names):
            raise ValueError("two axes have the same name")
        if self.headline_axis is not None and self.headline_axis not in names:
            raise ValueError(f"headline_axis {self.headline_axis!r} is not one of {names}")
        if self.image is None and self.input is None:
            raise ValueError("name a column: image for clean pictures, input for degraded ones")
        if self.image is None and self.gallery is not None:
            raise ValueError("a gallery holds clean pictures: name the column image")
        if self.table is not None and self.pattern is not None:
            raise ValueError("rows come from a table or from a pattern, not from both")
        if self.headline_axis is None and not self.axes and self.input is not None:
            raise ValueError("pictures that are degraded already need an axis: measure: brightness")
        if self.gallery == "first" and self.identity is None:
            raise ValueError(
                "gallery: first is the first picture of each identity: name its column"
            )
        if "valid" in self.masks and self.window is not None:
            raise ValueError("say what is valid by a window or by a mask, not by both")
        for template in (*self.columns.values(), self.pattern or ""):
            _check_template(template)
        return self

    @property
    def picture(self) -> str:
        """The column that decides a picture's size and name."""
        return self.image or self.input or ""

    def pictures(self) -> tuple[str, ...]:
        """Every column that holds pictures or masks."""
        named = (self.image, self.input, *self.masks.values())
        return tuple(dict.fromkeys(name for name in named if name is not None))

    @property
    def headline(self) -> str | None:
        """The axis of the first table, None for the degradation that the task applies."""
        if self.headline_axis is None and self.axes:
            return self.axes[0].name
        return self.headline_axis

    def provides(self) -> frozenset[str]:
        """The needs of metrics (``metrics.base.Need``) that data of this form satisfy."""
        there = {
            "reference": self.image is not None,
            "input": True,
            "landmarks": self.faces is not None,
            "gallery": self.gallery is not None,
            "label": self.label is not None,
            "mask:valid": self.window is not None or self.fit == "letterbox",
        }
        masks = {f"mask:{name}" for name in self.masks}
        return frozenset({need for need, given in there.items() if given} | masks)

    def cautions(self) -> list[str]:
        """What a reader of any number must be told about these data and their labels."""
        guesses = [
            f"{axis.name} is a classifier's guess: of use as a control, never as a group"
            for axis in self.axes
            if axis.source == "predicted"
        ]
        labels = [f"{axis.name}: {axis.caution}" for axis in self.axes if axis.caution]
        blind = ["there are no clean pictures: nothing is compared with a reference or an oracle"]
        overlap = [f"may have been seen in training: {hint}" for hint in self.training_overlap]
        return [*self.notes, *labels, *guesses, *overlap, *(blind if self.image is None else [])]


def _check_template(template: str) -> None:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{template!r} is no template: {error}") from None
    for _, field, form, conversion in parts:
        if field is not None and (not field or form or conversion or "[" in field):
            raise ValueError(f"{template!r}: a place is {{column}}, no more")
