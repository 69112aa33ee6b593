"""Calling deepface offline, without touching the user's own deepface folder or TensorFlow.

deepface downloads what it lacks and creates a folder in the user's home when it is imported. So
it is given a home of ours, in which the one file that it is about to look for is linked first.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.weights import Located, WeightStore

#: deepface's PyTorch backend, so that TensorFlow is never looked for.
_BACKEND = "pytorch"


class DeepfaceModel:
    """One of deepface's recognisers, on crops that are already aligned.

    Args:
        model: deepface's name of it, for example ``"Dlib"``.
        weights: its weight file.
    """

    def __init__(self, model: str, weights: Located) -> None:
        self.model = model
        self.home = WeightStore().folder / "deepface"
        _link(weights.path, self.home / ".deepface" / "weights" / weights.weight.file)

    def side(self) -> int:
        """Side in pixels of the square crop that the network sees."""
        with self._environment():
            from deepface.modules.modeling import build_model

            return int(max(build_model("facial_recognition", self.model).input_shape))

    def represent(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """deepface's own answer for aligned crops, as ``DeepFace.represent`` gives it.

        Args:
            chips: ``[N, S, S, 3]`` RGB.

        Returns:
            ``[N, D]`` float32, not normalised.
        """
        with self._environment():
            from deepface import DeepFace

            # deepface wants BGR, and answers a batch of one with a flat list
            answers: list[Any] = [
                DeepFace.represent(
                    np.ascontiguousarray(chip[:, :, ::-1]),
                    model_name=self.model,
                    detector_backend="skip",
                    enforce_detection=False,
                    align=False,
                )[0]["embedding"]
                for chip in chips
            ]
        return np.asarray(answers, dtype=np.float32)

    @contextmanager
    def _environment(self) -> Iterator[None]:
        settings = {
            "DEEPFACE_HOME": str(self.home),
            "DEEPFACE_BACKEND_ENGINE": _BACKEND,
            "DEEPFACE_LOG_LEVEL": "40",
        }
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _link(source: Path, target: Path) -> None:
    """Make ``target`` lead to ``source``; a copy where the file system has no links."""
    source = source.resolve()
    if target.resolve() == source:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".tmp-") as folder:
        link = Path(folder) / target.name
        try:
            link.symlink_to(source)
        except OSError:
            link.write_bytes(source.read_bytes())
        link.replace(target)
