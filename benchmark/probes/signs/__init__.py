"""Rendered signs: pictograms and lettered plates in scenes, each under four kinds of light."""

from benchmark.probes.signs.probe import SignSamples, render_signs, sign_crops, sign_views

__all__ = ["SignSamples", "render_signs", "sign_crops", "sign_views"]
