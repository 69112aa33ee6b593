"""Does a frozen reader still name what is in the picture?

The judge answers once on every input and every clean reference, when a dataset is prepared, and
once on every output. Its right and wrong answers are kept as columns of their own, so that the
statistics (``fairness.recognition``) can pair before, after and clean sample by sample.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.imaging.brightness import match_luminance, mean_luminance
from benchmark.judges import JUDGES
from benchmark.judges.base import Reader, Reading, make_judge
from benchmark.metrics.base import Column, MetricSpec, Need, Scorer, State, Unavailable, judge_lack

#: Judge of record; training never looks through it.
RECORD = "sign-judge"

_LABEL: frozenset[Need] = frozenset({"label", "weights"})
_READ_BATCH = 64

_SPECS: tuple[MetricSpec, ...] = (
    MetricSpec(
        "accuracy",
        "1",
        1,
        "",
        (0, 1),
        _LABEL,
        "the reader names what is in the output",
        ratio_scale=True,
        kind="rate",
        source="top-1 accuracy",
    ),
    MetricSpec(
        "accuracy_gain",
        "1",
        1,
        "",
        (-1, 1),
        _LABEL | {"input"},
        "read in the output minus read in the input: +1 helped, -1 harmed",
    ),
    MetricSpec(
        "accuracy_input",
        "1",
        1,
        "",
        (0, 1),
        _LABEL | {"input"},
        "the reader names what is in the degraded input, whatever the system",
        ratio_scale=True,
        kind="rate",
    ),
    MetricSpec(
        "accuracy_reference",
        "1",
        1,
        "",
        (0, 1),
        _LABEL | {"reference"},
        "the reader names what is in the clean reference: the ceiling of any system",
        ratio_scale=True,
        kind="rate",
    ),
    MetricSpec(
        "confidence",
        "1",
        1,
        "",
        (0, 1),
        frozenset({"weights"}),
        "probability that the reader gives to its own answer, right or wrong",
        ratio_scale=True,
    ),
)

_BEYOND: tuple[MetricSpec, ...] = (
    MetricSpec(
        "accuracy_beyond_brightness",
        "1",
        1,
        "",
        (-1, 1),
        _LABEL | {"input"},
        "read in the output minus read in the input after one gamma to the output's mean luminance",
    ),
)


class Reads(Scorer):
    """What the scorers of this module share: a reader and the right answers.

    Args:
        device: where torch runs.
        judge: another reader of ``list judges``: its metrics carry its name, as in
            ``accuracy:cifar10-resnet20``.
    """

    def __init__(self, *, device: str = "cpu", judge: str = RECORD) -> None:
        super().__init__(device=device)
        self._own: Reader | None = None
        self.judge, self._suffix = judge, "" if judge == RECORD else f":{judge}"
        if self._suffix:
            licence = JUDGES.get(judge).licence
            self.specs = tuple(
                replace(
                    spec,
                    name=spec.name + self._suffix,
                    summary=f"{spec.summary} ({judge})",
                    licence=licence or spec.licence,
                )
                for spec in type(self).specs
            )

    def unavailable(self) -> Unavailable | None:
        """Unavailable without the reader's weights."""
        return judge_lack(self.judge)

    def identity(self) -> dict[str, str]:
        """The reader with its digests, and the version of every metric."""
        versions = " ".join(f"{spec.name}={spec.version}" for spec in self.specs)
        return {**self._reader.identity(), "metrics": versions}

    def look_through(self, reader: Reader) -> None:
        """Read what a system made with a reader of its own (the protocol ``retrained``).

        References are still read by the judge: its answers to clean pictures are the ceiling of
        either protocol.
        """
        self._own = reader

    @cached_property
    def _reader(self) -> Reader:
        judge = make_judge(self.judge, "reader", device=self.device)
        assert isinstance(judge, Reader)
        return judge

    def _named(self, columns: dict[str, Column]) -> dict[str, Column]:
        return {spec.name: columns[spec.name.removesuffix(self._suffix)] for spec in self.specs}

    def _read(self, images: Tensor, *, clean: bool = False) -> Reading:
        if not len(images):  # some networks refuse an empty batch
            return Reading(np.empty(0, np.str_), np.empty(0))
        reader = self._own if self._own is not None and not clean else self._reader
        return reader.read(images.to(self.device))


