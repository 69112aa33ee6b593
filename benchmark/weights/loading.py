"""Reading weights without running anything that is hidden in them."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import WeightsError

if TYPE_CHECKING:  # knowing about weights must not import torch
    from torch import Tensor

#: Where training code keeps the weights beside other things; averaged ones are what it tests with.
_NESTED = ("state_dict", "model_state_dict", "params_ema", "params")


def load_tensors(path: Path) -> dict[str, Tensor]:
    """A file's named tensors, on the CPU: safetensors, or a torch file that holds data only.

    A ``state_dict`` one level down (``params_ema`` or ``params`` in BasicSR's files) and the prefix
    ``module.`` of data-parallel training are taken off.

    Raises:
        WeightsError: if the file is damaged or its pickle wants to run code.
    """
    import torch

    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(path))
        except (SafetensorError, OSError) as error:
            raise _unreadable(path, str(error)) from error
    try:
        with warnings.catch_warnings():
            # about the age of the pickle format; the outcome says all there is to say
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            "refused: not a file of plain tensors, and reading it in full could run its code",
            where=str(path),
            mend="ask its publisher for safetensors or a plain state dict",
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, LookupError) as error:
        raise _unreadable(path, str(error)) from error
    return _named_tensors(content, path)


def _named_tensors(content: Any, path: Path) -> dict[str, Tensor]:
    import torch

    if isinstance(content, Mapping):
        inner = (content.get(name) for name in _NESTED)
        content = next((value for value in inner if isinstance(value, Mapping)), content)
    plain = isinstance(content, Mapping) and all(map(torch.is_tensor, content.values()))
    if not plain:
        raise _unreadable(path, "it is not a mapping of names to tensors")
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _unreadable(path: Path, why: str) -> WeightsError:
    first = why.splitlines()[0] if why else "unknown format"
    return WeightsError(
        f"cannot read weights: {first}", where=str(path), mend="python -m benchmark weights verify"
    )
