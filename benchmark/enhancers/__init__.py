"""Systems under measurement; registration is by text, so listing them imports nothing heavy."""

from benchmark.enhancers.base import ENHANCERS
from benchmark.enhancers.published import LINKED, PUBLISHED

_CLASSICAL = "benchmark.enhancers.classical"

ENHANCERS.add(
    "input",
    f"{_CLASSICAL}:Identity",
    summary="the degraded image untouched",
    citation="",
    licence="Apache-2.0",
)
ENHANCERS.add(
    "gamma",
    f"{_CLASSICAL}:Gamma",
    summary="x^(1/2.2) on encoded values",
    citation="",
    licence="Apache-2.0",
)
ENHANCERS.add(
    "clahe",
    f"{_CLASSICAL}:Clahe",
    summary="contrast-limited adaptive histogram equalisation of the HSV value (scikit-image)",
    citation="Zuiderveld, Graphics Gems IV, 1994",
    licence="BSD-3-Clause",
)
ENHANCERS.add(
    "lime",
    "benchmark.enhancers.lime:Lime",
    summary="division by a structure-aware illumination map (sped-up solver)",
    citation="Guo, Li & Ling, IEEE TIP 26(2), 2017",
    licence="Apache-2.0",
)
ENHANCERS.add(
    "brightness",
    "benchmark.enhancers.brightness:MatchedBrightness",
    summary="control: one gamma per image to the clean reference's mean luminance",
    citation="",
    licence="Apache-2.0",
)
ENHANCERS.add(
    "oracle",
    f"{_CLASSICAL}:Oracle",
    summary="the clean reference: exposes the judge's own unfairness",
    citation="",
    licence="Apache-2.0",
)

for _class, _what in (("soft", "noise, softness, JPEG"), ("motion", "motion blur")):
    ENHANCERS.add(
        f"restorer-{_class}",
        f"benchmark.enhancers.restorers:{_class}",
        summary=f"folded NAFNet against {_what}, trained by the suite for the router",
        citation="Chen et al., ECCV 2022; folded as in Zhang et al., IEEE TIP 2018",
        licence="Apache-2.0",
        kind="trained",
        parameters=661_344,
        assets=(f"restorer-{_class}",),
    )
ENHANCERS.add(
    "router",
    "benchmark.enhancers.routing:Router",
    summary="says what is wrong with a picture and sends it to a restorer of that",
    citation="after Cai et al., arXiv 2506.05450, 2025",
    licence="Apache-2.0",
    kind="trained",
    parameters=396_101,
    assets=("degradation-cnn",),
)

for _system in (*PUBLISHED, *LINKED):
    ENHANCERS.add(_system.name, _system, summary=_system.summary, **_system.meta())

__all__ = ["ENHANCERS"]
