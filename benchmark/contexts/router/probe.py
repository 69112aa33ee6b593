"""Logistic regression on frozen features: the baseline that a zero-shot model has to beat."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.assets import AssetRecord, load_asset
from benchmark.assets.fitting import fit, initialised
from benchmark.contexts.router.base import CLASSES, DegradationClassifier
from benchmark.contexts.router.cnn import moments

ASSET = "degradation-probe"

_BATCH = 32


class Trunk(ABC):
    """Something frozen that turns pictures into numbers."""

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """Name and digest of its weights."""

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """``[B, D]`` of ``[B, 3, H, W]`` in [0, 1]."""


class SceneTrunk(Trunk):
    """The suite's scene segmenter: mean and spread of its feature maps at strides 16, 8 and 4.

    The segmenter normalises exposure away, so mean and spread of the three colour channels stand
    beside its features.
    """

    def __init__(self) -> None:
        from benchmark.judges.semantics import load_scenes

        self._bank = load_scenes()

    def identity(self) -> dict[str, str]:
        """The segmenter's digest."""
        return {"trunk": "probe-scenes", "trunk_sha256": self._bank.digest}

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """``[B, 294]``."""
        bank = self._bank.to(images.device)
        parts = [
            torch.cat([moments(images), *map(moments, bank(images).features)], 1)
            for images in torch.split(images, _BATCH)
        ]
        return torch.cat(parts or [images.new_empty(0, 6 + 2 * sum(self._bank.widths))])


@dataclass(frozen=True)
class ProbeSettings:
    """How the regression is fitted: full batches of features that are standardised first."""

    seed: int = 0
    steps: int = 400
    rate: float = 0.02
    decay: float = 0.05


class LinearProbe(DegradationClassifier):
    """Standardised features times a matrix; by default the committed one on the scene segmenter.

    Args:
        folder: where the asset is, instead of the installed package.
        trunk: what gives the features; only with ``state``.
        state: ``mean``, ``spread``, ``weight``, ``bias`` and ``temperature``, from
            :func:`fit_probe`.

    Raises:
        WeightsError: if the asset is absent, altered or was fitted to another trunk.
    """

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        trunk: Trunk | None = None,
        state: dict[str, Tensor] | None = None,
    ) -> None:
        self.record: AssetRecord | None = None
        if state is None:
            state, self.record = load_asset(ASSET, Path(folder) if folder else None)
        self._trunk = trunk or SceneTrunk()
        self._state = state

    def identity(self) -> dict[str, str]:
        """Digest of the numbers, and the trunk's identity."""
        digest = hashlib.sha256()
        for key, value in sorted(self._state.items()):
            digest.update(key.encode() + value.cpu().contiguous().numpy().tobytes())
        return {"classifier": "probe", "sha256": digest.hexdigest(), **self._trunk.identity()}

    @torch.inference_mode()
    def predict(self, images: Tensor) -> Tensor:
        """softmax(z / T)."""
        return self.of_features(self._trunk.features(images)).to(images.device)

    def of_features(self, features: Tensor) -> Tensor:
        """``[B, 5]`` of ``[B, D]``."""
        state = {key: value.to(features.device) for key, value in self._state.items()}
        z = (features - state["mean"]) / state["spread"] @ state["weight"].T + state["bias"]
        return (z / state["temperature"]).softmax(1)


def fit_probe(
    features: Tensor, labels: Tensor, settings: ProbeSettings | None = None
) -> dict[str, Tensor]:
    """Fit the regression; equal arguments give equal numbers.

    Args:
        features: ``[N, D]``.
        labels: ``[N]`` index into ``CLASSES``.
        settings: how.

    Returns:
        ``mean``, ``spread`` ``[D]``, ``weight`` ``[5, D]``, ``bias`` ``[5]`` and ``temperature``
        (1, to be fitted on other pictures).
    """
    settings = settings or ProbeSettings()
    features = features.detach().clone()  # a tensor made in inference mode has no gradient
    mean, spread = features.mean(0), features.std(0, unbiased=False).clamp(min=1e-6)
    known = (features - mean) / spread
    layer = initialised(lambda: nn.Linear(features.shape[1], len(CLASSES)), settings.seed)
    layer.to(features.device)

    def loss(generator: torch.Generator) -> Tensor:
        del generator
        return functional.cross_entropy(layer(known), labels)

    fit(
        layer.parameters(),
        loss,
        steps=settings.steps,
        rate=settings.rate,
        decay=settings.decay,
        seed=settings.seed,
        title="linear probe",
    )
    weight, bias = layer.weight.detach(), layer.bias.detach()
    one = torch.ones((), device=features.device)
    return {"mean": mean, "spread": spread, "weight": weight, "bias": bias, "temperature": one}
