"""HRNetV2-W48 for PASCAL-Context: the knowledge bank of the SKF paper.

Sun et al., "High-Resolution Representations for Labeling Pixels and Regions", 2019, written anew
from the paper; parameters are named as in the authors' published files, so that those load.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.files import sha256_of_file
from benchmark.judges.outside_segmenters import normalised
from benchmark.judges.semantics import KnowledgeBank, Semantics
from benchmark.weights import WeightStore
from benchmark.weights.loading import load_tensors, refuse_misfit

WEIGHT = "hrnet-w48-pascal"
CLASSES = 59
_WIDTHS = (48, 96, 192, 384)
_STEM = 64
#: Modules of the stages with two, three and four branches.
_MODULES = (1, 4, 3)
_BLOCKS = 4
#: Files hold the network inside another one: this many characters before each name.
_PREFIX = len("model.")


class _Basic(nn.Module):
    """Two 3 x 3 convolutions and the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _conv(channels, channels, 3)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv(channels, channels, 3)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor) -> Tensor:
        inner = self.bn1(self.conv1(features)).relu()
        result: Tensor = (self.bn2(self.conv2(inner)) + features).relu()
        return result


class _Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1 to four times the width, and the input."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        after = 4 * width
        self.conv1 = _conv(before, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _conv(width, after, 1)
        self.bn3 = nn.BatchNorm2d(after)
        if before != after:
            self.downsample = nn.Sequential(_conv(before, after, 1), nn.BatchNorm2d(after))

    def forward(self, features: Tensor) -> Tensor:
        inner = self.bn1(self.conv1(features)).relu()
        inner = self.bn2(self.conv2(inner)).relu()
        passed = self.downsample(features) if hasattr(self, "downsample") else features
        result: Tensor = (self.bn3(self.conv3(inner)) + passed).relu()
        return result


class _Exchange(nn.Module):
    """Parallel branches of four blocks, then every branch receives the sum of all."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(_Basic(width) for _ in range(_BLOCKS))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_bridge(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths))
        )

    def forward(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        found = [branch(part) for branch, part in zip(self.branches, inputs, strict=True)]
        results = []
        for target, bridges in enumerate(self.fuse_layers):
            assert isinstance(bridges, nn.ModuleList)
            parts = [
                _sized(bridge(part), found[target])
                for bridge, part in zip(bridges, found, strict=True)
            ]
            results.append(torch.stack(parts).sum(0).relu())
        return results


class HighResolutionNet(nn.Module):
    """Four stages whose finest branch stays at stride 4; features at strides 4, 8, 16 and 32.

    Args:
        classes: number of outputs.
    """

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.conv1 = _conv(3, _STEM, 3, stride=2)
        self.bn1 = nn.BatchNorm2d(_STEM)
        self.conv2 = _conv(_STEM, _STEM, 3, stride=2)
        self.bn2 = nn.BatchNorm2d(_STEM)
        wide = 4 * _STEM
        self.layer1 = nn.Sequential(
            _Bottleneck(_STEM, _STEM), *(_Bottleneck(wide, _STEM) for _ in range(_BLOCKS - 1))
        )
        before: tuple[int, ...] = (wide,)
        for number, modules in enumerate(_MODULES):
            widths = _WIDTHS[: number + 2]
            self.add_module(f"transition{number + 1}", _transition(before, widths))
            stage = nn.Sequential(*(_Exchange(widths) for _ in range(modules)))
            self.add_module(f"stage{number + 2}", stage)
            before = widths
        total = sum(_WIDTHS)
        self.last_layer = nn.Sequential(
            nn.Conv2d(total, total, 1),
            nn.BatchNorm2d(total),
            nn.ReLU(inplace=True),
            nn.Conv2d(total, classes, 1),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits ``[B, classes, H, W]`` and the four maps of features, finest first."""
        features = self.bn1(self.conv1(images)).relu()
        features = self.layer1(self.bn2(self.conv2(features)).relu())
        parts = [features]
        for number in range(len(_MODULES)):
            transition = self.get_submodule(f"transition{number + 1}")
            assert isinstance(transition, nn.ModuleList)
            # a new branch starts from the coarsest one
            sources = [*parts, *[parts[-1]] * (len(transition) - len(parts))]
            parts = [move(part) for move, part in zip(transition, sources, strict=True)]
            parts = self.get_submodule(f"stage{number + 2}")(parts)
        joined = torch.cat([_sized(part, parts[0]) for part in parts], 1)
        return _sized(self.last_layer(joined), images), parts


class HrnetBank(KnowledgeBank):
    """The paper's bank; features at strides 16, 8 and 4.

    Args:
        network: its weights.
        digest: SHA-256 of the file.
    """

    widths = (_WIDTHS[2], _WIDTHS[1], _WIDTHS[0])
    classes = tuple(f"pascal-context-{number:02d}" for number in range(1, CLASSES + 1))

    def __init__(self, network: HighResolutionNet, digest: str) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        self._digest = digest
        self.eval()

    @property
    def digest(self) -> str:
        """Of the weights file."""
        return self._digest

    @torch.no_grad()
    def forward(self, images: Tensor) -> Semantics:
        """What is in ``[B, 3, H, W]``; normalised, which the release's callers forget."""
        logits, (fine, middle, coarse, _) = self.network(normalised(images))
        return Semantics(logits, (coarse, middle, fine))


def load_hrnet() -> HrnetBank:
    """The bank with the weights in the store.

    Raises:
        WeightsError: if they are absent or of another architecture.
    """
    located = WeightStore().require(WEIGHT)
    return read_hrnet(located.path)


def read_hrnet(path: Path) -> HrnetBank:
    """The bank with the weights in a file of the authors' form.

    Raises:
        WeightsError: if they are of another architecture; it names the keys that differ.
    """
    with torch.device("meta"):
        network = HighResolutionNet()
    wanted = set(network.state_dict())
    state = load_tensors(path)
    if not wanted & set(state):
        state = {name[_PREFIX:]: tensor for name, tensor in state.items()}
    # what training kept beside the network, such as the weights of its loss
    state = {name: tensor for name, tensor in state.items() if name.split(".")[0] in _TOP}
    mend = "take hrnet_w48_pascal_context_cls59_480x480.pth"
    refuse_misfit(network, state, where=str(path), mend=mend)
    network.load_state_dict(state, assign=True)
    return HrnetBank(network, sha256_of_file(path))


_TOP = {
    *("conv1", "bn1", "conv2", "bn2", "layer1", "last_layer"),
    *(f"transition{number}" for number in (1, 2, 3)),
    *(f"stage{number}" for number in (2, 3, 4)),
}


def _bridge(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """From one branch to another: coarser ones by 1 x 1, finer ones by stride-2 convolutions."""
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(
            _conv(widths[source], widths[target], 1), nn.BatchNorm2d(widths[target])
        )
    steps: list[nn.Module] = []
    for step in range(source, target):
        last = step == target - 1
        after = widths[target] if last else widths[source]
        layers = [_conv(widths[source], after, 3, stride=2), nn.BatchNorm2d(after)]
        steps.append(nn.Sequential(*layers, *([] if last else [nn.ReLU()])))
    return nn.Sequential(*steps)


def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    moves: list[nn.Module] = []
    for number, width in enumerate(after):
        if number >= len(before):
            # one more step of 2 per missing branch; here always a single one
            step = nn.Sequential(
                _conv(before[-1], width, 3, stride=2), nn.BatchNorm2d(width), nn.ReLU()
            )
            moves.append(nn.Sequential(step))
        elif before[number] != width:
            moves.append(
                nn.Sequential(_conv(before[number], width, 3), nn.BatchNorm2d(width), nn.ReLU())
            )
        else:
            moves.append(nn.Identity())
    return nn.ModuleList(moves)


def _conv(before: int, after: int, kernel: int, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)


def _sized(features: Tensor, like: Tensor) -> Tensor:
    size = like.shape[-2:]
    if features.shape[-2:] == size:
        return features
    return functional.interpolate(features, size=size, mode="bilinear", align_corners=False)
