"""The two readers of signs: one for a loss, and the judge of record."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.assets import fill, load_asset, load_record
from benchmark.judges.base import Reader, Reading
from benchmark.judges.signs_net import (
    CLASSES,
    SIDE,
    Answers,
    FieldLayers,
    SignField,
    SignGaze,
    SignNetwork,
)
from benchmark.probes.signs.strokes import ALPHABET
from benchmark.probes.signs.subjects import PLATE

#: Assets, and the names of the judges that use them.
LOSS_READER, JUDGE_READER = "sign-reader", "sign-judge"
_NETWORKS: dict[str, type[SignNetwork]] = {LOSS_READER: SignField, JUDGE_READER: SignGaze}
_LETTERS = np.array([*ALPHABET, ""])
_BATCH = 64


def load_network(
    name: str, *, device: torch.device | str = "cpu", folder: Path | None = None
) -> SignNetwork:
    """A trained network: frozen, in evaluation mode.

    Args:
        name: :data:`LOSS_READER` or :data:`JUDGE_READER`.
        device: where its weights go.
        folder: where the asset is, instead of the installed package.

    Raises:
        WeightsError: if the weights are absent, altered or of another architecture.
    """
    state, record = load_asset(name, folder)
    network = _NETWORKS[name]()
    fill(network, state, record)
    network.eval().requires_grad_(False)
    return network.to(device).to(memory_format=torch.channels_last)


def load_layers(device: torch.device | str = "cpu", folder: Path | None = None) -> FieldLayers:
    """What the recognition loss looks through: layers of the loss reader.

    Raises:
        WeightsError: see :func:`load_network`.
    """
    network = load_network(LOSS_READER, device=device, folder=folder)
    if not isinstance(network, SignField):
        raise TypeError(f"{LOSS_READER} is a {type(network).__name__}")
    return FieldLayers(network).requires_grad_(False)


def reading(answers: Answers, temperatures: Tensor) -> Reading:
    """The likeliest answer and the probability that the network gives to all of it.

    Args:
        answers: raw answers.
        temperatures: ``[2]`` that divide the logits of classes and of characters.
    """
    chance, number = (answers.classes / temperatures[0]).softmax(1).max(1)
    each, letter = (answers.characters / temperatures[1]).softmax(2).max(2)
    lettered = number == CLASSES.index(PLATE)
    confidence = torch.where(lettered, chance * each.prod(1), chance)
    texts = ["".join(row) for row in _LETTERS[letter.cpu().numpy()]]
    names = np.array(CLASSES)[number.cpu().numpy()]
    labels = np.where(lettered.cpu().numpy(), np.array(texts, dtype=str), names)
    return Reading(labels, confidence.double().cpu().numpy())


@torch.inference_mode()
def read_with(network: SignNetwork, images: Tensor) -> Reading:
    """Read ``[N, 3, H, W]`` in [0, 1] with a network; pictures of other sizes are resized."""
    parts = []
    for part in torch.split(images, _BATCH):
        pictures = part.to(network.temperatures)
        if pictures.shape[2:] != (SIDE, SIDE):
            pictures = functional.interpolate(
                pictures, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False
            ).clamp(0, 1)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        parts.append(reading(network(pictures), network.temperatures))
    return Reading(
        np.concatenate([part.labels for part in parts] or [np.zeros(0, dtype=str)]),
        np.concatenate([part.confidence for part in parts] or [np.zeros(0)]),
    )


class _SignReader(Reader):
    asset: ClassVar[str]

    def __init__(self, *, device: str = "cpu") -> None:
        super().__init__(device=device)
        self._network: SignNetwork | None = None

    def identity(self) -> dict[str, str]:
        """The digest of the weights."""
        return {"judge": self.asset, "weights": load_record(self.asset).sha256}

    def read(self, images: Tensor) -> Reading:
        """The name of the sign or the text of the plate, for ``[B, 3, H, W]`` in [0, 1]."""
        if self._network is None:
            self._network = load_network(self.asset, device=self.device)
        return read_with(self._network, images)


class LossReader(_SignReader):
    """Reads with the network that the recognition loss looks through: never of record."""

    asset = LOSS_READER


class JudgeReader(_SignReader):
    """Reads with the network that no training has looked through."""

    asset = JUDGE_READER
