"""Margins that a new baseline starts with; whoever owns the baseline knows better ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.spec.gate import GatePolicy, Margin

#: At 50 clusters a group these block 0.2 % of no-change pairs and find 93 % of planted losses of
#: half a decibel (benchmarks/gate.py).
_DECIBEL = Margin(harm=0.1, non_inferior=0.3)
_RATE = Margin(harm=0.02, non_inferior=0.1)
#: Other metrics: shares of the scatter between samples, as 0.1 and 0.3 dB are of PSNR's 3 dB.
_HARM, _NON_INFERIOR = 1 / 30, 1 / 10


def default_margin(unit: str, kind: str, scatter: float) -> Margin:
    """The margin of a metric.

    Args:
        unit: as the metric declares it.
        kind: ``rate`` or ``value``.
        scatter: standard deviation between samples of one system.
    """
    if unit == "dB":
        return _DECIBEL
    if kind == "rate":
        return _RATE
    if not scatter > 0:  # nothing varies: any number does, and zero would block rounding
        return Margin(harm=0.001, non_inferior=0.01)
    return Margin(harm=_rounded(_HARM * scatter), non_inferior=_rounded(_NON_INFERIOR * scatter))


def default_policy(
    metrics: Mapping[str, tuple[str, str, float]], axes: Sequence[str]
) -> GatePolicy:
    """A policy for metrics given as ``unit, kind, scatter``."""
    return GatePolicy(
        format=1,
        metrics={name: default_margin(*about) for name, about in metrics.items()},
        axes=list(axes),
    )


def _rounded(value: float) -> float:
    """Two digits: a margin is a decision, not a measurement."""
    return float(f"{value:.2g}")
