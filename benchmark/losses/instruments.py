"""The networks that loss terms look through in a real run."""

from __future__ import annotations

from typing import cast

from torch import nn

from benchmark.losses.base import Instruments


def default_instruments() -> Instruments:
    """The suite's own face embedder and sign reader; LPIPS through trunks in the weight store."""
    return Instruments(embedder=_embedder, perceptual=_lpips, reader=_reader)


def _embedder() -> nn.Module:
    from benchmark.judges.embedder import load_embedder

    return load_embedder()


def _reader() -> nn.Module:
    from benchmark.judges.signs import load_layers

    return load_layers()


def _lpips(trunk: str) -> nn.Module:
    from benchmark.metrics.perceptual import Trunk, lpips_model

    return cast(nn.Module, lpips_model(cast(Trunk, trunk)))
