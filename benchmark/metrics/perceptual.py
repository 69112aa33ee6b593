"""LPIPS through the ``lpips`` package, wherever its trunk is on this machine."""

from __future__ import annotations

import warnings
from functools import cached_property, lru_cache
from importlib.metadata import version
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.errors import WeightsError
from benchmark.judges.arithmetic import full_precision
from benchmark.metrics.base import Column, MetricSpec, Scorer, State, Unavailable
from benchmark.metrics.fidelity import column, inside, to_batch, valid_pixels
from benchmark.weights import WeightStore, load_tensors, require
from benchmark.weights.store import mending_command

Trunk = Literal["squeeze", "alex", "vgg"]

_WEIGHTS: dict[Trunk, str] = {"squeeze": "squeezenet1_1", "alex": "alexnet", "vgg": "vgg16"}
#: Smallest side at which no pooling layer of the trunk runs out of pixels.
_MIN_SIDE: dict[Trunk, int] = {"squeeze": 17, "alex": 35, "vgg": 16}


class _Lpips(Scorer):
    """LPIPS on one trunk; images go in as [-1, 1]."""

    trunk: ClassVar[Trunk]

    def unavailable(self) -> Unavailable | None:
        """Unavailable without the trunk's weights; the heads come with the package."""
        status = WeightStore().status(_WEIGHTS[self.trunk])
        if status.path is not None and status.state != "wrong":
            return None
        return Unavailable(
            f"the trunk {status.weight.name!r} is {status.state}", mending_command(status.weight)
        )

    def identity(self) -> dict[str, str]:
        """The package's release, the trunk's digest."""
        return {
            "lpips": version("lpips"),
            "trunk": require(_WEIGHTS[self.trunk]).sha256,
            "metric": f"{self.specs[0].name}={self.specs[0].version}",
        }

    def score(
        self, outputs: Tensor, index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        """See :class:`Scorer`; NaN where the images are too small or no pixel is valid.

        Outside the valid pixels the output is taken to be the reference.
        """
        name = self.specs[0].name
        if min(outputs.shape[-2:]) < _MIN_SIDE[self.trunk]:
            return {name: np.full(len(outputs), np.nan)}
        references = to_batch(evalset.references[index], outputs)
        valid = valid_pixels(evalset, index, outputs)
        shown = inside(outputs, references, valid)
        with full_precision():
            distance = column(self._model(shown * 2 - 1, references * 2 - 1).flatten())
        if valid is not None:
            distance[~valid.any(2).any(1).cpu().numpy()] = np.nan
        return {name: distance}

    @cached_property
    def _model(self) -> Any:
        return lpips_model(self.trunk).to(self.device)


def _spec(trunk: Trunk, licence: str) -> MetricSpec:
    return MetricSpec(
        f"lpips-{trunk}",
        "2",
        -1,
        "",
        (0, np.inf),
        frozenset({"reference", "weights"}),
        f"learned perceptual distance on {_WEIGHTS[trunk]}, version 0.1",
        ratio_scale=True,
        licence=licence,
        source="Zhang et al. 2018",
    )


class LpipsSqueeze(_Lpips):
    """LPIPS on SqueezeNet 1.1."""

    trunk = "squeeze"
    specs = (_spec("squeeze", "BSD-2-Clause"),)


class LpipsAlex(_Lpips):
    """LPIPS on AlexNet."""

    trunk = "alex"
    specs = (_spec("alex", "BSD-2-Clause"),)


class LpipsVgg(_Lpips):
    """LPIPS on VGG-16."""

    trunk = "vgg"
    specs = (_spec("vgg", "BSD-2-Clause"),)


@lru_cache(maxsize=3)
def lpips_model(trunk: Trunk) -> Any:
    """The network of the ``lpips`` package with its heads and a trunk from our store; frozen.

    Raises:
        WeightsError: if the trunk is absent or does not fit.
    """
    import lpips

    located = require(_WEIGHTS[trunk])
    with warnings.catch_warnings():
        # torchvision's notice about the old spelling that lpips uses
        warnings.simplefilter("ignore")
        model = lpips.LPIPS(net=trunk, pnet_rand=True, verbose=False)
    tensors = {
        name.removeprefix("features."): tensor
        for name, tensor in load_tensors(located.path).items()
    }
    # lpips numbers torchvision's layers as torchvision does, below the slice each belongs to
    wanted = {name: name.partition(".")[2] for name in model.net.state_dict()}
    lacking = sorted(set(wanted.values()) - set(tensors))
    if lacking:
        raise WeightsError(
            f"not the trunk {located.weight.name!r}: it lacks {lacking[0]}",
            where=str(located.path),
            mend=mending_command(located.weight),
        )
    model.net.load_state_dict({name: tensors[layer] for name, layer in wanted.items()})
    return model.requires_grad_(False).eval()
