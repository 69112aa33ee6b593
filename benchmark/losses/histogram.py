"""Colour within every semantic region: the SCH loss of SKF.

Wu et al., CVPR 2023, equations 6 to 10 (methods, section 2.3): soft colour histograms of the pixels
of every class, compared by L1. Three things are as the paper has them and not as its release:
pixels near a border between classes are left out, classes come from a frozen segmenter, and bins
lie at the levels of 8-bit images. One is ours: the first bin has no lower edge and the
last no upper one, because the paper's bins lose a third of every black pixel (the release's lose
half), and black is what dark pictures are made of.
"""

from __future__ import annotations

from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.judges.semantics import Semantics
from benchmark.losses.base import Features, Instruments, LossTerm

BINS = 256
SHARPNESS = 400.0
#: Bins to either side of a value that get a share of it; those beyond would get less than 1e-6.
_REACH = 10
#: Pixels this near a border belong to no region: the border itself and two steps around it.
BORDER = 3
#: Regions of fewer pixels have no histogram worth comparing.
LEAST = 64

Normaliser = Literal["area", "drbn", "snr"]


def shares(values: Tensor) -> tuple[Tensor, Tensor]:
    """How much of every value falls into which bins.

    Args:
        values: ``[...]``; those outside [0, 1] count as what a file would hold, 0 or 1.

    Returns:
        Share ``[..., 21]``, of sum 1, and number of its bin, int64 ``[..., 21]``.
    """
    values = values.clamp(0, 1)
    level = values.detach() * (BINS - 1)
    first = (level.round() - _REACH).clamp(0, BINS - 1 - 2 * _REACH)
    offsets = torch.arange(2 * _REACH + 1, device=values.device)
    bins = first.long()[..., None] + offsets
    # edges between neighbouring bins; whatever lies outside goes to the outermost ones
    edges = (bins[..., 1:].to(values) - 0.5) / (BINS - 1)
    above = torch.sigmoid(SHARPNESS * (values[..., None] - edges))
    reached = functional.pad(above, (1, 0), value=1.0) - functional.pad(above, (0, 1), value=0.0)
    return reached, bins


def histograms(images: Tensor, regions: Tensor, count: int) -> Tensor:
    """Soft histogram of every channel within every region, ``[B, count, 3, 256]``, in pixels.

    Args:
        images: ``[B, 3, H, W]``.
        regions: ``[B, H, W]`` int64, -1 where a pixel belongs to none.
        count: number of regions.
    """
    batch, channels = images.shape[:2]
    reached, bins = shares(images.flatten(2))
    region = regions.flatten(1)[:, None, :, None]
    sample = torch.arange(batch, device=images.device).view(-1, 1, 1, 1)
    channel = torch.arange(channels, device=images.device).view(1, -1, 1, 1)
    place = ((sample * count + region.clamp(min=0)) * channels + channel) * BINS + bins
    total = images.new_zeros(batch * count * channels * BINS)
    total = total.index_add(0, place.flatten(), (reached * (region >= 0)).flatten())
    return total.view(batch, count, channels, BINS)


def refined(classes: Tensor, *, border: int = BORDER) -> Tensor:
    """Classes without the pixels near their borders, which become -1.

    Args:
        classes: ``[B, H, W]`` int64.
        border: pixels with another class within so many steps go; 0 keeps all.
    """
    if not border:
        return classes
    plane, side = classes[:, None].float(), 2 * border + 1
    highest = functional.max_pool2d(plane, side, 1, border)
    lowest = -functional.max_pool2d(-plane, side, 1, border)
    return torch.where((highest == lowest)[:, 0], classes, -1)


