"""Every per-image metric of pyiqa whose weights are on this machine, as ``pyiqa:NAME``.

pyiqa downloads what it lacks while it builds a metric; here it is built with the network switched
off, and what it would have fetched makes the metric unavailable. Its checkpoints are unpickled
with code execution switched off. Metrics that may look at other images of a batch, or that draw
random patches, are given one image at a time under a fixed seed, so that they keep the promises
in their declaration.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import socket
import warnings
from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NoReturn
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.metrics.base import Column, MetricSpec, Scorer, State, Unavailable
from benchmark.metrics.fidelity import column, inside, to_batch, valid_pixels
from benchmark.registry import unknown_name
from benchmark.weights import Located, locate

PREFIX = "pyiqa:"
LICENCE = "LicenseRef-pyiqa-noncommercial"

# formulas without weights or randomness, seen to be independent of the batch (tests/metrics)
_BATCHED = frozenset({"psnr", "psnry", "ssim", "ssimc", "ms_ssim", "gmsd", "fsim", "vsi", "nlpd"})
# metrics of sets, not of images
_SET_LEVEL = ("fid", "inception_score", "msswd")
# names in our weights catalogue for files that pyiqa would fetch, or for the same numbers elsewhere
_CATALOGUED = {"niqe": ("niqe", "niqe-basicsr")}


class PyiqaMetric(Scorer):
    """One metric of pyiqa.

    Args:
        name: pyiqa's name of it.
        device: where torch runs.
        alias: the name in our tables, ``pyiqa:NAME`` if None.
        options: keyword arguments of pyiqa's class.
        value_range: overrides what pyiqa says.
        unit: of the number.
        summary: one line for people.
    """

    def __init__(
        self,
        name: str,
        *,
        device: str = "cpu",
        alias: str | None = None,
        value_range: tuple[float, float] | None = None,
        unit: str = "",
        summary: str | None = None,
        **options: float | bool,
    ) -> None:
        super().__init__(device=device)
        config = _config(name)
        self.name, self.options = name, options
        reference = config.get("metric_mode") == "FR"
        direction: Literal[1, -1] = -1 if config.get("lower_better") else 1
        self.spec = MetricSpec(
            alias or PREFIX + name,
            "2" if reference else "1",  # 2: nothing outside the valid pixels matters
            direction,
            unit,
            value_range or _range(str(config.get("score_range", ""))),
            frozenset({"reference"} if reference else set()),
            summary or f"pyiqa's {name}, {'with' if reference else 'without'} reference",
            licence=LICENCE,
            source="chaofengc/IQA-PyTorch",
        )
        self.specs = (self.spec,)

    def unavailable(self) -> Unavailable | None:
        """Unavailable if pyiqa would have to download something to build it."""
        try:
            _ = self._model
        except _NeedsNetworkError:
            catalogued = _CATALOGUED.get(self.name)
            mend = (
                f"python -m benchmark weights fetch {catalogued[0]}"
                if catalogued
                else f"python -c \"import pyiqa; pyiqa.create_metric('{self.name}')\""
            )
            return Unavailable(f"pyiqa has no weights for {self.name} on this machine", mend)
        except Exception as error:
            return Unavailable(
                f"pyiqa cannot build {self.name}: {type(error).__name__}: {error}",
                "pip install --upgrade pyiqa",
            )
        return None

    def identity(self) -> dict[str, str]:
        """pyiqa's release and the options."""
        return {
            "pyiqa": version("pyiqa"),
            "metric": f"{self.spec.name}={self.spec.version}",
            **({"parameters": self._parameters.sha256} if self._parameters else {}),
            **{name: repr(value) for name, value in sorted(self.options.items())},
        }

    def score(
        self, outputs: Tensor, index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        """See :class:`Scorer`; NaN where the images are too small for the metric.

        Against a reference nothing outside the valid pixels matters: there the output is taken to
        be the reference, and where no pixel is valid the score is NaN. Without a reference the
        metric judges the whole picture.
        """
        references = None
        if "reference" in self.spec.needs:
            references = to_batch(evalset.references[index], outputs)
            valid = valid_pixels(evalset, index, outputs)
            if valid is not None:
                return {self.spec.name: self._within(outputs, references, valid)}
        return {self.spec.name: self._scores(outputs, references)}

    def _within(self, outputs: Tensor, references: Tensor, valid: Tensor) -> Column:
        """Scores ``[B]`` against references, of valid pixels ``[B, H, W]``."""
        scores = self._scores(inside(outputs, references, valid), references)
        return np.where(valid.any(2).any(1).cpu().numpy(), scores, np.nan)

    def _scores(self, outputs: Tensor, references: Tensor | None) -> Column:
        if self.name in _BATCHED:
            return self._ask(outputs, references)
        rows = [
            self._ask(outputs[i : i + 1], None if references is None else references[i : i + 1])
            for i in range(len(outputs))
        ]
        return np.concatenate(rows) if rows else np.empty(0)

    def _ask(self, outputs: Tensor, references: Tensor | None) -> Column:
        if not len(outputs):
            return np.empty(0)
        arguments = (outputs,) if references is None else (outputs, references)
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            try:
                answer = self._model(*arguments)
            except (RuntimeError, AssertionError, ValueError):
                # pyiqa has no other way of saying that a pyramid does not fit the image
                if min(outputs.shape[-2:]) >= _LARGE_ENOUGH:
                    raise
                return np.full(len(outputs), np.nan)
        return column(torch.as_tensor(answer).reshape(-1)[: len(outputs)])

    @cached_property
    def _parameters(self) -> Located | None:
        found = map(locate, _CATALOGUED.get(self.name, ()))
        return next(filter(None, found), None)

    @cached_property
    def _model(self) -> Any:
        options: dict[str, Any] = dict(self.options)
        if self._parameters is not None:
            options["pretrained_model_path"] = _niqe_model(self._parameters.path)
        import pyiqa

        with _offline(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _import_architecture(_config(self.name)["metric_opts"]["type"])
            return pyiqa.create_metric(self.name, device=torch.device(self.device), **options)


#: Images with a side of this size suit every metric; below, a failure means "too small".
_LARGE_ENOUGH = 256


class Psnr(PyiqaMetric):
    """PSNR with a ceiling at 100 dB, which only identical images reach."""

    def __init__(self, *, device: str = "cpu") -> None:
        # pyiqa adds eps to the mean squared error; 1e-10 is the ceiling
        super().__init__(
            "psnr",
            device=device,
            alias="psnr",
            value_range=(0, 100),
            unit="dB",
            summary="peak signal-to-noise ratio on RGB (pyiqa), at most 100 dB",
            eps=1e-10,
        )

    def _within(self, outputs: Tensor, references: Tensor, valid: Tensor) -> Column:
        """Of the valid pixels alone, as a picture one row high: to a mean of squares it is one."""
        pairs = zip(outputs, references, valid, strict=True)
        rows = [
            self._ask(image[:, where][None, :, None], reference[:, where][None, :, None])
            if where.any()
            else np.full(1, np.nan)
            for image, reference, where in pairs
        ]
        return np.concatenate(rows) if rows else np.empty(0)


class Gmsd(PyiqaMetric):
    """Gradient magnitude similarity deviation (Xue et al. 2013)."""

    def __init__(self, *, device: str = "cpu") -> None:
        super().__init__(
            "gmsd",
            device=device,
            alias="gmsd",
            value_range=(0, 1),
            summary="gradient magnitude similarity deviation (pyiqa)",
        )


class Fsim(PyiqaMetric):
    """Feature similarity (Zhang et al. 2011)."""

    def __init__(self, *, device: str = "cpu") -> None:
        super().__init__(
            "fsim",
            device=device,
            alias="fsim",
            value_range=(0, 1),
            summary="feature similarity (pyiqa)",
        )


class Vsi(PyiqaMetric):
    """Visual saliency-induced similarity (Zhang et al. 2014)."""

    def __init__(self, *, device: str = "cpu") -> None:
        super().__init__(
            "vsi",
            device=device,
            alias="vsi",
            value_range=(0, 1),
            summary="visual saliency-induced similarity (pyiqa)",
        )


class MultiscaleSsim(PyiqaMetric):
    """Multi-scale SSIM (Wang et al. 2003); sides of 176 px and more."""

    def __init__(self, *, device: str = "cpu") -> None:
        super().__init__(
            "ms_ssim",
            device=device,
            alias="ms_ssim",
            value_range=(0, 1),
            summary="multi-scale structural similarity (pyiqa), sides of 176 px and more",
        )


def pyiqa_names() -> tuple[str, ...]:
    """pyiqa's metrics of single images."""
    from pyiqa.default_model_configs import DEFAULT_CONFIGS

    return tuple(sorted(name for name in DEFAULT_CONFIGS if not name.startswith(_SET_LEVEL)))


def _config(name: str) -> dict[str, Any]:
    from pyiqa.default_model_configs import DEFAULT_CONFIGS

    if name not in pyiqa_names():
        raise unknown_name("metric", PREFIX + name, tuple(PREFIX + n for n in pyiqa_names()))
    return dict(DEFAULT_CONFIGS[name])


def _import_architecture(name: str) -> None:
    """Import the one module of pyiqa that defines the network ``name``.

    Where the module is not called like the network (MS_SSIM lies in ssim_arch), pyiqa imports all
    of its architectures. That takes seconds, and one of them (Q-Align) puts a Llama of its own into
    transformers, in place: every vision-language model with a Llama inside that is made later in
    the process breaks.
    """
    folder = Path(str(importlib.import_module("pyiqa.archs").__file__)).parent
    defines = re.compile(rf"^class {re.escape(name)}\b", re.MULTILINE)
    for path in sorted(folder.glob("*_arch.py")):
        if defines.search(path.read_text("utf-8")):
            importlib.import_module(f"pyiqa.archs.{path.stem}")
            return


def _niqe_model(path: Path) -> str | io.BytesIO:
    """What pyiqa reads NIQE's parameters from: the MATLAB file of the authors, or an archive.

    BasicSR keeps the mean and covariance of the pristine model as a NumPy archive; it is put into
    the authors' form in memory.
    """
    if path.suffix != ".npz":
        return str(path)
    from scipy.io import savemat

    with np.load(path, allow_pickle=False) as archive:
        mean, covariance = archive["mu_pris_param"], archive["cov_pris_param"]
    file = io.BytesIO()
    savemat(file, {"mu_prisparam": mean, "cov_prisparam": covariance})
    file.seek(0)
    return file


def _range(text: str) -> tuple[float, float]:
    """pyiqa's words for a range, ``"~0, ~1"`` or ``"0, inf"``; unbounded where it is vague."""
    ends = re.fullmatch(r"\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*", text)
    return (float(ends[1]), float(ends[2])) if ends else (-np.inf, np.inf)


class _NeedsNetworkError(Exception):
    """What was built inside would have had to download something."""


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """No network and no code in pickles for the code inside, and nothing on standard output.

    Raises:
        _NeedsNetworkError: if the code inside failed after it had asked for the network, whatever
            it made of the refusal.
    """
    asked = False

    def refuse(*_: object, **__: object) -> NoReturn:
        nonlocal asked
        asked = True
        raise OSError("the network is switched off while a metric is built")

    with (
        mock.patch.object(socket, "getaddrinfo", refuse),
        mock.patch.object(socket.socket, "connect", refuse),
        mock.patch.dict(os.environ, {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        try:
            yield
        except Exception as error:
            if asked:
                raise _NeedsNetworkError from error
            raise
