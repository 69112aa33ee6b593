"""Loss terms: per-sample scalars, one objective family each; registration is by text.

``assets`` and ``weights`` name what a term looks through: the suite's own networks and files of
the weight store. Their digests are part of what a training is, so that new ones train anew.
"""

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
for _trunk, _file in (("squeeze", "squeezenet1_1"), ("alex", "alexnet"), ("vgg", "vgg16")):
    LOSSES.add(
        f"lpips-{_trunk}",
        f"{_PERCEPTUAL}:Lpips{_trunk.capitalize()}",
        summary=f"LPIPS (Zhang et al. 2018) through {_trunk}, where its trunk is present",
        family="perc",
        weights=(_file,),
    )
LOSSES.add(
    "identity",
    "benchmark.losses.identity:Identity",
    summary="1 - cos of the suite's own face embedder on the aligned crop",
    family="id",
    assets=("face-embedder",),
)
LOSSES.add(
    "recognition",
    "benchmark.losses.recognition:Recognition",
    summary="L1 of feature maps of the suite's own sign reader",
    family="rec",
    assets=("sign-reader",),
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
    assets=("probe-scenes",),
)
LOSSES.add(
    "sch-release",
    "benchmark.losses.histogram:ReleaseHistogram",
    summary="the same as the authors' DRBN fork computes it",
    family="col",
    assets=("probe-scenes",),
)
LOSSES.add(
    "sch-global",
    "benchmark.losses.histogram:GlobalHistogram",
    summary="L1 of colour histograms of the whole picture: the control of SCH",
    family="col",
)
_PUBLISHED = {"weights": ("sdag-reconstruction",)}
for _form, _class, _what, _through in (
    ("sdag", "Sdag", "SDAG (Zheng et al. 2023), cosine form, the authors' network", _PUBLISHED),
    (
        "sdag-l1",
        "SdagL1",
        "SDAG as published, L1 form, the authors' network; rewards darkness",
        _PUBLISHED,
    ),
    (
        "sdag-own",
        "SdagOwn",
        "SDAG, cosine form, the suite's own network",
        {"assets": ("reconstruction",)},
    ),
):
    LOSSES.add(_form, f"benchmark.losses.sdag:{_class}", summary=_what, family="rec", **_through)

__all__ = ["LOSSES"]
