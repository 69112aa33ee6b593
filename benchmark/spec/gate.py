"""The gate's policy: what a change may cost whom, written down before the change is looked at."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from benchmark.spec.task import ColumnName, Name, Positive
from benchmark.spec.yamlfile import Spec


class Margin(Spec):
    """How much worse a group may get in one metric, in the metric's own unit."""

    harm: Annotated[
        float, Field(ge=0, description="Evidence of a loss beyond this blocks the change.")
    ]
    non_inferior: Annotated[
        float, Field(gt=0, description="A loss shown to be smaller than this passes.")
    ]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.non_inferior < self.harm:
            raise ValueError(
                f"non_inferior ({self.non_inferior:g}) must be at least harm ({self.harm:g}): a "
                "loss that blocks cannot pass"
            )
        return self


class GatePolicy(Spec):
    """``policy.yaml`` beside a baseline, format 1; the command line and Python read the same file.

    The defaults are those of the specification (section 7). Margins must match the number of
    clusters: at 50 clusters a group nobody can show that less than 0.1 dB was lost.
    """

    format: Literal[1]
    metrics: dict[Name, Margin] = Field(min_length=1, description="What is gated, in this order.")
    axes: list[ColumnName] = Field(min_length=1, description="Whose levels are the groups.")
    systems: list[Name] = Field(
        default=[], description="Whose changes are judged; empty: every system but the references."
    )
    floors: dict[Name, float] = Field(
        default={}, description="The worst group's confidence bound must not be beyond this."
    )
    alpha: Annotated[float, Field(gt=0, lt=0.5, description="One-sided level.")] = 0.05
    power: Annotated[float, Field(gt=0, lt=1, description="Of the n that would decide.")] = 0.9
    n_min: Annotated[int, Field(ge=2, strict=True, description="Clusters of a judged group.")] = 8
    coverage_tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.01
    float_noise: Annotated[
        float,
        Field(ge=0, lt=0.1, description="Share of a metric's scatter that is rounding, not news."),
    ] = 1e-3
    control_share: Annotated[
        float,
        Field(ge=0, lt=0.5, description="Share of a reference row that another CPU may flip."),
    ] = 0.05
    replicates: Annotated[int, Field(ge=99, strict=True, description="Of the bootstrap.")] = 2000
    movers: Positive = Field(default=5, description="Samples shown for each system and metric.")

    @model_validator(mode="after")
    def _floors_are_gated(self) -> Self:
        idle = sorted(set(self.floors) - set(self.metrics))
        if idle:
            raise ValueError(f"floors of metrics that are not gated: {', '.join(idle)}")
        return self
