"""What two results must have in common before their numbers may stand in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.files import content_key
from benchmark.report.manifest import Manifest

#: Keys of a task file that change what is measured; the others say who is measured.
_SPECIFICATION = ("version", "axes", "headline_axis", "degradation", "probe", "policy", "protocol")
UNRECORDED = "not recorded"


@dataclass(frozen=True)
class Protocol:
    """How something was measured.

    Attributes:
        task: name of the task.
        version: of the task.
        profile: how much data.
        tag: ``frozen`` or ``retrained``, empty without a recogniser.
        data: digest of what the pictures were made from.
        metrics: ``name=version`` of the metrics that a table ranks by.
        instruments: what computed them: a judge with the digest of its weights and its settings.
        key: digest of everything above and of the settings; results of one key are comparable.
    """

    task: str
    version: str
    profile: str
    tag: str
    data: str
    metrics: tuple[str, ...]
    instruments: Mapping[str, Mapping[str, str]]
    key: str

    @property
    def judges(self) -> str:
        """The judges by name and digest in one line, for people."""
        if not self.instruments:
            return UNRECORDED
        found = (
            " ".join([name, *(f"{k} {v[:12]}" for k, v in sorted(identity.items()))])
            for name, identity in sorted(self.instruments.items())
        )
        return "; ".join(found)


def protocol_of(manifest: Manifest) -> Protocol:
    """The protocol of a finished run."""
    ranked = ranked_metrics(manifest)
    metrics = tuple(f"{m}={manifest.metric(m).version}" for m in ranked)
    used = [one for one in manifest.instruments if set(one.metrics) & set(ranked)]
    instruments = {
        one.name: {k: v for k, v in one.identity.items() if k not in {"metric", "metrics"}}
        for one in used
    }
    facts: dict[str, Any] = {
        "task": manifest.task.name,
        "profile": manifest.profile,
        "data": dict(manifest.data),
        "metrics": list(metrics),
        "headline": manifest.headline.model_dump(mode="json"),
        "instruments": instruments,
        "statistics": dict(manifest.statistics),
        "task file": {key: manifest.specification.get(key) for key in _SPECIFICATION},
    }
    return Protocol(
        task=manifest.task.name,
        version=str(manifest.specification.get("version", UNRECORDED)),
        profile=manifest.profile,
        tag=str(manifest.specification.get("protocol") or ""),
        data=content_key(dict(manifest.data)),
        metrics=metrics,
        instruments=instruments,
        key=content_key(facts),
    )


def ranked_metrics(manifest: Manifest) -> tuple[str, ...]:
    """Headline and primary metrics that were measured: tables rank by these and by no others."""
    line = manifest.headline
    primary = (m.name for m in manifest.metrics if m.role == "primary")
    names = dict.fromkeys(n for n in (line.endpoint, line.outcome, line.quality, *primary) if n)
    return tuple(name for name in names if manifest.metric(name).available)
