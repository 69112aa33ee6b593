"""The two predictors that bracket every other: the label itself, and somebody else's vector."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.contexts.base import CONTEXTS, PREDICTORS, ContextPredictor


class OraclePredictor(ContextPredictor):
    """One-hot vectors of the labels."""

    needs_labels: ClassVar[bool] = True

    def identity(self) -> dict[str, str]:
        """Nothing but the name."""
        return {"predictor": "oracle"}

    def predict(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """One-hot rows.

        Raises:
            ValueError: without labels, or with a label that is no context.
        """
        if labels is None:
            raise ValueError("the oracle predictor needs the labels")
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(CONTEXTS):
            raise ValueError(f"labels must index the {len(CONTEXTS)} contexts")
        return functional.one_hot(labels.to(images.device), len(CONTEXTS)).float()


class ShuffledPredictor(ContextPredictor):
    """Another predictor's vectors in a fixed random order (negative control, arm A6).

    The multiset of vectors, and so the distribution of weights, is untouched; their connection
    with the images is cut. Call it once with the whole set: it permutes the rows it is given.

    Args:
        base: whose vectors; the convolutional network by default.
        seed: of the permutation.
    """

    def __init__(self, base: ContextPredictor | None = None, *, seed: int = 0) -> None:
        self.base = base if base is not None else PREDICTORS.get("cnn")()
        self.seed = seed

    @property
    def knows(self) -> tuple[str, ...]:
        """What the base knows."""
        return self.base.knows

    def identity(self) -> dict[str, str]:
        """The base's identity under a prefix, and the seed."""
        inner = {f"base_{key}": value for key, value in self.base.identity().items()}
        return {"predictor": "shuffled", "seed": str(self.seed), **inner}

    def predict(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """The base's rows, permuted."""
        vectors = self.base.predict(images, labels)
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(vectors), generator=generator)
        return vectors[order.to(vectors.device)]
