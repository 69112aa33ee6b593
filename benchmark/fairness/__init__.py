"""Groups x clusters -> means, gaps, intervals, nulls, tests and verdicts; knows no images."""

from benchmark.fairness.analysis import analyse
from benchmark.fairness.model import Analysis, AxisInfo, MetricInfo, Policy
from benchmark.fairness.slicing import metric_frame

__all__ = ["Analysis", "AxisInfo", "MetricInfo", "Policy", "analyse", "metric_frame"]
