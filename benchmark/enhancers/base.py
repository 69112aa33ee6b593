"""What an enhancer is: a function from image batches to image batches of the same shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from benchmark.registry import Registry


class Enhancer(ABC):
    """Maps degraded images to enhanced ones.

    An enhancer may return anything: the runner checks shape and finiteness and turns a bad
    output into a row with a status, so implementations need not guard themselves.
    """

    #: True only for the oracle, which is handed the clean reference and returns it.
    needs_reference: ClassVar[bool] = False

    @abstractmethod
    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """Enhance a batch.

        Args:
            images: ``[B, 3, H, W]`` float32, sRGB, in [0, 1], on any device.
            references: the clean images, only when :attr:`needs_reference`.

        Returns:
            ``[B, 3, H, W]`` float32, sRGB; values outside [0, 1] are clipped by the runner.
        """


#: Factories without arguments; hosts that are trained here are registered in ``hosts``.
ENHANCERS: Registry[Callable[[], Enhancer]] = Registry("enhancer", group="equilux.enhancers")
