"""Which contexts there are, and what predicts them from an image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from benchmark.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

#: The contexts, in the order of every context axis (methods, section 1.2). The only definition.
CONTEXTS: tuple[str, ...] = ("generic", "medical", "face", "lowlight")


class ContextPredictor(ABC):
    """p(c|x): how much an image belongs to each context.

    Vectors are computed once for a training set and cached, so that every arm sees the same; no
    gradient flows through them. The input is the degraded image, as it would be in deployment.
    """

    #: True only where the answer is the label itself.
    needs_labels: ClassVar[bool] = False

    @property
    def knows(self) -> tuple[str, ...]:
        """The contexts that can get probability; every other column is exactly zero."""
        return CONTEXTS

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """What the vectors depend on besides the images: name, weight digest, seed."""

    @abstractmethod
    def predict(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Context vectors.

        Args:
            images: ``[B, 3, H, W]`` float32, sRGB, in [0, 1], degraded; any device.
            labels: ``[B]`` int64, index into :data:`CONTEXTS`; only where :attr:`needs_labels`.

        Returns:
            ``[B, K]`` float32 on the device of ``images``, rows at least 0 and of sum 1,
            columns in the order of :data:`CONTEXTS`.
        """


#: Factories that work without arguments.
PREDICTORS: Registry[type[ContextPredictor]] = Registry(
    "context predictor", group="equilux.contexts"
)
