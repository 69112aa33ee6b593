"""Licence-free rendered data with known truth; registered by text, so nothing heavy is imported."""

from benchmark.probes.base import PHANTOMS, PROBES, Phantoms, Probe, ProbeSettings

PROBES.add(
    "faces",
    "benchmark.probes.faces.adapter:face_views",
    summary="ray-marched heads in the ten Monk skin tones",
    provides=("reference", "input", "landmarks", "gallery", "mask:skin"),
    evidence="benchmark.probes.faces.findings:face_findings",
)
PROBES.add(
    "fundus",
    "benchmark.probes.fundus:fundus_views",
    summary="retinal photographs with vessels, disc, macula and lesions, in three pigmentations",
    provides=(
        *("reference", "input", "mask:valid", "mask:vessels", "mask:disc"),
        *("mask:microaneurysms", "mask:exudates"),
    ),
    evidence="benchmark.probes.fundus.evidence:fundus_findings",
)
PROBES.add(
    "signs",
    "benchmark.probes.signs:sign_views",
    summary="pictogram signs and lettered plates in scenes under four illuminants",
    provides=("reference", "input", "label"),
    evidence="benchmark.probes.signs.evidence:sign_findings",
)

PHANTOMS.add(
    "fundus",
    "benchmark.probes.fundus:fundus_phantoms",
    summary="flat grey, smooth noise, and a retina without vessels, disc or lesions",
)

__all__ = ["PHANTOMS", "PROBES", "Phantoms", "Probe", "ProbeSettings"]
