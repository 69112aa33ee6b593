"""Feature networks for set-level statistics that know nothing of skin tone as such.

A kernel distance says how far a network's features moved, so which network it was belongs to the
number. These two come from elsewhere: neither was trained here, and no host is trained through the
first. Directions count and lengths do not: features are brought to one length, so that the kernel
has the same scale for every network.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmark.assets.fitting import initialised
from benchmark.data.evalset import EvalSet
from benchmark.errors import WeightsError
from benchmark.judges.arithmetic import full_precision, to_one_length
from benchmark.judges.base import Observer
from benchmark.judges.dlib_net import DIMENSIONS
from benchmark.judges.faces import FaceRecogniser
from benchmark.weights import load_tensors, require
from benchmark.weights.store import mending_command

_TRUNK = "squeezenet1_1"
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SMALLEST = 32


class DlibFeatures(Observer):
    """dlib's face descriptor at the landmarks of the reference, ``[B, 128]``."""

    @cached_property
    def _recogniser(self) -> FaceRecogniser:
        return FaceRecogniser(device=self.device)

    def identity(self) -> dict[str, str]:
        """Of the recogniser."""
        return self._recogniser.identity() | {"judge": "features-dlib"}

    @torch.inference_mode()
    def observe(
        self, images: Tensor, index: NDArray[np.int64], evalset: EvalSet
    ) -> NDArray[np.float32]:
        """See :class:`Observer`; NaN where the reference has no landmarks."""
        if evalset.landmarks is None or not np.isfinite(evalset.landmarks[index]).all((1, 2)).any():
            return np.full((len(images), DIMENSIONS), np.nan, np.float32)
        return to_one_length(self._recogniser.embed(images, evalset.landmarks[index]))


class SqueezeFeatures(Observer):
    """The last feature map of SqueezeNet 1.1, averaged over the picture, ``[B, 512]``.

    It needs no landmarks, so it serves any task; trained on ImageNet, it sees texture and colour.
    """

    def identity(self) -> dict[str, str]:
        """The digest of the weights."""
        weights = require(_TRUNK).sha256
        return {"judge": "features-squeeze", "judge_version": "1", "weights": weights}

    @cached_property
    def _trunk(self) -> nn.Module:
        from torchvision.models import squeezenet1_1

        located = require(_TRUNK)
        trunk: nn.Module = initialised(lambda: squeezenet1_1(weights=None).features, seed=0)
        tensors = {
            name.removeprefix("features."): tensor
            for name, tensor in load_tensors(located.path).items()
            if not name.startswith("classifier.")
        }
        try:
            trunk.load_state_dict(tensors)
        except RuntimeError as error:
            raise WeightsError(
                f"not the trunk {_TRUNK!r}: {error}",
                where=str(located.path),
                mend=mending_command(located.weight),
            ) from error
        return trunk.eval().requires_grad_(False).to(self.device)

    @torch.inference_mode()
    def observe(
        self, images: Tensor, index: NDArray[np.int64], evalset: EvalSet
    ) -> NDArray[np.float32]:
        """See :class:`Observer`; pictures below 32 px are enlarged."""
        del index, evalset
        images = images.to(self.device)
        if min(images.shape[-2:]) < _SMALLEST:
            scale = _SMALLEST / min(images.shape[-2:])
            images = functional.interpolate(images, scale_factor=scale, mode="bilinear")
        mean, spread = (images.new_tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _SPREAD))
        with full_precision():
            pooled = self._trunk((images - mean) / spread).mean((2, 3))
        return to_one_length(pooled.cpu().numpy())
