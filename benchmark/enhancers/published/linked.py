"""Published systems whose weights only a person can download (:mod:`benchmark.weights.linked`)."""

from __future__ import annotations

from benchmark.enhancers.published.catalogue import Published
from benchmark.weights.linked import LINKED as FILES
from benchmark.weights.linked import Linked

_KIND = "Zhang et al., Kindling the darkness, ACM MM 2019"
_KIND_PP = "Zhang et al., Beyond brightening low-light images, IJCV 2021"
_ENLIGHTENGAN = "Jiang et al., EnlightenGAN, IEEE TIP 2021"
_MIRNET = "Zamir et al., Learning enriched features, ECCV 2020"
_HWMNET = "Fan et al., Half wavelet attention on M-Net+, ICIP 2022"
_SNR = "Xu et al., SNR-aware low-light image enhancement, CVPR 2022"
_LLFLOW = "Wang et al., Low-light image enhancement with normalizing flow, AAAI 2022"
#: Both families test on LOL with what only the reference tells; nothing here does.
_BLIND = "blind to the reference, whose {} its authors' test on LOL takes"
_NO_RATIO, _NO_MEAN = _BLIND.format("illumination"), _BLIND.format("brightness")

#: What the file's name begins with: network, citation, learned numbers, summary.
_ARCHITECTURES = {
    "kind-pp": ("kind:KindPlusPlus", _KIND_PP, 8_274_508, f"KinD++; {_NO_RATIO}"),
    "kind": ("kind:Kind", _KIND, 8_016_008, f"KinD: decompose, restore, relight; {_NO_RATIO}"),
    "enlightengan": (
        "enlightengan:EnlightenGan",
        _ENLIGHTENGAN,
        8_636_675,
        "EnlightenGAN: U-Net told where it is dark, learned from unpaired pictures",
    ),
    "mirnet": ("mirnet:MirNet", _MIRNET, 31_787_419, "MIRNet: three resolutions side by side"),
    "hwmnet": ("hwmnet:HwmNet", _HWMNET, 66_564_649, "HWMNet: attention among half wavelets"),
    "snr": ("snr:SnrNet", _SNR, 39_124_099, "SNR-LLIE-Net: long range where noise prevails"),
    "llflow-s": ("llflow:small", _LLFLOW, 5_429_849, f"LLFlow, small; {_NO_MEAN}"),
    "llflow-l": ("llflow:large", _LLFLOW, 38_859_481, f"LLFlow; {_NO_MEAN}"),
}


def _system(file: Linked) -> Published:
    family = next(name for name in _ARCHITECTURES if file.name.startswith(name))
    network, citation, parameters, summary = _ARCHITECTURES[family]
    return Published(
        name=file.name,
        summary=summary,
        citation=citation,
        source=file.repository,
        licence=file.licence,
        parameters=parameters,
        weights=(file.name,),
        network=network,
    )


LINKED: tuple[Published, ...] = tuple(map(_system, FILES))
