"""LLFlow: a picture is what an invertible network makes of the colours that the dark one has."""

from benchmark.enhancers.published.llflow.network import LlFlow, large, small, without_spares

__all__ = ["LlFlow", "large", "small", "without_spares"]
