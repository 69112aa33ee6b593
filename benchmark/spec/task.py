"""The task file: what is measured, on whom, by which protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from benchmark.spec.yamlfile import Spec

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.:+-]{0,62}$", strict=True)]
ColumnName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$", strict=True)]
Role = Literal["sensitive", "context", "control"]
LabelSource = Literal["self-reported", "annotated", "rendered", "applied", "measured", "predicted"]
ProfileName = Literal["smoke", "quick", "full"]
Positive = Annotated[int, Field(gt=0, strict=True)]


class Stratifier(Spec):
    """What every axis says of itself, whether a task's or somebody's data's."""

    role: Role
    source: LabelSource = Field(description="Who says so; a classifier's guess is but a control.")
    levels: list[str] = Field(default=[], description="In display order; empty: as found.")
    excluded: list[str] = Field(default=[], description="Shown, but never part of a gap.")
    title: str = ""

    @model_validator(mode="after")
    def _no_guessed_groups(self) -> Self:
        if self.source == "predicted" and self.role != "control":
            raise ValueError(
                f"source: predicted cannot be role: {self.role}. A classifier errs more often on "
                "some groups than on others, and that would be reported as a property of the "
                "enhancer; take labels that people gave, or role: control"
            )
        return self


class Axis(Stratifier):
    """A column that stratifies samples."""

    name: ColumnName


class Stratum(Spec):
    """One way of taking the picture; see ``benchmark.data.degradations.Acquisition``."""

    exposure: Annotated[float, Field(gt=0, le=1, description="Share of full exposure.")] = 1.0
    full_well: Annotated[float, Field(gt=0, description="Electrons at white.")] = 1000.0
    read_noise: Annotated[float, Field(ge=0, description="Electrons, standard deviation.")] = 4.0
    blur: Annotated[float, Field(ge=0, le=0.2, description="Share of the shorter side.")] = 0.0
    haze: Annotated[float, Field(ge=0, lt=1, description="Share of scattered light.")] = 0.0
    uneven: Annotated[float, Field(ge=0, lt=1, description="Light missing at one side.")] = 0.0


class Planted(Spec):
    """A known harm to one group, for testing that the statistics find it; never in a real task."""

    axis: ColumnName
    group: str
    exposure: Annotated[float, Field(gt=0)] = 1.0
    read_noise: Annotated[float, Field(ge=0)] = 1.0


class Degradation(Spec):
    """How pictures are spoilt; every sample falls in one stratum, which becomes a context axis."""

    axis: ColumnName
    strata: dict[str, Stratum] = Field(min_length=1)
    planted: list[Planted] = []


class DataBlock(Spec):
    """Data that a task is about, in place of a probe; see docs/data.md."""

    reference: str = Field(description="As for --data; a path is relative to the task's file.")
    mapping: str | None = Field(default=None, description="As for --mapping.")


class Probe(Spec):
    """The embedded rendered dataset that is used when no ``--data`` is given."""

    name: Name
    effect: Annotated[
        Literal["group", "none"],
        Field(description="none: group labels are shuffled, so that no group can differ."),
    ] = "group"
    seed: Annotated[
        int | None,
        Field(ge=0, strict=True, description="Of who is rendered; None: those of record."),
    ] = None


class Headline(Spec):
    """The metrics of the first table."""

    quality: Name = Field(description="How near the picture is to the clean one.")
    endpoint: Name = Field(description="What the task is about.")
    outcome: Name | None = Field(default=None, description="A yes or no that people live with.")

    def names(self) -> tuple[str, ...]:
        """Those that are given, the endpoint first."""
        found = (self.endpoint, self.outcome, self.quality)
        return tuple(dict.fromkeys(name for name in found if name is not None))


class Metrics(Spec):
    """Which numbers are reported and what role each has."""

    primary: list[Name] = Field(min_length=1, description="Claims are made on these, with Holm.")
    secondary: list[Name] = []
    headline: Headline

    def renamed(self, rename: Callable[[str], str]) -> Metrics:
        """The same with other names, for example of the same metrics by another judge."""
        line = self.headline
        return Metrics(
            primary=[rename(name) for name in self.primary],
            secondary=[rename(name) for name in self.secondary],
            headline=Headline(
                quality=rename(line.quality),
                endpoint=rename(line.endpoint),
                outcome=rename(line.outcome) if line.outcome else None,
            ),
        )

    def all(self) -> tuple[str, ...]:
        """Every metric once, primary first."""
        return tuple(dict.fromkeys([*self.primary, *self.secondary]))


