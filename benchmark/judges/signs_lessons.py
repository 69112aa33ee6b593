"""What the readers of signs learn, and by which losses.

A rendered sign is known completely: its class, its text, its corners and where each character is.
Both networks are taught all of it, each in the form in which it answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.judges.signs_net import (
    BLANK,
    CLASSES,
    MARGIN,
    SignField,
    SignGaze,
    from_square,
)
from benchmark.probes.signs import SignSamples
from benchmark.probes.signs.strokes import ALPHABET
from benchmark.probes.signs.subjects import LONGEST, PLATE


@dataclass(frozen=True)
class Lessons:
    """Pictures with the right answers, as tensors.

    Attributes:
        images: ``[N, 3, S, S]`` uint8.
        classes: ``[N]`` place in ``CLASSES``.
        texts: ``[N, 6]`` place in the alphabet, ``BLANK`` behind the end and on signs.
        corners: ``[N, 4, 2]`` pixels.
        characters: ``[N, 6, 2]`` pixels, NaN where there is none.
    """

    images: Tensor
    classes: Tensor
    texts: Tensor
    corners: Tensor
    characters: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Tensor) -> Lessons:
        """Those at ``rows``."""
        return Lessons(*(getattr(self, each.name)[rows] for each in fields(self)))

    def to(self, device: torch.device | str) -> Lessons:
        """The same on ``device``."""
        return Lessons(*(getattr(self, each.name).to(device) for each in fields(self)))


def lessons(samples: SignSamples) -> Lessons:
    """What there is to learn from rendered signs."""
    frame = samples.frame
    texts = np.full((len(frame), LONGEST), BLANK)
    for row in np.flatnonzero((frame["kind"] == PLATE).to_numpy()):
        text = frame["label"].iloc[row]
        texts[row, : len(text)] = [ALPHABET.index(character) for character in text]
    images = torch.from_numpy(samples.images).permute(0, 3, 1, 2).contiguous()
    return Lessons(
        images=images,
        classes=torch.tensor([CLASSES.index(name) for name in frame["sign_class"]]),
        texts=torch.from_numpy(texts),
        corners=torch.from_numpy(samples.corners),
        characters=torch.from_numpy(samples.characters),
    )


#: Network, pictures in [0, 1], what is known about them, random numbers: the scalar loss.
Loss = Callable[[Any, Tensor, Lessons, torch.Generator], Tensor]


def field_loss(
    network: SignField, images: Tensor, known: Lessons, generator: torch.Generator
) -> Tensor:
    """Cross-entropy of the class, of where to look, and of every cell of the plates.

    A cell within 0.8 cells of a character's centre shall name it, cells from 1.5 on shall name
    nothing, and those between are not asked.
    """
    del generator
    fine, middle, coarse = network.features(images)
    attention = network.attention(coarse)
    centre = _cell(known.corners.mean(1), attention, images.shape[3] // attention.shape[3])
    loss = 0.3 * functional.cross_entropy(attention.flatten(1), centre)
    seen = network.classes(coarse, attention)
    loss = loss + functional.cross_entropy(seen, known.classes, label_smoothing=0.05)
    plates = torch.nonzero(known.classes == CLASSES.index(PLATE)).flatten()
    if len(plates) == 0:
        return loss
    cells = network.cells(fine[plates], middle[plates], coarse[plates])
    return loss + 2 * _spelling(cells, _around(known.take(plates), cells, network.stride))


def _spelling(cells: Tensor, wanted: tuple[Tensor, Tensor]) -> Tensor:
    """Weighted cross-entropy of cells ``[B, A + 1, h, w]``."""
    target, weight = wanted
    each = functional.cross_entropy(cells, target, reduction="none") * weight
    return each.sum() / weight.sum()


def _around(known: Lessons, cells: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """What each cell shall say ``[B, h, w]``, and how much it counts."""
    height, width = cells.shape[2:]
    rows, columns = (torch.arange(n, device=cells.device) for n in (height, width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    centre = (known.characters + 0.5) / stride - 0.5
    across = torch.stack([x, y], 2).view(1, 1, -1, 2) - centre[:, :, None]
    distance = across.norm(dim=3).nan_to_num(nan=1e4)
    return _named(known.texts, distance, (height, width), empty=0.02)


def _named(
    texts: Tensor, distance: Tensor, size: tuple[int, int], *, empty: float
) -> tuple[Tensor, Tensor]:
    """Targets and weights of cells, from the distance of each character ``[B, 6, h * w]``.

    ``empty`` is the weight of a cell without a character, of which there are many.
    """
    near, which = distance.min(1)
    target = torch.where(near < 0.8, texts.gather(1, which), BLANK)
    weight = torch.where(near < 0.8, 1.0, torch.where(near < 1.5, 0.0, empty))
    return target.view(-1, *size), weight.view(-1, *size)


def gaze_loss(
    network: SignGaze, images: Tensor, known: Lessons, generator: torch.Generator
) -> Tensor:
    """Distance of the corners, and cross-entropy of class and text inside nearly right corners."""
    beliefs = network.beliefs(images)
    cell = _cell(known.corners, beliefs, network.stride)
    loss = 0.25 * functional.cross_entropy(beliefs.flatten(2).flatten(0, 1), cell.flatten())
    apart = functional.smooth_l1_loss(network.corners(beliefs), known.corners, beta=1.0)
    # as wrong as the network will be about them when it reads on its own
    slack = 1.2 * torch.randn(len(images), 4, 2, generator=generator)
    slack = slack + torch.randn(len(images), 1, 2, generator=generator)
    corners = known.corners + slack.to(known.corners)
    seen = network.classes(images, corners)
    loss = loss + apart / 4 + functional.cross_entropy(seen, known.classes, label_smoothing=0.05)
    plates = torch.nonzero(known.classes == CLASSES.index(PLATE)).flatten()
    if len(plates) == 0:
        return loss
    columns = network.columns(images[plates], corners[plates])
    wanted = _along(known.take(plates), corners[plates], columns.shape[3])
    return loss + 2 * _spelling(columns, wanted)


def _cell(points: Tensor, maps: Tensor, stride: int) -> Tensor:
    """Number of the cell of maps ``[B, C, h, w]`` nearest to points ``[..., 2]`` in pixels."""
    height, width = maps.shape[2:]
    nearest = ((points + 0.5) / stride - 0.5).round().long()
    return nearest[..., 0].clamp(0, width - 1) + width * nearest[..., 1].clamp(0, height - 1)


def _along(known: Lessons, corners: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """As :func:`_around`, for the columns of plates straightened by ``corners``."""
    pixels = known.characters.nan_to_num(nan=-1e4)
    ahead = torch.cat([pixels, torch.ones_like(pixels[..., :1])], 2)
    square = torch.linalg.solve(from_square(corners), ahead.transpose(1, 2))
    share = square[:, 0] / square[:, 2]
    column = (share + MARGIN) / (1 + 2 * MARGIN) * width - 0.5
    column = torch.where(known.characters[..., 0].isnan(), 1e4, column)
    distance = (torch.arange(width, device=column.device) - column[..., None]).abs()
    return _named(known.texts, distance, (1, width), empty=0.2)


def right_answers(known: Lessons) -> NDArray[np.str_]:
    """The right answers as text."""
    letters = np.array([*ALPHABET, ""])[known.texts.numpy()]
    names = np.array(CLASSES)[known.classes.numpy()]
    texts = np.array(["".join(row) for row in letters], dtype=str)
    return np.where(names == PLATE, texts, names)
