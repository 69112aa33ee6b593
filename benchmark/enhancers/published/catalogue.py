"""Every published system: its architecture, its weights, and what is known about them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.enhancers.contamination import all_seen, trained_on
from benchmark.weights.enhancers import NONE_STATED

if TYPE_CHECKING:  # knowing about systems must not build networks
    from pathlib import Path

    from torch import nn

    from benchmark.enhancers.published.enhancer import PublishedEnhancer
    from benchmark.weights import WeightStore

_HERE = "benchmark.enhancers.published"


@dataclass(frozen=True)
class Published:
    """A published system; calling it builds the enhancer.

    Attributes:
        name: as on the command line.
        summary: one line for people.
        citation: of the paper.
        source: GitHub repository that the weights come from.
        licence: of the weights; the code is ours.
        parameters: how many numbers the paper's network learns, at test time.
        weights: names in the weights catalogue; their tensors are one state between them.
        network: ``module:attribute`` in this package, a network without arguments.
    """

    name: str
    summary: str
    citation: str
    source: str
    licence: str
    parameters: int
    weights: tuple[str, ...]
    network: str

    def build(self) -> nn.Module:
        """The network with PyTorch's random initial weights."""
        module, _, attribute = self.network.partition(":")
        network: nn.Module = getattr(importlib.import_module(f"{_HERE}.{module}"), attribute)()
        return network

    def __call__(self, store: WeightStore | None = None) -> PublishedEnhancer:
        """The system, ready to run.

        Args:
            store: where the weights are; the default store if None.

        Raises:
            WeightsError: if they are absent or are not the declared ones, with the command that
                mends it.
        """
        from benchmark.enhancers.published.enhancer import load

        return load(self, store)

    def inspect(self, file: Path) -> None:
        """Refuse a file that is not the weights of this system.

        Raises:
            WeightsError: if it is damaged or of another architecture, with the keys that differ.
        """
        from benchmark.enhancers.published.enhancer import check

        check(self, file)

    def meta(self) -> dict[str, Any]:
        """What the registry shows without building anything."""
        return {
            "kind": "published",
            "citation": self.citation,
            "source": self.source,
            "licence": self.licence,
            "parameters": self.parameters,
            "weights": self.weights,
            "trained_on": trained_on(self.name),
            "seen": "; ".join(f"{s.dataset}: {s.sentence()}" for s in all_seen(self.name)),
        }


_ZERO_DCE = "Guo et al., Zero-reference deep curve estimation, CVPR 2020"
_SDAG = "Zheng et al., Learning semantic degradation-aware guidance, AAAI 2023"
_SCI = "Ma et al., Toward fast, flexible, and robust low-light image enhancement, CVPR 2022"
_RUAS = "Liu et al., Retinex-inspired unrolling with architecture search, CVPR 2021"
_IAT = "Cui et al., You only need 90K parameters to adapt light, BMVC 2022"

PUBLISHED: tuple[Published, ...] = (
    Published(
        name="zero-dce",
        summary="light curves estimated without references",
        citation=_ZERO_DCE,
        source="Li-Chongyi/Zero-DCE",
        licence="CC-BY-NC-4.0",
        parameters=79_416,
        weights=("zero-dce",),
        network="zero_dce:ZeroDce",
    ),
    Published(
        name="zero-dce-sdag",
        summary="Zero-DCE trained under semantic guidance, which it no longer needs",
        citation=_SDAG,
        source="zheng980629/SDAG",
        licence=NONE_STATED,
        parameters=79_416,
        weights=("zero-dce-sdag",),
        network="zero_dce:ZeroDce",
    ),
    Published(
        name="zero-dce-pp",
        summary="Zero-DCE++: one curve for all steps, estimated at a twelfth of the size",
        citation="Li et al., Learning to enhance via zero-reference curve estimation, TPAMI 2021",
        source="Li-Chongyi/Zero-DCE_extension",
        licence="CC-BY-NC-4.0",
        parameters=10_561,
        weights=("zero-dce-pp",),
        network="zero_dce_pp:ZeroDcePlusPlus",
    ),
    Published(
        name="sgz",
        summary="the network of Zero-DCE++, trained under semantic guidance",
        citation="Zheng & Gupta, Semantic-guided zero-shot learning, WACV workshops 2022",
        source="ShenZheng2000/Semantic-Guided-Low-Light-Image-Enhancement",
        licence="MIT",
        parameters=10_561,
        weights=("sgz",),
        network="zero_dce_pp:ZeroDcePlusPlus",
    ),
    *(
        Published(
            name=f"sci-{level}",
            summary=f"self-calibrated illumination, the authors' model {level!r}",
            citation=_SCI,
            source="vis-opt-group/SCI",
            licence="MIT",
            parameters=258,
            weights=(f"sci-{level}",),
            network="sci:Sci",
        )
        for level in ("easy", "medium", "difficult")
    ),
    *(
        Published(
            name=f"ruas-{model}",
            summary=f"searched Retinex unrolling, the authors' model {model!r}",
            citation=_RUAS,
            source="KarelZhang/RUAS",
            licence=NONE_STATED,
            parameters=parameters,
            weights=(f"ruas-{model}",),
            network=f"ruas:{network}",
        )
        for model, parameters, network in (
            ("lol", 3_438, "RuasDenoising"),
            ("upe", 1_161, "Ruas"),
            ("dark", 1_161, "Ruas"),
        )
    ),
    *(
        Published(
            name=f"iat-{model}",
            summary=f"illumination-adaptive transformer for {what}",
            citation=_IAT,
            source="cuiziteng/Illumination-Adaptive-Transformer",
            licence="Apache-2.0",
            parameters=91_154,
            weights=(f"iat-{model}",),
            network=f"iat:{network}",
        )
        for model, what, network in (
            ("lol-v1", "LOL v1", "Iat"),
            ("lol-v2", "LOL v2", "centred"),
            ("exposure", "exposure correction", "Iat"),
        )
    ),
    Published(
        name="retinexnet",
        summary="Retinex decomposition and relighting, a PyTorch port without denoising",
        citation="Wei et al., Deep Retinex decomposition for low-light enhancement, BMVC 2018",
        source="aasharma90/RetinexNet_PyTorch",
        licence=NONE_STATED,
        parameters=555_205,
        weights=("retinexnet-decomposition", "retinexnet-relighting"),
        network="retinexnet:RetinexNet",
    ),
    Published(
        name="drbn",
        summary="deep recursive bands, stage 1: learned from pairs, before the perceptual stage",
        citation="Yang et al., From fidelity to perceptual quality, CVPR 2020",
        source="flyywh/CVPR-2020-Semi-Low-Light",
        licence=NONE_STATED,
        parameters=557_668,
        weights=("drbn",),
        network="drbn:Drbn",
    ),
)
