"""Checkpoints of TensorFlow as state dicts: KinD and KinD++ were released in it.

TensorFlow itself is not needed here. Where it is installed, its reader turns a checkpoint into an
archive of arrays (docs/published-enhancers.md has the lines); :func:`convert` does the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from benchmark.errors import WeightsError
from benchmark.files import write_bytes

_LEAVES = {
    "weights": "weight",
    "kernel": "weight",
    "gamma": "weight",
    "biases": "bias",
    "bias": "bias",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def convert(archives: Iterable[Path], out: Path) -> None:
    """Write the variables of NumPy archives (``.npz``) as one file of safetensors.

    Args:
        archives: one for each checkpoint; no variable may be in two of them.
        out: the file, for ``python -m benchmark weights add``.

    Raises:
        WeightsError: for an archive that cannot be read, or a variable that is none of a layer's.
    """
    variables: dict[str, NDArray[np.generic]] = {}
    for path in archives:
        try:
            with np.load(path, allow_pickle=False) as archive:
                variables |= {name: archive[name] for name in archive.files}
        except (OSError, ValueError, EOFError) as error:
            raise WeightsError(
                f"cannot read an archive of arrays: {error}", where=str(path)
            ) from error
    write_bytes(out, save(state_of(variables)))


def state_of(variables: Mapping[str, NDArray[np.generic]]) -> dict[str, Tensor]:
    """TensorFlow's variables under PyTorch's names and in its order of axes.

    Args:
        variables: by name, for example ``DecomNet/g_conv1_1/weights``. A kernel is height, width,
            input, output (a transposed one height, width, output, input); PyTorch's has the last
            two first, in the opposite order, for both.

    Raises:
        WeightsError: naming a variable that is none of a layer's, as an optimiser leaves them.
    """
    state = {}
    for name, values in variables.items():
        *path, leaf = name.split("/")
        if leaf not in _LEAVES or not path:
            raise WeightsError(
                f"the variable {name!r} is no layer's", mend="archive the networks' variables only"
            )
        tensor = torch.from_numpy(np.array(values))  # a copy: archives are read-only
        if tensor.ndim == 4:
            tensor = tensor.permute(3, 2, 0, 1).contiguous()
        state[".".join([*path, _LEAVES[leaf]])] = tensor
    return state
