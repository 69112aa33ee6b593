"""dlib's face recognition ResNet-29 in torch, reading dlib's own weight file.

dlib runs one image at a time on one core; a benchmark embeds tens of thousands. This is the same
network, layer for layer (``dnn_face_recognition_ex.cpp`` in dlib, King 2017), batched, on any
device. ``judges.faces`` compares it with deepface's own answer before every use.

dlib's stream format, as far as it is needed: an integer is one byte of size (bit 7 the sign)
followed by that many little-endian bytes; a string is an integer and its characters; a tensor is
its version, four integers for the shape, and raw little-endian float32. Layers that hold numbers
follow each other from input to output, each announced by a string with the name of its class.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmark.errors import WeightsError

CHIP_SIZE = 150
DIMENSIONS = 128

_MEAN = (122.782, 117.001, 104.298)
# residual blocks from input to output: (channels, halves the resolution)
_BLOCKS = (
    *((32, False),) * 3,
    *((64, True), (64, False), (64, False), (64, False)),
    *((128, True), (128, False), (128, False)),
    *((256, True), (256, False), (256, False)),
    (256, True),
)


class _Stream:
    """Reads the parts of a dlib stream that hold numbers, strictly in order."""

    def __init__(self, path: Path) -> None:
        self.path, self.data, self.at = path, path.read_bytes(), 0

    def seek_layer(self, kind: str) -> None:
        """Go behind the next announcement of a layer of this class."""
        name = bytes([1, len(kind)]) + kind.encode()
        found = self.data.find(name, self.at)
        if found < 0:
            raise self._damaged(f"no layer {kind!r} after byte {self.at}")
        self.at = found + len(name)

    def integer(self) -> int:
        head = self.data[self.at] if self.at < len(self.data) else 0
        size = head & 0x0F
        if not 1 <= size <= 8 or self.at + size >= len(self.data):
            raise self._damaged(f"no integer at byte {self.at}")
        value = int.from_bytes(self.data[self.at + 1 : self.at + 1 + size], "little")
        self.at += 1 + size
        return -value if head & 0x80 else value

    def tensor(self, count: int) -> NDArray[np.float32]:
        """A tensor of ``count`` numbers, flat."""
        version, *shape = (self.integer() for _ in range(5))
        end = self.at + 4 * count
        if version != 2 or int(np.prod(shape)) != count or end > len(self.data):
            raise self._damaged(f"expected {count} numbers, found version {version}, {shape}")
        values = np.frombuffer(self.data, "<f4", count, self.at).astype(np.float32)
        self.at = end
        return values

    def _damaged(self, why: str) -> WeightsError:
        return WeightsError(
            f"not dlib's face recognition network: {why}",
            where=str(self.path),
            mend="python -m benchmark weights verify",
        )


class _Block(nn.Module):
    """Two 3x3 convolutions and a shortcut without parameters."""

    def __init__(self, before: int, channels: int, *, down: bool) -> None:
        super().__init__()
        self.down, self.extra = down, channels - before
        # dlib pads a convolution only if it does not stride
        self.first = nn.Conv2d(before, channels, 3, 2 if down else 1, 0 if down else 1)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(functional.relu(self.first(x)))
        if self.down:
            x = functional.avg_pool2d(x, 2)
            # add_prev adds what overlaps and keeps the larger extent: missing values count as 0
            y = functional.pad(y, (0, x.shape[3] - y.shape[3], 0, x.shape[2] - y.shape[2]))
            x = functional.pad(x, (0, 0, 0, 0, 0, self.extra))
        return functional.relu(y + x)


class DlibFaceNet(nn.Module):
    """ResNet-29 of dlib; its per-channel affine layers are folded into the convolutions."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 7, 2)
        widths = (32, *(channels for channels, _ in _BLOCKS))
        self.blocks = nn.ModuleList(
            _Block(before, channels, down=down)
            for before, (channels, down) in zip(widths, _BLOCKS, strict=False)
        )
        self.head = nn.Linear(256, DIMENSIONS, bias=False)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    @classmethod
    def load(cls, path: Path) -> DlibFaceNet:
        """The network with the weights of ``dlib_face_recognition_resnet_model_v1.dat``.

        Raises:
            WeightsError: if the file is something else or damaged.
        """
        net, stream = cls(), _Stream(path)
        convolutions = [net.stem]
        for block in net.blocks:
            assert isinstance(block, _Block)
            convolutions += [block.first, block.second]
        for convolution in convolutions:
            _read_convolution(stream, convolution)
        stream.seek_layer("fc_2")
        outputs, inputs = stream.integer(), stream.integer()
        weight = stream.tensor(outputs * inputs).reshape(inputs, outputs)
        net.head.weight.copy_(torch.from_numpy(weight.T.copy()))
        return net

    def forward(self, images: Tensor) -> Tensor:
        """Descriptors ``[B, 128]`` (not normalised) of chips ``[B, 3, 150, 150]`` in [0, 255]."""
        x = (images - self.mean) / 256
        x = functional.max_pool2d(functional.relu(self.stem(x)), 3, 2)
        for block in self.blocks:
            x = block(x)
        descriptors: Tensor = self.head(x.mean((2, 3)))
        return descriptors


def _read_convolution(stream: _Stream, convolution: nn.Conv2d) -> None:
    """Read a convolution and the affine layer behind it, folded into one."""
    weight, bias = convolution.weight, convolution.bias
    assert bias is not None
    channels = len(bias)
    stream.seek_layer("con_4")
    values = torch.from_numpy(stream.tensor(weight.numel() + channels))
    stream.seek_layer("affine_")
    gamma, beta = torch.from_numpy(stream.tensor(2 * channels)).view(2, channels)
    weight.copy_(values[: weight.numel()].view_as(weight) * gamma.view(-1, 1, 1, 1))
    bias.copy_(values[weight.numel() :] * gamma + beta)
