"""Reading weights without running anything that is hidden in them."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import WeightsError

if TYPE_CHECKING:  # knowing about weights must not import torch
    from torch import Tensor, nn

#: Where training code keeps the weights beside other things; averaged ones are what it tests with.
_NESTED = ("state_dict", "model_state_dict", "params_ema", "params")
#: PyTorch before 0.4.1 and TensorFlow do not count batches, and no output depends on it.
COUNTER = ".num_batches_tracked"
_AGAIN = "get the file once more from where it came from"
#: What to do about weights of another network, where nothing better is known.
RIGHT = "take the file that belongs to this network"
_SHOWN = 4
#: In torch's account of what a pickle asked for and did not get.
_CODE = re.compile(r"GLOBAL ([\w.]+)")


def load_tensors(path: Path, *, mend: str = _AGAIN) -> dict[str, Tensor]:
    """A file's named tensors, on the CPU: safetensors, or a torch file that holds data only.

    Which of the two it is, its content says. A ``state_dict`` one level down (``params_ema`` or
    ``params`` in BasicSR's files) and the prefix ``module.`` of data-parallel training are taken
    off.

    Args:
        path: the file.
        mend: what the user can do if it is damaged or cut short.

    Raises:
        WeightsError: if the file is damaged, cut short, something else altogether, or wants to run
            code.
    """
    import torch

    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error), "check the path") from error
    if head.lstrip()[:1] == b"<":
        raise WeightsError(
            "this is a web page and no weights, as where a download wants to be confirmed",
            where=str(path),
            mend="open it in a browser: it says what is missing",
        )
    if path.suffix == ".safetensors" or head[8:] == b"{":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(path))
        except (SafetensorError, OSError) as error:
            raise _unreadable(path, str(error), mend) from error
    try:
        with warnings.catch_warnings():
            # about the age of the pickle format; the outcome says all there is to say
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(path, str(error)) from error
    except (RuntimeError, OSError, EOFError, ValueError, LookupError) as error:
        if "TorchScript" in str(error):
            raise _refused(path, "GLOBAL TorchScript") from error
        raise _unreadable(path, str(error), mend) from error
    return _named_tensors(content, path)


def refuse_misfit(
    network: nn.Module, tensors: Mapping[str, Tensor], *, where: str, mend: str = RIGHT
) -> None:
    """Every tensor of a file has one place in its network, and every place one tensor.

    Args:
        network: on any device, also the meta device; it is not touched.
        tensors: as read from a file.
        where: the file, for the message.
        mend: what the user can do if it is of another network.

    Raises:
        WeightsError: naming the keys that are missing, left over or of another shape.
    """
    wanted = {key: value.shape for key, value in network.state_dict().items()}
    missing = (key for key in wanted.keys() - tensors.keys() if not key.endswith(COUNTER))
    shapes = (
        f"{key} {list(tensors[key].shape)} instead of {list(wanted[key])}"
        for key in sorted(wanted.keys() & tensors.keys())
        if tensors[key].shape != wanted[key]
    )
    differences = {
        "missing": sorted(missing),
        "left over": sorted(tensors.keys() - wanted.keys()),
        "of another shape": list(shapes),
    }
    if any(differences.values()):
        found = "; ".join(f"{what}: {some(keys)}" for what, keys in differences.items() if keys)
        raise WeightsError(
            f"the weights are of another architecture than {type(network).__name__} ({found})",
            where=where,
            mend=mend,
        )


def some(keys: Sequence[str]) -> str:
    """The first of many keys, and how many more there are."""
    more = len(keys) - _SHOWN
    return ", ".join(keys[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _refused(path: Path, why: str) -> WeightsError:
    """For what is code, or may be; the first name that its pickle asks for is told."""
    wanted = _CODE.search(why)
    asks = f" ({wanted[1]})" if wanted else ""
    return WeightsError(
        f"refused: not a file of plain tensors, and reading it in full could run its code{asks}",
        where=str(path),
        mend="ask its publisher for safetensors or a plain state dict",
    )


def _named_tensors(content: Any, path: Path) -> dict[str, Tensor]:
    import torch

    if isinstance(content, Mapping):
        inner = (content.get(name) for name in _NESTED)
        content = next((value for value in inner if isinstance(value, Mapping)), content)
    plain = isinstance(content, Mapping) and all(map(torch.is_tensor, content.values()))
    if not plain:
        raise _unreadable(
            path, "it is no mapping of names to tensors", "save the network's state_dict() instead"
        )
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _unreadable(path: Path, why: str, mend: str) -> WeightsError:
    first = why.splitlines()[0] if why else "it ends at once"
    return WeightsError(f"cannot read weights: {first}", where=str(path), mend=mend)
