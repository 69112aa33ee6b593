"""Hosts: architectures that the suite trains itself, and a trained one as an enhancer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.enhancers.base import Enhancer
from benchmark.errors import SpecError, WeightsError
from benchmark.registry import Entry, Registry
from benchmark.weights import load_tensors


@dataclass(frozen=True)
class Tap:
    """A place in a host where a plug-in can look at feature maps and change them.

    Attributes:
        layer: name of a submodule of the host; what it puts out can be tapped.
        channels: of its output.
        level: how coarse what enters there should be: 0 for stride 16, 1 for 8, 2 for 4.
    """

    layer: str
    channels: int
    level: int


@dataclass(frozen=True)
class Host:
    """A frozen description of an architecture.

    Attributes:
        name: as on the command line.
        factory: seed to a network, ``[B, 3, H, W]`` to ``[B, 3, H, W]`` in sRGB; the same seed
            gives the same bits and leaves the global random state alone.
        parameters: how many numbers it learns.
        licence: of our implementation.
        citation: where the architecture comes from.
        taps: where plug-ins enter, coarse first; without any it takes no plug-in that looks inside.
    """

    name: str
    factory: Callable[[int], nn.Module]
    parameters: int
    licence: str
    citation: str
    taps: tuple[Tap, ...] = ()


class TrainedHost(Enhancer):
    """A host with the weights that one arm and seed gave it.

    Args:
        host: the architecture.
        state: its weights, as ``training`` returns them.
        where: what holds them, for the message.

    Raises:
        WeightsError: naming the keys that are missing, left over or of another shape.
    """

    def __init__(
        self, host: Host, state: Mapping[str, Tensor], *, where: str = "weights at hand"
    ) -> None:
        from benchmark.enhancers.published.enhancer import fill

        self._network = host.factory(0)
        try:
            fill(self._network, state, where=where)
        except WeightsError as error:
            mend = f"load the weights that a training of {host.name} wrote"
            raise WeightsError(error.what, where=error.where, mend=mend) from error
        self._network.eval().requires_grad_(False)

    @classmethod
    def from_file(cls, host: Host, path: Path) -> TrainedHost:
        """A host with the weights of a safetensors or torch file; code in a pickle is refused.

        Raises:
            WeightsError: if the file is damaged, holds code, or is of another architecture.
        """
        return cls(host, load_tensors(path), where=str(path))

    @torch.inference_mode()
    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """The network's output, on the device of ``images``."""
        result: Tensor = self._network.to(images.device)(images)
        return result


class Hosts(Registry[Host]):
    """Hosts by name; ``host+plugin`` is a host with a plug-in, whoever registered either."""

    def entry(self, name: str) -> Entry[Host]:
        """The entry called ``name``; of a plugged host it is made now.

        Raises:
            UnknownNameError: with the nearest names, if host or plug-in are unknown.
            SpecError: if the host has no place where the plug-in could enter.
        """
        host, plus, plugin = name.rpartition("+")
        if not plus:
            return super().entry(name)
        bare, plug = self.entry(host), PLUGINS.entry(plugin)
        target = PLUGINS.get(plugin)(self.get(host))
        return replace(bare, name=name, target=target, summary=f"{bare.summary}; {plug.summary}")

    def __contains__(self, name: object) -> bool:
        host, *plugins = str(name).split("+")
        return super().__contains__(host) and all(plugin in PLUGINS for plugin in plugins)


def need_taps(host: Host) -> tuple[Tap, ...]:
    """The taps of a host that a plug-in wants to enter.

    Raises:
        SpecError: if it has none.
    """
    if not host.taps:
        raise SpecError(
            f"the host {host.name!r} does not say where feature maps can be tapped",
            mend="give its Host taps, or train it without the plug-in",
        )
    return host.taps


#: What makes a host of a host; named behind a plus sign.
PLUGINS: Registry[Callable[[Host], Host]] = Registry("plug-in", group="equilux.plugins")
PLUGINS.add(
    "skf",
    "benchmark.enhancers.skf.plug:with_scene_knowledge",
    summary="with semantic features at its taps (SKF, Wu et al., CVPR 2023)",
    assets=("probe-scenes",),
)
PLUGINS.add(
    "blind",
    "benchmark.enhancers.skf.blind:without_knowledge",
    summary="with SKF's blocks and no semantics: as large, for comparison",
)

HOSTS = Hosts("host", group="equilux.hosts")
HOSTS.add(
    "curve",
    "benchmark.enhancers.curve:HOST",
    summary="Zero-DCE-type curve network trained with pairs, 79 k parameters",
    citation="Guo et al., CVPR 2020",
    licence="Apache-2.0",
)
HOSTS.add(
    "curve-full",
    "benchmark.enhancers.curve:FULL",
    summary="Zero-DCE's network as published, maps at full size; for its unsupervised training",
    citation="Guo et al., CVPR 2020",
    licence="Apache-2.0",
)
for _width in (16, 32):
    HOSTS.add(
        f"nafnet{_width}",
        f"benchmark.enhancers.nafnet:WIDTH_{_width}",
        summary=f"NAFNet of width {_width}, one block a level",
        citation="Chen et al., ECCV 2022",
        licence="MIT",
    )
HOSTS.add(
    "retinexnet",
    "benchmark.enhancers.recast:RETINEXNET",
    summary="RetinexNet's two networks from random weights, trained as one",
    citation="Wei et al., BMVC 2018",
    licence="Apache-2.0",
)
HOSTS.add(
    "drbn",
    "benchmark.enhancers.recast:DRBN",
    summary="DRBN's recursive bands from random weights",
    citation="Yang et al., CVPR 2020",
    licence="Apache-2.0",
)
for _name, _attribute, _summary, _citation in (
    ("kind", "KIND", "KinD: decompose, restore, relight", "Zhang et al., ACM MM 2019"),
    ("kind-pp", "KIND_PP", "KinD++: restored without a U-Net", "Zhang et al., IJCV 2021"),
    ("enlightengan", "ENLIGHTENGAN", "EnlightenGAN's generator", "Jiang et al., IEEE TIP 2021"),
    ("mirnet", "MIRNET", "MIRNet: three resolutions side by side", "Zamir et al., ECCV 2020"),
    ("hwmnet", "HWMNET", "HWMNet: attention among half wavelets", "Fan et al., ICIP 2022"),
    ("snr", "SNR", "SNR-LLIE-Net: long range where noise prevails", "Xu et al., CVPR 2022"),
    ("llflow-s", "LLFLOW_S", "LLFlow, small: an invertible network", "Wang et al., AAAI 2022"),
    ("llflow-l", "LLFLOW_L", "LLFlow: an invertible network", "Wang et al., AAAI 2022"),
):
    HOSTS.add(
        _name,
        f"benchmark.enhancers.own_hosts:{_attribute}",
        summary=f"{_summary}; from random weights, also in the arm own",
        citation=_citation,
        licence="Apache-2.0",
    )
