"""The networks that loss terms look through in a real run."""

from __future__ import annotations

from torch import nn

from benchmark.errors import WeightsError
from benchmark.losses.base import Instruments


def default_instruments() -> Instruments:
    """The suite's own face embedder; LPIPS through trunks in the weight store."""
    return Instruments(embedder=_embedder, perceptual=_lpips)


def _embedder() -> nn.Module:
    from benchmark.judges.embedder import load_embedder

    return load_embedder()


_TRUNKS = {"squeeze": "squeezenet1_1", "alex": "alexnet", "vgg": "vgg16"}


def _lpips(trunk: str) -> nn.Module:
    """LPIPS with its own linear layers on a trunk from the store; nothing is downloaded.

    Raises:
        WeightsError: if the trunk is absent or does not fit.
    """
    from benchmark.weights.loading import load_tensors
    from benchmark.weights.store import WeightStore

    found = WeightStore().require(_TRUNKS[trunk])
    import lpips

    distance: nn.Module = lpips.LPIPS(net=trunk, pnet_rand=True, verbose=False)
    layers = distance.get_submodule("net")
    own = layers.state_dict()
    published = [v for k, v in load_tensors(found.path).items() if k.startswith("features.")]
    # the trunk's layers come in the order of the published network, under names of its own
    fits = [a.shape == b.shape for a, b in zip(own.values(), published, strict=False)]
    if len(published) < len(own) or not all(fits):
        raise WeightsError(
            f"these weights are not the feature layers of {trunk}",
            where=str(found.path),
            mend=f"python -m benchmark weights fetch {_TRUNKS[trunk]}",
        )
    layers.load_state_dict(dict(zip(own, published, strict=False)))
    return distance.eval().requires_grad_(False)
