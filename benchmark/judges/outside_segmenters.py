"""Segmenters of other people as knowledge banks: torchvision's and those of transformers.

Neither downloads anything: torchvision's weights are taken from where torch.hub keeps them, and a
transformers model from a folder or from the Hub's cache on this machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.errors import UnknownNameError, WeightsError
from benchmark.files import sha256_of_file
from benchmark.judges.semantics import KnowledgeBank, Semantics
from benchmark.weights.loading import load_tensors, refuse_misfit

_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: torchvision's segmenters whose trunks have a layer at each of the three strides.
_TORCHVISION: Mapping[str, tuple[str, tuple[str, str, str], tuple[int, int, int]]] = {
    # the dilated trunk of DeepLab stays at stride 8: its last three stages are the three levels
    "deeplabv3_resnet50": (
        "DeepLabV3_ResNet50_Weights",
        ("layer4", "layer2", "layer1"),
        (2048, 512, 256),
    ),
    "lraspp_mobilenet_v3_large": (
        "LRASPP_MobileNet_V3_Large_Weights",
        ("16", "6", "3"),
        (960, 40, 24),
    ),
}


class TorchvisionBank(KnowledgeBank):
    """A segmenter of torchvision; features are outputs of layers of its trunk.

    Args:
        network: with ``backbone`` and an output ``out`` of logits.
        layers: of the trunk, coarsest first.
        widths: channels of their outputs.
        classes: of the logits.
        digest: SHA-256 of the weights.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        layers: tuple[str, str, str],
        widths: tuple[int, int, int],
        classes: tuple[str, ...],
        digest: str,
    ) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        self.widths, self.classes, self._digest = widths, classes, digest
        self._layers = layers
        self._seen: dict[str, Tensor] = {}
        for layer in layers:
            self.network.get_submodule(f"backbone.{layer}").register_forward_hook(
                partial(self._see, layer)
            )
        self.eval()

    @property
    def digest(self) -> str:
        """Of the weights file."""
        return self._digest

    @torch.no_grad()
    def forward(self, images: Tensor) -> Semantics:
        """What is in ``[B, 3, H, W]``, normalised as ImageNet's pictures are."""
        logits: Tensor = self.network(normalised(images))["out"]
        coarse, middle, fine = (self._seen.pop(layer) for layer in self._layers)
        return Semantics(logits, (coarse, middle, fine))

    def _see(self, layer: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        del module, inputs
        self._seen[layer] = output


def load_torchvision(name: str) -> KnowledgeBank:
    """The torchvision segmenter ``name`` with the weights that torch.hub keeps on this machine.

    Raises:
        UnknownNameError: for a name that is not among those wired here.
        WeightsError: if its weights are absent.
    """
    from torchvision.models import segmentation

    if name not in _TORCHVISION:
        raise UnknownNameError(
            f"no torchvision segmenter {name!r} is wired as a knowledge bank",
            mend=f"known: {', '.join(sorted(_TORCHVISION))}",
        )
    enum, layers, widths = _TORCHVISION[name]
    weights = getattr(segmentation, enum).DEFAULT
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    if not path.is_file():
        raise WeightsError(
            f"the weights of torchvision's {name} are not on this machine",
            where=str(path),
            mend=f"download {weights.url} to that place",
        )
    network = getattr(segmentation, name)(weights=None, weights_backbone=None, aux_loss=None)
    state = {n: t for n, t in load_tensors(path).items() if not n.startswith("aux_classifier.")}
    refuse_misfit(network, state, where=str(path))
    network.load_state_dict(state)
    return TorchvisionBank(
        network,
        layers=layers,
        widths=widths,
        classes=tuple(weights.meta["categories"]),
        digest=sha256_of_file(path),
    )


class TransformersBank(KnowledgeBank):
    """A semantic segmenter of transformers; features are its hidden states at three strides.

    Args:
        network: returns ``logits`` and ``hidden_states``.
        classes: of the logits.
        mean, spread: of its own normalisation, one number a channel.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        classes: tuple[str, ...],
        mean: tuple[float, ...] = _MEAN,
        spread: tuple[float, ...] = _SPREAD,
    ) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        self.classes, self._mean, self._spread = classes, mean, spread
        self.eval()
        found = self(torch.zeros(1, 3, 128, 128)).features
        self.widths = (found[0].shape[1], found[1].shape[1], found[2].shape[1])
        digest = hashlib.sha256()
        for key, value in sorted(self.network.state_dict().items()):
            digest.update(key.encode())
            digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
        self._digest = digest.hexdigest()

    @property
    def digest(self) -> str:
        """Of names and values of the weights."""
        return self._digest

    @torch.no_grad()
    def forward(self, images: Tensor) -> Semantics:
        """What is in ``[B, 3, H, W]``, normalised as the model's own card says."""
        height, width = images.shape[-2:]
        found: Any = self.network(
            normalised(images, self._mean, self._spread), output_hidden_states=True
        )
        maps = [m for m in found.hidden_states if m.ndim == 4]
        by_size = sorted(maps, key=lambda m: m.shape[-1])
        coarse, middle, fine = (
            min(by_size, key=lambda m: abs(m.shape[-1] - width / stride)) for stride in (16, 8, 4)
        )
        logits = functional.interpolate(found.logits, (height, width), mode="bilinear")
        return Semantics(logits, (coarse, middle, fine))


def load_transformers(folder: str) -> KnowledgeBank:
    """A semantic segmenter (SegFormer, UperNet ...) in a folder or in the Hub's cache.

    Raises:
        WeightsError: if it is on this machine in neither, or cannot be read.
    """
    from transformers import AutoImageProcessor, AutoModelForSemanticSegmentation

    try:
        network = AutoModelForSemanticSegmentation.from_pretrained(
            folder, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"no segmenter of transformers can be read from {folder!r}: "
            f"{str(error).splitlines()[0]}",
            where=folder,
            mend="name a folder that holds config.json and model.safetensors; "
            "nothing is downloaded",
        ) from error
    try:
        processor = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            folder, local_files_only=True
        )
        mean, spread = tuple(processor.image_mean), tuple(processor.image_std)
    except (OSError, ValueError):
        mean, spread = _MEAN, _SPREAD
    names = network.config.id2label
    return TransformersBank(
        network, classes=tuple(names[i] for i in range(len(names))), mean=mean, spread=spread
    )


def normalised(
    images: Tensor, mean: tuple[float, ...] = _MEAN, spread: tuple[float, ...] = _SPREAD
) -> Tensor:
    """Pictures in [0, 1] as a segmenter's training had them: each channel minus mean, by spread."""
    centre, width = (images.new_tensor(v)[:, None, None] for v in (mean, spread))
    return (images.clamp(0, 1) - centre) / width