class HostStudy(Spec):
    """A host trained in several arms that differ in the schedule alone; a bare name is enough."""

    host: Name
    arms: list[Name] = Field(default=["matched", "cals"], min_length=1)
    baseline: Name = "matched"
    recipe: dict[str, Any] = Field(
        default={}, description="Of every arm, beside steps: ``benchmark.training.recipe``."
    )
    recipes: dict[Name, dict[str, Any]] = Field(
        default={}, description="Of single arms, over ``recipe``; such arms are no exact pairs."
    )

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"host": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _baseline_is_an_arm(self) -> Self:
        if self.baseline not in self.arms:
            raise ValueError(f"the baseline {self.baseline!r} is not among the arms {self.arms}")
        return self


class Training(Spec):
    """How long and on how much the hosts are trained: a mixture of all contexts, the same for
    every task, so that a host is trained once."""

    samples: Positive = Field(description="Training images of every context.")
    steps: Positive
    seeds: list[Annotated[int, Field(ge=0, strict=True)]] = Field(min_length=1)


class Profile(Spec):
    """How much work a run does."""

    subjects: Positive = Field(description="Clusters of the probe: people, eyes, scenes.")
    views: Positive = Field(description="Views of a subject in each group.")
    phantoms: Annotated[
        int, Field(ge=0, strict=True, description="Structure-free images; see the null test.")
    ] = 0
    training: Training
    replicates: Positive = Field(description="Bootstrap and permutation replicates.")


class Representation(Spec):
    """Does an output still show the group that it came from? (metrics, section 5.2)"""

    axis: ColumnName
    judges: list[Name] = Field(min_length=1, description="Judges of the kind ``attribute``.")


class Distribution(Spec):
    """Are the outputs of every group as near to its clean images? (metrics, section 5.3)"""

    axis: ColumnName
    features: list[Name] = Field(min_length=2, description="Judges of the kind ``features``.")


class Policy(Spec):
    """Thresholds of the statistics (metrics specification, sections 5 and 6)."""

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    n_min: Positive = 8
    n_full: Positive = 30
    coverage_tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.01


class TaskSpec(Spec):
    """``tasks/<name>/task.yaml``, format 1."""

    format: Literal[1]
    name: Name
    version: Annotated[int, Field(ge=1, strict=True)] = Field(
        description="Raised whenever results stop being comparable."
    )
    title: str = Field(description="Of the report and of its pages.")
    question: str = Field(description="What the task asks, in one sentence.")
    licence: str = Field(description="Of the data, as an SPDX id.")
    probe: Probe
    data: DataBlock | None = None
    degradation: Degradation
    axes: list[Axis] = Field(min_length=1, description="Columns whose levels are the groups.")
    headline_axis: ColumnName = Field(description="The one of the first table.")
    metrics: Metrics
    systems: list[Name] = Field(description="Enhancers measured if nobody names others.")
    hosts: list[HostStudy] = Field(default=[], description="Networks that are trained here.")
    contexts: Annotated[
        str,
        Field(min_length=1, description="What tells schedules what a picture is of: --contexts."),
    ] = "cnn"
    representation: Representation | None = None
    distribution: Distribution | None = None
    protocol: Annotated[
        Literal["frozen", "retrained"] | None,
        Field(description="Whether recognisers saw enhanced images; None without a recogniser."),
    ] = None
    sanity: bool = Field(default=False, description="Check structure metrics on this dataset.")
    policy: Policy = Policy()
    profiles: dict[ProfileName, Profile] = Field(description="How much work a run does.")
    limits: list[str] = Field(min_length=1, description="What must not be concluded.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [axis.name for axis in self.axes]
        if len(set(names)) < len(names):
            raise ValueError("two axes have the same name")
        if self.headline_axis not in names:
            raise ValueError(f"headline_axis {self.headline_axis!r} is not one of the axes {names}")
        missing = {"smoke", "quick", "full"} - set(self.profiles)
        if missing:
            raise ValueError(f"profiles lacks {', '.join(sorted(missing))}")
        unmeasured = set(self.metrics.headline.names()) - set(self.metrics.all())
        if unmeasured:
            raise ValueError(f"headline metrics not measured: {', '.join(sorted(unmeasured))}")
        return self
