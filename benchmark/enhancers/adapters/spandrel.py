"""A file of weights whose architecture spandrel recognises, as an enhancer."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark.enhancers.base import Enhancer
from benchmark.errors import EquiluxError, WeightsError
from benchmark.weights import load_tensors, some


class SpandrelEnhancer(Enhancer):
    """One of spandrel's restorers; its network pads the image as it needs.

    The file is read by this suite, as plain tensors, and never unpickled in full.

    Args:
        file: safetensors or a torch file.

    Raises:
        EquiluxError: if spandrel is not installed.
        WeightsError: if the file cannot be read, its architecture is not known, or the network
            does not map RGB images to RGB images of the same size.
    """

    def __init__(self, file: Path) -> None:
        spandrel = _spandrel()
        if not file.is_file():
            raise WeightsError("no such file", where=str(file), mend="check the path")
        tensors = load_tensors(file)
        try:
            found = spandrel.ModelLoader(device="cpu").load_from_state_dict(tensors)
        # beside its own UnsupportedModelError, architectures fail on files that only look like them
        except Exception as error:
            raise WeightsError(
                f"spandrel knows no architecture with these keys: {some(sorted(tensors))}"
                + (f" ({type(error).__name__}: {error})" if str(error) else ""),
                where=str(file),
                mend="see spandrel's list of architectures, or wrap it as module:factory",
            ) from error
        _check(found, file)
        #: What spandrel says that it is for, such as ``Restoration`` or ``FaceSR``.
        self.purpose: str = found.purpose
        self._network = found.eval()

    @torch.inference_mode()
    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """The network's outputs; spandrel takes one image at a time."""
        network = self._network.to(images.device)
        return torch.cat([network(image[None]) for image in images])


def _spandrel() -> Any:
    try:
        return importlib.import_module("spandrel")
    except ImportError as error:
        raise EquiluxError(
            "these weights need spandrel, which is not installed", mend="pip install spandrel"
        ) from error


def _check(found: Any, file: Path) -> None:
    """Refuse what is no restorer of RGB images."""
    why = ""
    if found.purpose == "Inpainting":
        why = "it fills in masked regions"
    elif found.scale != 1:
        why = f"it enlarges images by {found.scale}"
    elif (found.input_channels, found.output_channels) != (3, 3):
        why = f"it maps {found.input_channels} channels to {found.output_channels}"
    if why:
        raise WeightsError(
            f"{found.architecture.name} is not an enhancer: {why}",
            where=str(file),
            mend="use a network that maps RGB images to RGB images of the same size",
        )
