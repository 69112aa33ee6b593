"""Two networks that read signs, built so that they can fail in different ways.

:class:`SignField` looks at the whole picture at once: a residual pyramid whose coarse cells vote
for a class and whose fine cells each say which character is centred there, as in CenterNet (Zhou et
al. 2019). Training looks through it (the recognition loss), so it is never the judge of record.

:class:`SignGaze` first finds the four corners of the sign, straightens it, and reads the
straightened picture, a plate column by column (as Shi et al. 2016 do, "Robust scene text
recognition with automatic rectification"). It shares no layer, normalisation, activation or
training scene with the other, and is the judge of record.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.judges.embedder import fold_normalisation
from benchmark.probes.signs.artwork import SIGNS
from benchmark.probes.signs.strokes import ALPHABET
from benchmark.probes.signs.subjects import LONGEST, PLATE

#: Classes in the order of the networks' outputs; a plate is the last one.
CLASSES: tuple[str, ...] = (*sorted(SIGNS), PLATE)
#: Number that stands for no character.
BLANK = len(ALPHABET)
#: Share of its side by which a straightened picture shows more than the sign on every side: the rim
#: is part of what a sign is.
MARGIN = 0.06
#: Side of the pictures that the networks were trained on; others are resized.
SIDE = 128


@dataclass(frozen=True)
class Answers:
    """Raw answers, before temperatures.

    Attributes:
        classes: ``[B, C]`` logits of :data:`CLASSES`.
        characters: ``[B, 6, A + 1]`` logits of the alphabet and of no character, in reading order.
    """

    classes: Tensor
    characters: Tensor


class SignNetwork(nn.Module, ABC):
    """What both networks share: the calibrated temperatures of class and of characters."""

    temperatures: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("temperatures", torch.ones(2))

    @abstractmethod
    def forward(self, images: Tensor) -> Answers:
        """Answers for ``[B, 3, 128, 128]`` sRGB in [0, 1]."""


def normalised(images: Tensor) -> Tensor:
    """Pictures in units that suit a network, by constants: dark ones stay dark."""
    return (images - 0.4) / 0.25


def _block(before: int, after: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


class _Residual(nn.Module):
    """ReLU(x + BN(conv(ReLU(BN(conv x)))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            _block(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(features + self.inner(features))


class SignField(SignNetwork):
    """Votes of cells: 0.6 M parameters."""

    #: Pixels between the cells that answer for characters.
    stride = 4

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(_block(3, 16, stride=2), _block(16, 32, stride=2), _Residual(32))
        self.middle = nn.Sequential(_block(32, 64, stride=2), _Residual(64))
        self.coarse = nn.Sequential(_block(64, 128, stride=2), _Residual(128))
        self.attention = nn.Conv2d(128, 1, 1)
        self.classify = nn.Linear(128, len(CLASSES))
        self.narrow = nn.Conv2d(128, 32, 1)
        self.spell = nn.Sequential(_block(128, 64), nn.Conv2d(64, BLANK + 1, 1))

    def features(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps at strides 4, 8 and 16, ``[B, 32 | 64 | 128, h, w]``, for pictures of any size."""
        fine = self.fine(normalised(images))
        middle = self.middle(fine)
        return fine, middle, self.coarse(middle)

    def classes(self, coarse: Tensor, attention: Tensor) -> Tensor:
        """``[B, C]`` logits: coarse cells weighted by ``[B, 1, h, w]`` logits of attention."""
        pooled = (coarse * attention.flatten(2).softmax(2).view_as(attention)).sum((2, 3))
        result: Tensor = self.classify(pooled)
        return result

    def cells(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> Tensor:
        """``[B, A + 1, h, w]`` logits of the character centred in each cell at stride 4."""
        size = list(fine.shape[2:])
        wide = [functional.interpolate(f, size) for f in (middle, self.narrow(coarse))]
        result: Tensor = self.spell(torch.cat([fine, *wide], 1))
        return result

    def forward(self, images: Tensor) -> Answers:
        """The class, and the characters of the strongest cells from left to right."""
        maps = self.features(images)
        classes = self.classes(maps[2], self.attention(maps[2]))
        return Answers(classes, _strongest(self.cells(*maps)))


class FieldLayers(nn.Module):
    """The layers of a :class:`SignField` that a loss compares, at strides 8 and 16.

    Args:
        network: trained, in evaluation mode; its heads are dropped and its normalisations folded
            into the convolutions before them.
    """

    def __init__(self, network: SignField) -> None:
        super().__init__()
        self.fine, self.middle, self.coarse = network.fine, network.middle, network.coarse
        fold_normalisation(self)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Maps ``[B, 64, h, w]`` and ``[B, 128, h, w]`` of ``[B, 3, H, W]`` in [0, 1]."""
        middle = self.middle(self.fine(normalised(images)))
        return middle, self.coarse(middle)


def _strongest(cells: Tensor, threshold: float = 0.3) -> Tensor:
    """``[B, 6, A + 1]``: logits at the peaks of cells ``[B, A + 1, h, w]``, sorted by column."""
    count, _, _, width = cells.shape
    # log odds, because probabilities saturate: neighbours that are both sure would tie
    presence = cells[:, :BLANK].logsumexp(1, keepdim=True) - cells[:, BLANK:]
    peak = presence == functional.max_pool2d(presence, 3, 1, 1)
    strength, place = presence.masked_fill(~peak, -torch.inf).flatten(1).topk(LONGEST, 1)
    missing = strength.sigmoid() < threshold
    order = torch.where(missing, width, place % width).argsort(dim=1, stable=True)
    place, missing = place.gather(1, order), missing.gather(1, order)
    logits = cells.flatten(2).gather(2, place[:, None].expand(-1, cells.shape[1], -1))
    blank = functional.one_hot(cells.new_full((count, LONGEST), BLANK).long(), BLANK + 1) * 20.0
    return torch.where(missing[..., None], blank, logits.transpose(1, 2))


def _layer(
    before: int, after: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, padding, dilation),
        nn.GroupNorm(4, after),
        nn.SiLU(),
    )


class SignGaze(SignNetwork):
    """Find, straighten, read: 0.5 M parameters."""

    #: Pixels between the cells in which corners are looked for.
    stride = 4
    #: Height and width of the straightened picture of a sign and of a plate.
    sign_size, plate_size = (48, 48), (32, 96)

    def __init__(self) -> None:
        super().__init__()
        self.locate = nn.Sequential(
            _layer(3, 16, kernel=5, stride=2),
            *(_layer(a, 24, dilation=d) for a, d in ((16, 1), (24, 2), (24, 4), (24, 8), (24, 2))),
            nn.Conv2d(24, 4, 1),
        )
        self.see = nn.Sequential(
            _layer(3, 24, kernel=5, stride=2),
            _layer(24, 48, stride=2),
            _layer(48, 64),
            _layer(64, 96, stride=2),
            nn.Flatten(),
            nn.Linear(96 * 36, len(CLASSES)),
        )
        self.spell = nn.Sequential(
            _layer(3, 32, kernel=5, stride=2),
            _layer(32, 48, stride=2),
            _layer(48, 64),
            # all rows of a column at once
            nn.Conv2d(64, 192, (self.plate_size[0] // 4, 3), padding=(0, 1)),
            nn.SiLU(),
            nn.Conv2d(192, BLANK + 1, 1),
        )

    def beliefs(self, images: Tensor) -> Tensor:
        """``[B, 4, h, w]`` logits of where each corner is, in cells at :attr:`stride`."""
        result: Tensor = self.locate(normalised(functional.avg_pool2d(images, 2)))
        return result

    def corners(self, beliefs: Tensor) -> Tensor:
        """``[B, 4, 2]`` pixels: the expected place of each corner."""
        height, width = beliefs.shape[2:]
        chance = beliefs.flatten(2).softmax(2).view_as(beliefs)
        x = (chance.sum(2) * torch.arange(width, device=chance.device)).sum(2)
        y = (chance.sum(3) * torch.arange(height, device=chance.device)).sum(2)
        return (torch.stack([x, y], 2) + 0.5) * self.stride - 0.5

    def classes(self, images: Tensor, corners: Tensor) -> Tensor:
        """``[B, C]`` logits of what is inside ``corners`` ``[B, 4, 2]``."""
        result: Tensor = self.see(straightened(normalised(images), corners, self.sign_size))
        return result

    def columns(self, images: Tensor, corners: Tensor) -> Tensor:
        """``[B, A + 1, 1, w]`` logits of the character centred in each column of the plate."""
        result: Tensor = self.spell(straightened(normalised(images), corners, self.plate_size))
        return result

    def forward(self, images: Tensor) -> Answers:
        """Find, then read."""
        corners = self.corners(self.beliefs(images))
        return Answers(self.classes(images, corners), _strongest(self.columns(images, corners)))


def straightened(images: Tensor, corners: Tensor, size: tuple[int, int]) -> Tensor:
    """What is inside four corners, as a rectangle ``[B, 3, *size]``.

    Args:
        images: ``[B, 3, H, W]``.
        corners: ``[B, 4, 2]`` pixels, clockwise from the upper left.
        size: height and width of the result.
    """
    height, width = size
    y, x = torch.meshgrid(
        torch.linspace(-MARGIN, 1 + MARGIN, height, device=images.device),
        torch.linspace(-MARGIN, 1 + MARGIN, width, device=images.device),
        indexing="ij",
    )
    flat = torch.stack([x.flatten(), y.flatten(), torch.ones_like(x).flatten()])
    spatial = from_square(corners) @ flat
    points = spatial[:, :2] / spatial[:, 2:].clamp(min=0.1)
    scale = points.new_tensor([images.shape[3], images.shape[2]]).view(1, 2, 1)
    grid = (2 * points + 1) / scale - 1
    grid = grid.transpose(1, 2).reshape(len(images), height, width, 2)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def from_square(corners: Tensor) -> Tensor:
    """``[B, 3, 3]``: the unit square to four corners (Heckbert 1989, section 2.2.3).

    Args:
        corners: ``[B, 4, 2]``, clockwise from the image of (0, 0).
    """
    p0, p1, p2, p3 = corners.unbind(1)
    d1, d2, d3 = p1 - p2, p3 - p2, p0 - p1 + p2 - p3
    determinant = _cross(d1, d2)
    # corners on one line span nothing: any finite map will do
    determinant = torch.where(determinant.abs() < 1.0, torch.ones_like(determinant), determinant)
    g, h = _cross(d3, d2) / determinant, _cross(d1, d3) / determinant
    x_axis, y_axis = p1 - p0 + g[:, None] * p1, p3 - p0 + h[:, None] * p3
    last = torch.stack([g, h, torch.ones_like(g)], 1)
    return torch.cat([torch.stack([x_axis, y_axis, p0], 2), last[:, None]], 1)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