class Recognition(Reads):
    """A reader's answers to outputs, inputs and references; sign reader of record by default."""

    specs: tuple[MetricSpec, ...] = _SPECS

    def prepare(self, evalset: EvalSet) -> dict[str, NDArray[np.generic]]:
        """Whether the reader is right on every input and every reference."""
        return {
            "input": _right(self._read_all(evalset.inputs), _labels(evalset)),
            "reference": _right(self._read_all(evalset.references, clean=True), _labels(evalset)),
        }

    def notes(self, state: State) -> dict[str, str]:
        """How well the reader reads before anything is spoilt."""
        right = np.asarray(state["reference"], dtype=np.float64)
        right = right[np.isfinite(right)]
        if not len(right):
            return {}
        name = f"accuracy{self._suffix}"
        return {name: f"{self.judge} reads {right.mean():.1%} of {len(right)} clean references"}

    def score(
        self, outputs: Tensor, index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        """See :class:`Scorer`."""
        reading = self._read(outputs)
        after = _right(reading.labels, _labels(evalset)[index])
        before = np.asarray(state["input"], dtype=np.float64)[index]
        return self._named(
            {
                "accuracy": after,
                "accuracy_gain": after - before,
                "accuracy_input": before,
                "accuracy_reference": np.asarray(state["reference"], dtype=np.float64)[index],
                "confidence": reading.confidence.astype(np.float64),
            }
        )

    def _read_all(self, images: NDArray[np.uint8], *, clean: bool = False) -> NDArray[np.str_]:
        """Answers to ``[N, H, W, 3]``; equal pictures are read once."""
        digests = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
        _, first, row_of = np.unique(digests, return_index=True, return_inverse=True)
        answers: list[NDArray[np.str_]] = []
        with torch.inference_mode():
            for start in range(0, len(first), _READ_BATCH):
                chosen = images[first[start : start + _READ_BATCH]]
                answers.append(self._read(_tensor(chosen), clean=clean).labels)
        return np.concatenate([np.empty(0, np.str_), *answers])[row_of.ravel()]


class BeyondBrightness(Reads):
    """The matched-brightness control of every single output, at the price of two passes.

    "Helps" may be "brighter". The rival here is the input under one gamma that gives it exactly the
    mean luminance of the output in question; only what the output adds to that is more than
    brightness. It needs no reference.
    """

    specs: tuple[MetricSpec, ...] = _BEYOND

    def score(
        self, outputs: Tensor, index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        """See :class:`Scorer`."""
        inputs = _tensor(evalset.inputs[index]).to(outputs)
        rival = match_luminance(inputs, mean_luminance(outputs))
        rival = (rival * 255).round() / 255
        labels = _labels(evalset)[index]
        with_system = _right(self._read(outputs).labels, labels)
        with_gamma = _right(self._read(rival).labels, labels)
        return self._named({"accuracy_beyond_brightness": with_system - with_gamma})


def _labels(evalset: EvalSet) -> NDArray[np.object_]:
    """``[N]`` right answers, None where nobody gave one."""
    if "label" not in evalset.frame:
        return np.full(len(evalset), None, dtype=object)
    column = evalset.frame["label"].astype(object)
    labels: NDArray[np.object_] = column.where(column.notna(), None).to_numpy(object)
    return labels


def _right(answers: NDArray[np.str_], labels: NDArray[np.object_]) -> Column:
    """1 for the right answer, 0 for a wrong one, NaN where the right one is not known."""
    known = np.array([label is not None for label in labels], dtype=bool)
    hit = np.array([str(a) == str(b) for a, b in zip(answers, labels, strict=True)], dtype=float)
    return np.where(known, hit, np.nan)


def _tensor(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
