"""Running an enhancer over every sample, turning whatever goes wrong into a row with a status."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.data.views import OK
from benchmark.enhancers.adapters.outputs import OutputFolder
from benchmark.enhancers.base import Enhancer

MISSING, NONFINITE, WRONG_SIZE = "missing_output", "nonfinite_output", "wrong_size"
#: Of a host whose training could not go on.
UNTRAINED = "training_failed"


@dataclass(frozen=True)
class Outputs:
    """What a system made of a dataset.

    Attributes:
        images: ``[N, H, W, 3]`` uint8; zeros where the status is not ``ok``.
        status: ``[N]`` text, one of ``ok``, ``missing_output`` (the enhancer raised),
            ``nonfinite_output``, ``wrong_size``, ``training_failed`` or the status the sample
            already had.
        milliseconds: ``[N]`` wall time per image, the batch's time shared equally.
        errors: the first message of each kind, for the report.
    """

    images: NDArray[np.uint8]
    status: NDArray[np.object_]
    milliseconds: NDArray[np.float64]
    errors: tuple[str, ...]


def enhance_all(
    enhancer: Enhancer,
    evalset: EvalSet,
    *,
    device: torch.device,
    batch: int = 16,
    advance: Callable[[int], None] = lambda steps: None,
) -> Outputs:
    """Enhance every decodable sample; a batch that fails is retried image by image."""
    count = len(evalset)
    images = np.zeros_like(evalset.inputs)
    status = evalset.frame["status"].to_numpy(dtype=object).copy()
    milliseconds = np.full(count, np.nan)
    errors: dict[str, str] = {}
    usable = np.flatnonzero(status == OK)
    for start in range(0, len(usable), batch):
        rows = usable[start : start + batch]
        clock = time.perf_counter()
        results = _attempt(enhancer, evalset, rows, device, errors)
        milliseconds[rows] = (time.perf_counter() - clock) * 1000 / len(rows)
        for row, result in zip(rows, results, strict=True):
            status[row], pixels = _judge_output(result, images.shape[1:3])
            if pixels is not None:
                images[row] = pixels
        advance(len(rows))
    return Outputs(images, status, milliseconds, tuple(errors.values()))


def no_outputs(evalset: EvalSet, why: str) -> Outputs:
    """What a host makes of a dataset whose training could not go on."""
    status = evalset.frame["status"].to_numpy(dtype=object).copy()
    status[status == OK] = UNTRAINED
    nothing = np.full(len(evalset), np.nan)
    return Outputs(np.zeros_like(evalset.inputs), status, nothing, (why,))


def read_all(
    folder: OutputFolder, evalset: EvalSet, *, advance: Callable[[int], None] = lambda steps: None
) -> Outputs:
    """The pictures that a system made elsewhere; those that are not there are failures."""
    count = len(evalset)
    images = np.zeros_like(evalset.inputs)
    status = evalset.frame["status"].to_numpy(dtype=object).copy()
    absent: list[str] = []
    for row in np.flatnonzero(status == OK):
        name = str(evalset.frame["sample"].iloc[row])
        (result,) = folder.read([name])
        absent += [name] if result is None else []
        status[row], pixels = _judge_output(result, images.shape[1:3])
        if pixels is not None:
            images[row] = pixels
        advance(1)
    errors = [f"{len(absent)} samples have no readable picture: {absent[0]} ..."] if absent else []
    return Outputs(images, status, np.full(count, np.nan), tuple(errors))


def to_batch(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """``[B, H, W, 3]`` uint8 to ``[B, 3, H, W]`` float32 in [0, 1]."""
    batch = torch.from_numpy(np.ascontiguousarray(images)).to(device)
    return batch.permute(0, 3, 1, 2).float() / 255


def _attempt(
    enhancer: Enhancer,
    evalset: EvalSet,
    rows: NDArray[np.intp],
    device: torch.device,
    errors: dict[str, str],
) -> list[Tensor | None]:
    inputs = to_batch(evalset.inputs[rows], device)
    clean = to_batch(evalset.references[rows], device) if enhancer.needs_reference else None
    try:
        with torch.inference_mode():
            result = enhancer.enhance(inputs, clean)
        batched = isinstance(result, Tensor) and result.ndim == 4 and len(result) == len(rows)
        # one image may have made the whole batch another size: then the others are asked again
        if batched and (len(rows) == 1 or result.shape == inputs.shape):
            return list(result.detach().cpu())
        message = f"returned {_describe(result)} for a batch of shape {tuple(inputs.shape)}"
    # an enhancer is somebody else's code: whatever it raises is a failure of that system,
    # counted against it, and must not cost the others their run
    except Exception as error:
        message = f"raised {type(error).__name__}: {error}"
    if len(rows) > 1:
        singles = [
            _attempt(enhancer, evalset, rows[i : i + 1], device, errors) for i in range(len(rows))
        ]
        return [single[0] for single in singles]
    errors.setdefault(message.split(":")[0], message)
    return [None]


def _describe(result: object) -> str:
    return f"shape {tuple(result.shape)}" if isinstance(result, Tensor) else type(result).__name__


def _judge_output(
    result: Tensor | None, size: tuple[int, ...]
) -> tuple[str, NDArray[np.uint8] | None]:
    if result is None:
        return MISSING, None
    if tuple(result.shape) != (3, *size):
        return WRONG_SIZE, None
    if not torch.isfinite(result).all():
        return NONFINITE, None
    pixels = (result.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return OK, pixels.permute(1, 2, 0).numpy()
