"""VGG-16 up to relu5_1, which EnlightenGAN compares its input and output through."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmark.weights import WeightStore, load_tensors

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_POOL4, _RELU5_1 = 23, 26


class SelfFeatures(nn.Module):
    """Without the pooling before conv5_1, as released: small patches would leave nothing.

    The release reads weights of the network's Caffe version; these are torchvision's, with the
    normalisation that belongs to them.
    """

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import vgg16

        with torch.device("meta"):  # the classifier would take half a gigabyte
            self.features = vgg16(weights=None, init_weights=False).features[:_RELU5_1]
        self.features[_POOL4] = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, H, W]`` in [0, 1] to ``[B, 512, H / 8, W / 8]``."""
        mean, std = (images.new_tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _STD))
        result: Tensor = self.features((images - mean) / std)
        return result


def load_features(store: WeightStore | None = None) -> SelfFeatures:
    """The trunk with torchvision's weights.

    Raises:
        WeightsError: if they are absent, with the command that brings them.
    """
    from benchmark.enhancers.published.enhancer import fill

    found = (store or WeightStore()).require("vgg16")
    network = SelfFeatures()
    wanted = network.state_dict().keys()
    tensors = {key: value for key, value in load_tensors(found.path).items() if key in wanted}
    fill(network, tensors, where=str(found.path))
    return network