class SemanticHistogram(LossTerm):
    """L1 of colour histograms, region by region, between 0 and 2.

    Histograms are divided by the number of pixels of their region, so the distance of a region is
    twice the share of its pixels that would have to change their level; regions are averaged by
    area and channels plainly. Regions are those of the reference, which is what all arms share.
    A picture without a region of 64 pixels is one region: the term must exist in every context.

    Args:
        segmenter: a knowledge bank (``judges.semantics``).
        normaliser: ``area`` as above. ``drbn`` and ``snr`` divide as the releases do, keep the
            pixels at borders and the small regions, and look at every pixel.
        stride: pictures are first averaged over so many pixels a side.
    """

    family = "col"
    instrument = "knowledge-bank"

    def __init__(
        self, segmenter: nn.Module, *, normaliser: Normaliser = "area", stride: int = 2
    ) -> None:
        super().__init__()
        self.segmenter = segmenter.eval().requires_grad_(False)
        self.normaliser: Normaliser = normaliser
        self.stride = stride if normaliser == "area" else 1

    @classmethod
    def build(cls, instruments: Instruments) -> Self:
        """The term with the segmenter that ``instruments`` provides."""
        return cls(instruments.segmenter())

    def train(self, mode: bool = True) -> Self:
        """The segmenter is frozen: training mode never reaches it."""
        del mode
        return super().train(False)

    def prepare(self, references: Tensor, landmarks: Tensor | None) -> dict[str, Tensor]:
        """``regions`` ``[B, h, w]`` int8 and ``histogram`` ``[B, C, 3, 256]`` in pixels."""
        del landmarks
        with torch.no_grad():
            found: Semantics = self.segmenter(references)
            regions = self._regions(found.logits)
            small = functional.avg_pool2d(references, self.stride)
            target = histograms(small, regions, found.logits.shape[1])
        return {"regions": regions.to(torch.int8), "histogram": target}

    def forward(self, outputs: Tensor, features: Features, weight: Tensor | None = None) -> Tensor:
        """``[B]``; with ``weight`` every region counts by the mean weight of its pixels."""
        target = features["histogram"]
        count = target.shape[1]
        regions = features["regions"].long()
        found = histograms(functional.avg_pool2d(outputs, self.stride), regions, count)
        area = target[:, :, 0].sum(-1)  # shares of a pixel sum to 1
        if self.normaliser == "area":
            apart = (found - target).abs().sum(-1).mean(-1)
            parts = apart / area.sum(1, keepdim=True)  # area-weighted mean of apart / area
        else:
            pixels = regions.shape[1] * regions.shape[2]
            whole = pixels * count * 3 if self.normaliser == "drbn" else pixels
            parts = (found - target).abs().mean(-1).sum(-1) / whole
        return (parts if weight is None else parts * _means(weight, regions, area)).sum(1)

    def _regions(self, logits: Tensor) -> Tensor:
        classes = logits.argmax(1)
        if self.normaliser != "area":
            return classes
        inner = refined(classes)[:, :: self.stride, :: self.stride]
        height, width = (side // self.stride for side in classes.shape[1:])
        inner = inner[:, :height, :width]
        count = logits.shape[1]
        large = _areas(inner, count) >= LEAST
        kept = torch.where((inner >= 0) & _of_region(large, inner), inner, -1)
        return torch.where(large.any(1)[:, None, None], kept, 0)


class ReleaseHistogram(SemanticHistogram):
    """SCH with the normaliser of the authors' DRBN fork, at full resolution and without erosion."""

    @classmethod
    def build(cls, instruments: Instruments) -> Self:
        """The term with the segmenter that ``instruments`` provides."""
        return cls(instruments.segmenter(), normaliser="drbn")


class GlobalHistogram(SemanticHistogram):
    """The same over the whole picture as one region: what is left of SCH without semantics."""

    instrument = "none"

    def __init__(self) -> None:
        super().__init__(nn.Identity())

    @classmethod
    def build(cls, instruments: Instruments) -> Self:
        """The term; it looks through nothing."""
        del instruments
        return cls()

    def prepare(self, references: Tensor, landmarks: Tensor | None) -> dict[str, Tensor]:
        """``regions`` ``[B, h, w]`` of zeros and ``histogram`` ``[B, 1, 3, 256]`` in pixels."""
        del landmarks
        with torch.no_grad():
            small = functional.avg_pool2d(references, self.stride)
            regions = torch.zeros_like(small[:, 0], dtype=torch.int64)
            return {"regions": regions.to(torch.int8), "histogram": histograms(small, regions, 1)}


def _areas(regions: Tensor, count: int) -> Tensor:
    """Pixels of every region, ``[B, count]`` float32."""
    one_hot = functional.one_hot(regions.flatten(1) + 1, count + 1)
    return one_hot.sum(1)[:, 1:].float()


def _of_region(values: Tensor, regions: Tensor) -> Tensor:
    """The value ``[B, count]`` of the region that each place belongs to."""
    return values.gather(1, regions.clamp(min=0).flatten(1)).view(regions.shape)


def _means(weight: Tensor, regions: Tensor, area: Tensor) -> Tensor:
    """Mean weight ``[B, 1, h, w]`` of the pixels of every region, ``[B, count]``."""
    grown = functional.interpolate(weight, size=regions.shape[-2:], mode="nearest").flatten(1)
    inside = (regions >= 0).flatten(1)
    total = area.new_zeros(area.shape).scatter_add(
        1, regions.clamp(min=0).flatten(1), grown * inside
    )
    return total / area.clamp(min=1)
