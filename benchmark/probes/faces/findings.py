"""The face probe's promises, measured with the judges of record."""

from __future__ import annotations

from dataclasses import asdict

from benchmark.probes.base import Advance, ProbeSettings
from benchmark.probes.evidence import Findings, Promise
from benchmark.probes.faces import evidence as promised
from benchmark.probes.faces.evidence import Evidence, gather_evidence
from benchmark.probes.faces.probe import FaceProbe


def face_findings(settings: ProbeSettings, *, advance: Advance) -> Findings:
    """Detection, verification and colour by level of skin tone at full exposure."""
    from benchmark.judges.detection import FaceDetector
    from benchmark.judges.faces import FaceRecogniser

    probe = FaceProbe(
        split=settings.split,
        identities=settings.subjects,
        views=settings.views,
        seed=settings.seed,
    )
    rendered = 0

    def count(views: int) -> None:
        nonlocal rendered
        each = settings.views + 1
        before, rendered = rendered // each, rendered + views
        advance(rendered // each - before)

    return findings_of(
        gather_evidence(FaceRecogniser(), FaceDetector(), probe=probe, advance=count)
    )


def findings_of(found: Evidence) -> Findings:
    """Evidence in the form that all probes share."""
    worst = max(found.colour, key=lambda tone: found.colour[tone])
    least, auc, separation = (
        min(found.detection.values()),
        min(found.auc.values()),
        found.separation,
    )
    return Findings(
        title=f"{found.identities} people, {found.images} images per tone level, full exposure",
        columns=("skin tone", "faces detected", "verification AUC"),
        rows=tuple(
            (level, f"{found.detection[level]:.1%}", f"{found.auc[level]:.4f}")
            for level in found.detection
        ),
        promises=(
            Promise(
                "faces detected, worst level",
                f"{least:.1%}",
                f"at least {promised.DETECTION_FLOOR:.0%}",
                least >= promised.DETECTION_FLOOR,
            ),
            Promise(
                "verification AUC, worst level",
                f"{auc:.4f}",
                f"at least {promised.AUC_FLOOR}",
                auc >= promised.AUC_FLOOR,
            ),
            Promise(
                "spread of AUC between levels",
                f"{found.auc_spread:.4f}",
                f"at most {promised.AUC_SPREAD_CEILING}",
                found.auc_spread <= promised.AUC_SPREAD_CEILING,
            ),
            Promise(
                "nearest training and test identity", f"{separation:.3f}", "above 0", separation > 0
            ),
            Promise(
                f"published tone colour, worst ({worst})",
                f"delta E {found.colour[worst]:.2f}",
                f"at most {promised.COLOUR_CEILING}",
                found.colour[worst] <= promised.COLOUR_CEILING,
            ),
        ),
        numbers=asdict(found) | {"auc_spread": found.auc_spread, "holds": found.holds},
    )
