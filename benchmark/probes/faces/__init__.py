"""Rendered faces: ray-marched signed fields, ten skin tones, known truth about everything."""

from benchmark.probes.faces.probe import FaceProbe, FaceSamples
from benchmark.probes.faces.tones import MONK_HEX, TONES, ToneLevel, level_of

__all__ = ["MONK_HEX", "TONES", "FaceProbe", "FaceSamples", "ToneLevel", "level_of"]
