"""Rendered retinal photographs: vessel trees by Murray's law, disc, macula, lesions, pigment."""

from benchmark.probes.fundus.optics import PIGMENTATIONS
from benchmark.probes.fundus.phantoms import PHANTOMS, fundus_phantoms
from benchmark.probes.fundus.probe import fundus_crops, fundus_views

__all__ = ["PHANTOMS", "PIGMENTATIONS", "fundus_crops", "fundus_phantoms", "fundus_views"]
