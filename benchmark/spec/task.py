"""The task file: what is measured, on whom, by which protocol."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from benchmark.spec.yamlfile import Spec

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.:-]{0,62}$", strict=True)]
ColumnName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$", strict=True)]
Role = Literal["sensitive", "context", "control"]
LabelSource = Literal["self-reported", "annotated", "rendered", "applied"]
ProfileName = Literal["smoke", "quick", "full"]
Positive = Annotated[int, Field(gt=0, strict=True)]


class Axis(Spec):
    """A column that stratifies samples."""

    name: ColumnName
    role: Role
    source: LabelSource = Field(description="Who says so; a classifier's guess is not accepted.")
    levels: list[str] = Field(default=[], description="In display order; empty: as found.")
    excluded: list[str] = Field(default=[], description="Shown, but never part of a gap.")
    title: str = ""


class LowLightStratum(Spec):
    """One exposure of the low-light simulation."""

    exposure: Annotated[float, Field(gt=0, le=1)] = Field(description="Share of full exposure.")
    full_well: Annotated[float, Field(gt=0)] = Field(description="Electrons at white.")
    read_noise: Annotated[float, Field(ge=0)] = Field(description="Electrons, standard deviation.")


class Planted(Spec):
    """A known harm to one group, for testing that the statistics find it; never in a real task."""

    axis: ColumnName
    group: str
    exposure: Annotated[float, Field(gt=0)] = 1.0
    read_noise: Annotated[float, Field(ge=0)] = 1.0


class Degradation(Spec):
    """Low light as physics; every sample falls in one stratum, which becomes a context axis."""

    kind: Literal["low-light"]
    axis: ColumnName
    strata: dict[str, LowLightStratum] = Field(min_length=1)
    planted: list[Planted] = []


class Probe(Spec):
    """The embedded rendered dataset that is used when no ``--data`` is given."""

    name: Name
    effect: Literal["tone", "none"] = "tone"


class Metrics(Spec):
    """Which numbers are reported and what role each has."""

    primary: list[Name] = Field(min_length=1, description="Claims are made on these, with Holm.")
    secondary: list[Name] = []
    headline: dict[Literal["quality", "identity", "outcome"], Name]

    def all(self) -> tuple[str, ...]:
        """Every metric once, primary first."""
        return tuple(dict.fromkeys([*self.primary, *self.secondary]))


class HostStudy(Spec):
    """A host trained in several arms that differ in the schedule alone."""

    host: Name
    arms: list[Name] = Field(min_length=1)
    baseline: Name

    @model_validator(mode="after")
    def _baseline_is_an_arm(self) -> Self:
        if self.baseline not in self.arms:
            raise ValueError(f"the baseline {self.baseline!r} is not among the arms {self.arms}")
        return self


class Training(Spec):
    """How long and on how much the hosts are trained."""

    faces: Positive = Field(description="Rendered training views of faces.")
    generic: Positive = Field(description="Generic training images.")
    steps: Positive
    seeds: list[Annotated[int, Field(ge=0, strict=True)]] = Field(min_length=1)


class Profile(Spec):
    """How much work a run does."""

    identities: Positive = Field(description="Test identities rendered by the probe.")
    views: Positive = Field(description="Probe views per identity and tone level.")
    training: Training
    replicates: Positive = Field(description="Bootstrap and permutation replicates.")


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
    title: str
    question: str
    licence: str
    probe: Probe
    degradation: Degradation
    axes: list[Axis] = Field(min_length=1)
    headline_axis: ColumnName
    metrics: Metrics
    systems: list[Name]
    hosts: list[HostStudy] = []
    policy: Policy = Policy()
    profiles: dict[ProfileName, Profile]
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
        unmeasured = set(self.metrics.headline.values()) - set(self.metrics.all())
        if unmeasured:
            raise ValueError(f"headline metrics not measured: {', '.join(sorted(unmeasured))}")
        return self
