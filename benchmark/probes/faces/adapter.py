"""The face probe behind the common interface of all probes."""

from __future__ import annotations

from benchmark.data.views import OK, Views
from benchmark.probes.base import Advance, ProbeSettings
from benchmark.probes.faces.probe import FaceProbe


def face_views(settings: ProbeSettings, *, advance: Advance) -> Views:
    """Every person in one tone of each level: a gallery view and ``settings.views`` others.

    Everybody is in the gallery once in each tone: twins are compared within their own cohort.
    """
    probe = FaceProbe(
        split=settings.split,
        identities=settings.subjects,
        views=settings.views,
        effect="tone" if settings.effect == "group" else "none",
        seed=settings.seed,
    )
    shots = probe.views + 1
    done = 0

    def count(rendered: int) -> None:
        nonlocal done
        before, done = done // shots, done + rendered
        advance(done // shots - before)

    samples = probe.render(advance=count)
    frame = samples.frame.rename(columns={"identity": "cluster"}).assign(
        status=OK, cohort=samples.frame["tone_level"]
    )
    return Views(frame, samples.images, samples.landmarks, {"skin": samples.skin})
