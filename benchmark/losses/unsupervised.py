"""Zero-DCE's four losses: an image is improved without anybody saying what it should look like.

Guo et al., "Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement", CVPR 2020,
eqs 4 to 8. Every loss is one scalar per sample; none looks at a reference. Where the paper and its
release differ the release's form and weights are taken (200, 1, 5, 10; the paper prints 20 and 0.5
for smoothness and colour), with one exception: :func:`spatial_consistency` has no padding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

#: The losses in the order of the columns, and the weight of each.
TERMS = ("smoothness", "spatial", "colour", "exposure")
WEIGHTS = (200.0, 1.0, 5.0, 10.0)

#: Mean brightness of a well-exposed patch, and the sides of the patches, in pixels.
WELL_EXPOSED = 0.6
_EXPOSURE_PATCH = 16
_SPATIAL_PATCH = 4


class ZeroReference(nn.Module):
    """The four losses of a batch, unweighted; :data:`WEIGHTS` belong to the objective."""

    def forward(self, inputs: Tensor, outputs: Tensor, curves: Tensor) -> Tensor:
        """Every loss of every sample, ``[B, 4]`` in the order of :data:`TERMS`.

        Args:
            inputs: ``[B, 3, H, W]`` in [0, 1].
            outputs: what the network made of them, the same shape.
            curves: ``[B, C, H, W]`` parameters of the curves that it used.
        """
        return torch.stack(
            [
                smoothness(curves),
                spatial_consistency(outputs, inputs),
                colour_constancy(outputs),
                exposure(outputs),
            ],
            1,
        )


def smoothness(curves: Tensor) -> Tensor:
    """Total variation of curve maps, eq. 8 in the release's form.

    Squared differences of neighbours, averaged over places, summed over maps and both directions,
    times 2.

    Args:
        curves: ``[B, C, H, W]``.

    Returns:
        ``[B]``, at least 0.
    """
    parts = [
        curves.diff(dim=axis).square().mean((2, 3)).sum(1)
        for axis in (2, 3)
        if curves.shape[axis] > 1
    ]
    return 2 * sum(parts, curves.new_zeros(len(curves)))


def spatial_consistency(outputs: Tensor, inputs: Tensor) -> Tensor:
    """How far neighbouring patches of 4 x 4 pixels change their difference in brightness, eq. 4.

    Per patch, the squared change is summed over the neighbours that it has, then averaged. The
    release pads with black instead, so that a patch at the border is compared with 0: there the
    squared brightening itself is the loss. At 256 pixels that is most of it, at 32 nearly all, and
    it asks that dark pictures stay dark.

    Args:
        outputs: ``[B, 3, H, W]``, H and W at least 4.
        inputs: the same shape.

    Returns:
        ``[B]``, at least 0; 0 for equal images and for those that differ by a constant.
    """
    change = functional.avg_pool2d((outputs - inputs).mean(1, keepdim=True), _SPATIAL_PATCH)
    pairs = [change.diff(dim=axis).square().sum((1, 2, 3)) for axis in (2, 3)]
    # both patches of a pair have the other for a neighbour
    return 2 * (pairs[0] + pairs[1]) / (change.shape[-2] * change.shape[-1])


def colour_constancy(outputs: Tensor) -> Tensor:
    """Distance from a grey world: norm of the three squared differences of channel means, eq. 7.

    Args:
        outputs: ``[B, 3, H, W]``.

    Returns:
        ``[B]``, at least 0.
    """
    red, green, blue = outputs.mean((2, 3)).unbind(1)
    squares = torch.stack([red - green, red - blue, green - blue], 1).square()
    # its gradient is 0, not NaN, where all three vanish
    norm: Tensor = torch.linalg.vector_norm(squares, dim=1)
    return norm


def exposure(outputs: Tensor, level: float = WELL_EXPOSED) -> Tensor:
    """Mean squared distance of the brightness of 16 x 16 patches from ``level``, eq. 5.

    Args:
        outputs: ``[B, 3, H, W]``; a smaller picture is one patch, an incomplete one is left out.
        level: in [0, 1].

    Returns:
        ``[B]``, at least 0.
    """
    height, width = outputs.shape[-2:]
    patch = (min(_EXPOSURE_PATCH, height), min(_EXPOSURE_PATCH, width))
    means = functional.avg_pool2d(outputs.mean(1, keepdim=True), patch)
    return (means - level).square().mean((1, 2, 3))
