"""The part of ``manifest.json`` that a report relies on, as strict frozen types.

The runner writes the manifest last and may record more than is named here; what *is* named must be
there and of the right type, so a renamed key is an error with its path and never an empty column.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

FORMAT = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class TaskRecord(_Record):
    """What was measured: ``name`` as on the command line, ``title`` and ``question`` for people."""

    name: str
    title: str
    question: str


class PhaseRecord(_Record):
    """One stage of the run; ``cached`` is how many of its ``units`` were served from the cache."""

    name: str
    seconds: float
    units: int
    cached: int | bool


class SystemRecord(_Record):
    """One row of every table: a system in one arm (``arm`` is empty for untrained systems).

    ``seen`` is what it has seen of the data at hand, empty where they were rendered here; ``note``
    says by whose word.
    """

    system: str
    arm: str
    label: str
    kind: Literal["reference", "classical", "published", "trained", "submission"]
    parameters: int
    licence: str
    latency_ms: float | None
    note: str
    seen: Literal["", "trained", "unpaired", "overlaps", "none", "unknown"] = ""

    @property
    def key(self) -> tuple[str, str]:
        """``(system, arm)``, as in the tables."""
        return self.system, self.arm

    @property
    def name(self) -> str:
        """System and arm as one short name."""
        return f"{self.system} {self.arm}".strip()


class MetricRecord(_Record):
    """A metric's declaration, and whether it could be computed here.

    ``range`` ends are None where unbounded. ``in_loss`` says that some arm optimised this very
    quantity, so that it is no independent evidence. ``mend`` is the command that makes an
    unavailable metric available.
    """

    name: str
    version: str
    direction: Literal[1, -1]
    unit: str
    range: tuple[float | None, float | None]
    summary: str
    kind: Literal["value", "rate"]
    ratio_scale: bool
    licence: str
    source: str
    role: Literal["primary", "secondary", "diagnostic"]
    available: bool
    reason: str
    mend: str
    in_loss: bool


class AxisRecord(_Record):
    """An axis and its levels in the order in which they are to be shown."""

    name: str
    role: Literal["sensitive", "context", "control"]
    levels: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    title: str = ""


class HeadlineRecord(_Record):
    """The axis and the metrics of the first table; a task without a yes/no outcome has None."""

    axis: str
    endpoint: str
    quality: str
    outcome: str | None = None


class ComparisonRecord(_Record):
    """``arm`` against ``baseline``, both of the host ``system``."""

    system: str
    arm: str
    baseline: str


class LicenceRecord(_Record):
    """The terms of one thing that the numbers depend on."""

    name: str
    kind: str
    licence: str
    note: str


class PredictorRecord(_Record):
    """The context predictor and its card; ``sha256`` of its weights is empty without any."""

    name: str
    sha256: str
    card: Mapping[str, Any]
    measured_on: str = "held-out data of its own"


class InstrumentRecord(_Record):
    """What computed some metrics: a judge with the digest of its weights, versions, settings."""

    name: str
    metrics: tuple[str, ...]
    identity: Mapping[str, str]


class Manifest(_Record):
    """What a run says about itself.

    ``statistics`` (optional) holds the settings of the statistics, for example ``n_min``; they are
    listed in the method notes as they are. ``predictor`` (optional) is the network that told the
    schedule which context a picture is of. ``specification`` (optional) is the task file as it was,
    ``data`` (optional) where the pictures came from and how they were read, ``analysis`` (optional)
    what the statistics were told, so that anybody can compute them again. ``instruments`` is
    empty in runs that were made before it was recorded.
    """

    format: Literal[1]
    run_id: str
    task: TaskRecord
    profile: str
    device: str
    n_samples: int
    seeds: tuple[int, ...]
    created_with: Mapping[str, str]
    phases: tuple[PhaseRecord, ...]
    systems: tuple[SystemRecord, ...]
    metrics: tuple[MetricRecord, ...]
    axes: tuple[AxisRecord, ...]
    headline: HeadlineRecord
    comparisons: tuple[ComparisonRecord, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    licences: tuple[LicenceRecord, ...]
    files: Mapping[str, str | Mapping[str, str | int]]
    statistics: Mapping[str, str | int | float | bool] = {}
    predictor: PredictorRecord | None = None
    specification: Mapping[str, Any] = {}
    data: Mapping[str, Any] = {}
    instruments: tuple[InstrumentRecord, ...] = ()
    analysis: Mapping[str, Any] = {}

    def metric(self, name: str) -> MetricRecord:
        """The metric called ``name``.

        Raises:
            KeyError: if the manifest does not declare it.
        """
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(name)

    @property
    def headline_metrics(self) -> tuple[MetricRecord, ...]:
        """Quality, endpoint and outcome, in that order, without repetition, where available."""
        line = self.headline
        names = dict.fromkeys(n for n in (line.quality, line.endpoint, line.outcome) if n)
        return tuple(m for m in map(self.metric, names) if m.available)

    @property
    def reconstructed(self) -> bool:
        """True if an arm here is the reconstruction of CALS, which every table has to say."""
        return any(system.arm == "cals" for system in self.systems)


class GalleryItem(_Record):
    """One worst case: image paths relative to the run folder; ``input`` is the degraded image."""

    system: str
    arm: str
    seed: int
    axis: str
    group: str
    sample: str
    metric: str
    value: float | None
    input: str
    output: str
    reference: str


class SanityRecord(_Record):
    """One self-test of a metric on the data of this run; ``values`` are what was compared."""

    metric: str
    check: str
    holds: bool
    values: Mapping[str, Any] = {}
    detail: str = ""
