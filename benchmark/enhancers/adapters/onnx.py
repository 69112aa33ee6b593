"""An ONNX file as an enhancer, by onnxruntime."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.enhancers.base import Enhancer
from benchmark.errors import DataError, EquiluxError, WeightsError


class OnnxEnhancer(Enhancer):
    """One input ``[B, 3, H, W]`` float32 in [0, 1], the first output the same; runs on the CPU.

    Where the file fixes the batch, images go through in batches of that size, or one by one.

    Args:
        file: the model; it holds operations and numbers, and cannot run other code.

    Raises:
        EquiluxError: if onnxruntime is not installed.
        WeightsError: if the file cannot be read, or its input is not a batch of RGB images.
    """

    def __init__(self, file: Path) -> None:
        runtime = _onnxruntime()
        if not file.is_file():
            raise WeightsError("no such file", where=str(file), mend="check the path")
        try:
            with _contained():
                self._session = runtime.InferenceSession(
                    str(file), _options(runtime), providers=["CPUExecutionProvider"]
                )
        # onnxruntime's errors share no base class but Exception
        except Exception as error:
            first = str(error).strip().splitlines()[0]
            raise WeightsError(
                f"onnxruntime cannot read it: {first}", where=str(file), mend="export it again"
            ) from error
        self._input, self._size = _checked_input(self._session, file)

    @torch.inference_mode()
    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """The model's first output, on the device of ``images``.

        Raises:
            DataError: if the file fixes another image size.
        """
        wanted = self._size[2:]
        for side, given in zip(wanted, images.shape[2:], strict=True):
            if isinstance(side, int) and side != given:
                raise DataError(
                    f"the ONNX model takes {_text(wanted)} pixels, not {_text(images.shape[2:])}",
                    mend="export it with dynamic height and width",
                )
        batch = self._size[0]
        step = batch if isinstance(batch, int) else max(len(images), 1)
        if len(images) % step:
            raise DataError(
                f"the ONNX model takes batches of {step}, which do not divide {len(images)} images",
                mend="export it with a dynamic batch, or a batch of one",
            )
        with _contained():
            pieces = [
                self._session.run(None, {self._input: _array(piece)})[0]
                for piece in torch.split(images, step)
            ]
        return torch.from_numpy(np.concatenate(pieces)).to(images)


def _onnxruntime() -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise EquiluxError(
            "ONNX files need onnxruntime, which is not installed", mend="pip install onnxruntime"
        ) from error


def _options(runtime: Any) -> Any:
    """As many threads as torch has, and numbers below the smallest normal one as zero.

    Weight decay leaves such numbers by the thousand, and a CPU takes each through microcode.
    """
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options


@contextmanager
def _contained() -> Iterator[None]:
    """Give the calling thread its small numbers back.

    onnxruntime sets the mode of the processor and leaves it: afterwards scipy's KD-tree, which
    steps from 0 to the next number above it, would never end.
    """
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _checked_input(session: Any, file: Path) -> tuple[str, list[int | str | None]]:
    inputs = session.get_inputs()
    first = inputs[0]
    shape = list(first.shape)
    images = len(shape) == 4 and (shape[1] == 3 or not isinstance(shape[1], int))
    if len(inputs) != 1 or first.type != "tensor(float)" or not images:
        found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
        raise WeightsError(
            f"the model's input is not one batch of RGB images in float32 but {found}",
            where=str(file),
            mend="export it with one input [B, 3, H, W] of float32",
        )
    return first.name, shape


def _array(images: Tensor) -> Any:
    return np.ascontiguousarray(images.cpu().float().numpy())


def _text(size: Any) -> str:
    return " x ".join("any" if not isinstance(side, int) else str(side) for side in size)


def count_parameters(file: Path) -> int:
    """Numbers in the initializers of an ONNX file; constants inside nodes are not among them.

    Reads the protocol buffer by its wire format: ModelProto.graph is field 7,
    GraphProto.initializer field 5, TensorProto.dims field 1 (onnx/onnx.proto3).

    Raises:
        WeightsError: if the file is cut short.
    """
    content = memoryview(file.read_bytes())
    try:
        tensors = [t for graph in _messages(content, 7) for t in _messages(graph, 5)]
        return sum(math.prod(_dims(tensor)) for tensor in tensors)
    except IndexError as error:
        raise WeightsError("cut short", where=str(file), mend="export it again") from error


def _messages(content: memoryview, wanted: int) -> list[memoryview]:
    return [value for n, value in _fields(content) if n == wanted and isinstance(value, memoryview)]


def _dims(tensor: memoryview) -> list[int]:
    """Sides of a tensor; writers pack them or not."""
    sides: list[int] = []
    for number, value in _fields(tensor):
        if number == 1 and isinstance(value, int):
            sides.append(value)
        elif number == 1 and isinstance(value, memoryview):
            at = 0
            while at < len(value):
                side, at = _varint(value, at)
                sides.append(side)
    return sides


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(content, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, at = _varint(content, at)
        elif kind in {1, 5}:
            length = 8 if kind == 1 else 4
        else:
            raise IndexError(f"no such wire type: {kind}")
        if at + length > len(content):
            raise IndexError("a field ends beyond the file")
        yield tag >> 3, content[at : at + length]
        at += length


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
