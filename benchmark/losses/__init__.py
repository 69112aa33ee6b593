"""Loss terms: per-sample scalars, one objective family each; registration is by text."""

from benchmark.losses.base import LOSSES

_PERCEPTUAL = "benchmark.losses.perceptual"

LOSSES.add(
    "charbonnier",
    "benchmark.losses.fidelity:Charbonnier",
    summary="smooth L1 of pixels",
    family="fid",
)
LOSSES.add(
    "structure",
    "benchmark.losses.structure:Structure",
    summary="multi-scale Sobel L1 and Hessian-eigenvalue L1 of luminance",
    family="str",
)
LOSSES.add(
    "nlpd",
    f"{_PERCEPTUAL}:PyramidDistance",
    summary="normalised Laplacian pyramid distance (Laparra et al. 2016), no weights",
    family="perc",
)
for _trunk in ("squeeze", "alex", "vgg"):
    LOSSES.add(
        f"lpips-{_trunk}",
        f"{_PERCEPTUAL}:Lpips{_trunk.capitalize()}",
        summary=f"LPIPS (Zhang et al. 2018) through {_trunk}, where its trunk is present",
        family="perc",
    )
LOSSES.add(
    "identity",
    "benchmark.losses.identity:Identity",
    summary="1 - cos of the suite's own face embedder on the aligned crop",
    family="id",
)
LOSSES.add(
    "recognition",
    "benchmark.losses.recognition:Recognition",
    summary="L1 of feature maps of the suite's own sign reader",
    family="rec",
)
LOSSES.add(
    "chroma",
    "benchmark.losses.colour:Chroma",
    summary="L1 of CIE a* and b*, half resolution",
    family="col",
)
LOSSES.add(
    "sch",
    "benchmark.losses.histogram:SemanticHistogram",
    summary="SKF: L1 of colour histograms within semantic regions, borders left out",
    family="col",
)
LOSSES.add(
    "sch-release",
    "benchmark.losses.histogram:ReleaseHistogram",
    summary="the same as the authors' DRBN fork computes it",
    family="col",
)
LOSSES.add(
    "sch-global",
    "benchmark.losses.histogram:GlobalHistogram",
    summary="L1 of colour histograms of the whole picture: the control of SCH",
    family="col",
)
for _form, _class, _what in (
    ("sdag", "Sdag", "SDAG (Zheng et al. 2023), cosine form, the authors' network"),
    ("sdag-l1", "SdagL1", "SDAG as published, L1 form, the authors' network; rewards darkness"),
    ("sdag-own", "SdagOwn", "SDAG, cosine form, the suite's own network"),
):
    LOSSES.add(_form, f"benchmark.losses.sdag:{_class}", summary=_what, family="rec")

__all__ = ["LOSSES"]
