"""Small weights that the suite trained itself, each beside the record of how.

An asset is ``<name>.safetensors`` (tensors, stored in half precision where that is enough) and
``<name>.json`` (an :class:`AssetRecord`). They are trained by
``python -m benchmark instruments train <name>``, committed, installed with the package and checked
against the digest in the record each time they are read. Records carry no date and no time, so
training again from the same seeds on the same machine writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.errors import WeightsError
from benchmark.files import sha256_of_file, write_bytes, write_json
from benchmark.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor, nn


class AssetRecord(BaseModel):
    """How a set of weights came to be, and how good it is; read by ``instruments show``.

    Attributes:
        name: file stem.
        summary: one line for people.
        sha256: digest of the weights file.
        command: what trains it again.
        licence: SPDX identifier of the weights.
        torch: version it was trained with.
        device: kind of device it was trained on, ``cpu`` or ``cuda``.
        parameters: number of trained numbers.
        settings: seed, steps, batch, learning rate and whatever else fixes the result.
        data: what it was trained and evaluated on.
        card: measured quality, per group where there are groups.
        caveats: what it must not be used for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    summary: str
    sha256: str
    command: str
    licence: str
    torch: str
    device: str
    parameters: int
    settings: dict[str, Any]
    data: dict[str, Any]
    card: dict[str, Any]
    caveats: tuple[str, ...] = ()


class Training(Protocol):
    """Renders, trains, validates and writes one instrument."""

    def __call__(self, folder: Path | None = None, *, device: str = "cpu") -> AssetRecord:
        """Train; ``folder`` is where weights and record go, by default the installed package."""


#: What ``instruments train`` can train, by the name of the asset.
INSTRUMENTS: Registry[Training] = Registry("instrument", group="equilux.instruments")

for _name, _target, _summary in (
    ("face-embedder", "judges.embedder_training:train_embedder", "face embedder of a loss"),
    ("context-cnn", "contexts.training:train_context_predictor", "context predictor p(c|x)"),
    ("fundus-segmenter", "judges.fundus_training:train_segmenter", "vessels and lesions"),
    ("sign-reader", "judges.signs_training:train_loss_reader", "sign reader of a loss"),
    ("sign-judge", "judges.signs_training:train_judge_reader", "sign reader of record"),
    ("face-attributes", "judges.attributes_training:train_attributes", "tone, pose, expression"),
    ("probe-scenes", "judges.semantics_training:train_scenes", "what is where, for SKF"),
    ("degradation-cnn", "contexts.router.training:train_degradation_cnn", "what to restore"),
    ("degradation-probe", "contexts.router.training:train_degradation_probe", "the same, linear"),
    ("restorer-soft", "enhancers.restorers:train_soft", "against noise, softness and JPEG"),
    ("restorer-motion", "enhancers.restorers:train_motion", "against motion blur"),
    ("reconstruction", "losses.reconstruction_training:train_reconstruction", "SDAG's R, a loss"),
):
    INSTRUMENTS.add(_name, f"benchmark.{_target}", summary=_summary)


def asset_folder() -> Path:
    """The folder of the committed assets inside the installed package."""
    return Path(str(files("benchmark.assets")))


def asset_names(folder: Path | None = None) -> tuple[str, ...]:
    """Names of the assets in ``folder`` (default: the committed ones), sorted."""
    return tuple(sorted(path.stem for path in (folder or asset_folder()).glob("*.json")))


def train_command(name: str) -> str:
    """The command that makes an asset again."""
    return f"python -m benchmark instruments train {name}"


def load_record(name: str, folder: Path | None = None) -> AssetRecord:
    """The record of an asset.

    Raises:
        WeightsError: if it is absent or is no record.
    """
    path = (folder or asset_folder()) / f"{name}.json"
    try:
        return AssetRecord.model_validate(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise _damaged(name, path, "the training record is missing") from None
    except (ValidationError, ValueError) as error:
        raise _damaged(name, path, f"this is not a training record: {error}") from error


def load_asset(name: str, folder: Path | None = None) -> tuple[dict[str, Tensor], AssetRecord]:
    """Weights in single precision on the CPU, and their record.

    Args:
        name: file stem, for example ``"face-embedder"``.
        folder: where to look instead of the installed package.

    Raises:
        WeightsError: if a file is absent, or the weights are not the recorded ones.
    """
    from safetensors.torch import load_file

    record = load_record(name, folder)
    path = (folder or asset_folder()) / f"{name}.safetensors"
    if not path.is_file():
        raise _damaged(name, path, "the weights are missing")
    digest = sha256_of_file(path)
    if digest != record.sha256:
        raise _damaged(
            name, path, f"sha256 is {digest[:12]}..., the record says {record.sha256[:12]}..."
        )
    tensors = load_file(path)
    return {key: t.float() if t.is_floating_point() else t for key, t in tensors.items()}, record


def fill(network: nn.Module, state: Mapping[str, Tensor], record: AssetRecord) -> None:
    """Load an asset's weights into the network that they are for.

    Raises:
        WeightsError: if they are of another architecture.
    """
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        raise WeightsError(
            f"the weights do not fit the network: {error}",
            where=f"{record.name}.safetensors",
            mend=f"train them again: {record.command}",
        ) from error


def save_asset(
    state: Mapping[str, Tensor], *, folder: Path, half: bool = True, **record: Any
) -> AssetRecord:
    """Write weights and their record; the record last, so that a crash leaves a visible mismatch.

    Args:
        state: tensors by name, from ``state_dict``.
        folder: made if need be.
        half: store floating-point tensors as float16.
        record: the fields of :class:`AssetRecord` but ``sha256``, ``torch`` and ``command``.
    """
    import torch
    from safetensors.torch import save

    tensors = {
        key: (tensor.half() if half and tensor.is_floating_point() else tensor).cpu().contiguous()
        for key, tensor in state.items()
    }
    path = folder / f"{record['name']}.safetensors"
    write_bytes(path, save(tensors))
    complete = AssetRecord(
        **record,
        sha256=sha256_of_file(path),
        torch=torch.__version__.partition("+")[0],
        command=train_command(record["name"]),
    )
    write_json(path.with_suffix(".json"), complete.model_dump(mode="json"))
    return complete


def _damaged(name: str, path: Path, what: str) -> WeightsError:
    return WeightsError(
        what,
        where=str(path),
        mend=f"reinstall the package, or train it again (minutes): {train_command(name)}",
    )
