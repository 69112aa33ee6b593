"""Metrics that ask a frozen segmenter what it sees in the output, and compare with the truth.

Counts are per image, and every image has them: an eye without lesions has none to lose and still
some that can be invented. A rate per lesion exists only where there are lesions; groups that
differ in how often that is would then be measured on different shares of their images, and their
gap would be invalid. So inventions and losses are counted, and the share of lesions lost is given
besides, NaN where there are none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.imaging.masks import Masks, areas, count_components, skeletons
from benchmark.judges import JUDGES
from benchmark.judges.base import Segmenter, make_judge
from benchmark.metrics.base import Column, MetricSpec, Need, Scorer, State, Unavailable, judge_lack
from benchmark.metrics.fidelity import inside, to_batch, valid_pixels
from benchmark.metrics.structure.components import compare_lines, match
from benchmark.metrics.structure.declared import (
    LESIONS,
    LINE_SHARE,
    ORGANS,
    STRUCTURES,
    lesion_area,
    specs_of,
)
from benchmark.metrics.structure.overlap import cldice, dice, hd95

#: The judge of record.
RECORD = "fundus"
_BATCH = 16


class Segmented(Scorer):
    """What a segmenter finds in outputs, against reference masks.

    Args:
        device: where torch runs.
        judge: another segmenter of ``list judges``: its metrics carry its name, as in
            ``dice:frangi``, and are those of the structures that it knows.
    """

    def __init__(self, *, device: str = "cpu", judge: str = RECORD) -> None:
        super().__init__(device=device)
        self.judge, self._suffix = judge, "" if judge == RECORD else f":{judge}"
        # the judge of record knows every structure: listing its metrics loads no network
        self.specs: tuple[MetricSpec, ...] = specs_of(STRUCTURES)
        if self._suffix:
            card = JUDGES.get(judge)
            needs: frozenset[Need] = frozenset({"weights"} if card.weights else set())
            self.specs = tuple(
                replace(
                    spec,
                    name=spec.name + self._suffix,
                    summary=f"{spec.summary} ({judge})",
                    licence=card.licence,
                    needs=spec.needs | needs,
                )
                for spec in specs_of(self._segmenter.structures)
            )

    def unavailable(self) -> Unavailable | None:
        """Unavailable without the segmenter's weights."""
        return judge_lack(self.judge)

    def identity(self) -> dict[str, str]:
        """The judge with its digest, and the version of every metric."""
        versions = " ".join(f"{spec.name}={spec.version}" for spec in self.specs)
        return {**self._segmenter.identity(), "metrics": versions}

    def prepare(self, evalset: EvalSet) -> dict[str, NDArray[np.generic]]:
        """What the judge finds in inputs and clean references, and true centrelines, packed."""
        state: dict[str, NDArray[np.generic]] = {}
        organ = self._organ
        if organ is None or organ not in evalset.masks or not self._can_see(evalset):
            return state
        rows = np.arange(len(evalset))
        for name, images in (("input", evalset.inputs), ("reference", evalset.references)):
            scores = [
                dice(self._segment(batch, chosen, evalset)[organ], _truth(evalset, organ, chosen))
                for chosen, batch in _batches(images, rows, self.device)
            ]
            state[name] = np.concatenate([np.empty(0), *scores])
        if organ == "vessels":
            state["lines"] = np.packbits(skeletons(_truth(evalset, organ, rows)), axis=2)
        return state

    def notes(self, state: State) -> dict[str, str]:
        """How well the judge does on the clean references: its own ceiling."""
        if "reference" not in state or not np.isfinite(_floats(state["reference"])).any():
            return {}
        clean = _floats(state["reference"])
        return {
            f"dice{self._suffix}": f"{self.judge} reaches Dice {np.nanmean(clean):.3f} on the "
            f"{np.isfinite(clean).sum()} clean references"
        }

    def score(
        self, outputs: Tensor, index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        """See :class:`Scorer`; NaN without such a mask, a valid pixel, or size enough to judge."""
        unknown = np.full(len(index), np.nan)
        columns = {spec.name.removesuffix(self._suffix): unknown for spec in self.specs}
        if len(index) and self._can_see(evalset):
            found = self._segment(outputs, index, evalset)
            columns |= self._of_organ(found, index, evalset, state)
            columns |= _of_lesions(found, index, evalset)
        blind = ~_any_valid(evalset, index)
        return {
            f"{name}{self._suffix}": np.where(blind, np.nan, values)
            for name, values in columns.items()
        }

    def _of_organ(
        self, found: Mapping[str, Masks], index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        organ = self._organ
        if organ is None or organ not in evalset.masks:
            return {}
        seen, truth = found[organ], _truth(evalset, organ, index)
        overlap = dice(seen, truth)
        columns = {
            "dice": overlap,
            "dice_gain": overlap - _floats(state["input"])[index],
            "hd95": hd95(seen, truth),
        }
        if organ != "vessels":
            return columns
        width = truth.shape[2]
        truth_lines = np.unpackbits(
            np.asarray(state["lines"], np.uint8)[index], axis=2, count=width
        ).astype(bool)
        lines = skeletons(seen)
        tolerance = max(1, round(LINE_SHARE * min(truth.shape[1:])))
        lengths = compare_lines(seen, truth, lines, truth_lines, tolerance=tolerance)
        with np.errstate(invalid="ignore", divide="ignore"):
            true = np.where(lengths.true > 0, lengths.true, np.nan)
            return columns | {
                "cldice": cldice(seen, truth, lines, truth_lines),
                "vessel_false": lengths.false / true,
                "vessel_missed": lengths.missed / true,
                "betti0_error": np.abs(count_components(seen) - count_components(truth)),
            }

    def _segment(
        self, images: Tensor, index: NDArray[np.int64], evalset: EvalSet
    ) -> dict[str, Masks]:
        """Masks by structure, empty outside the valid pixels and independent of what is there."""
        valid = valid_pixels(evalset, index, images)
        clean = to_batch(evalset.references[index], images)
        found = self._segmenter.segment(inside(images, clean, valid), valid)
        masks = {name: mask.cpu().numpy() for name, mask in found.items()}
        if valid is None:
            return masks
        return {name: mask & valid.cpu().numpy() for name, mask in masks.items()}

    def _can_see(self, evalset: EvalSet) -> bool:
        return bool(min(evalset.references.shape[1:3]) >= self._segmenter.smallest)

    @property
    def _organ(self) -> str | None:
        return next((name for name in ORGANS if name in self._segmenter.structures), None)

    @cached_property
    def _segmenter(self) -> Segmenter:
        judge = make_judge(self.judge, "segmenter", device=self.device)
        assert isinstance(judge, Segmenter)
        return judge


def _of_lesions(
    found: Mapping[str, Masks], index: NDArray[np.int64], evalset: EvalSet
) -> dict[str, Column]:
    kinds = [kind for kind in LESIONS if kind in found and kind in evalset.masks]
    matches = {
        kind: match(
            found[kind],
            _truth(evalset, kind, index),
            min_area=lesion_area(*found[kind].shape[1:]),
        )
        for kind in kinds
    }
    columns: dict[str, Column] = {}
    for kind, counts in matches.items():
        columns[f"{LESIONS[kind]}_hallucination"] = counts.invented
        columns[f"{LESIONS[kind]}_omission"] = counts.lost
    if len(matches) == len(LESIONS):
        first, *others = matches.values()
        pooled = sum(others, start=first)
        share = np.divide(
            pooled.lost, pooled.true, out=np.full(len(index), np.nan), where=pooled.true > 0
        )
        columns |= {
            "lesion_hallucination": pooled.invented,
            "lesion_omission": pooled.lost,
            "lesion_omission_share": share,
        }
    return columns


def _truth(evalset: EvalSet, name: str, index: NDArray[np.int64]) -> Masks:
    """Reference masks ``[B, H, W]``, inside the valid pixels."""
    mask: Masks = evalset.masks[name][index]
    valid = evalset.masks.get("valid")
    if valid is None:
        return mask
    seen: Masks = mask & valid[index]
    return seen


def _any_valid(evalset: EvalSet, index: NDArray[np.int64]) -> NDArray[np.bool_]:
    valid = evalset.masks.get("valid")
    if valid is None:
        return np.ones(len(index), dtype=np.bool_)
    return areas(valid[index]) > 0


def _batches(
    images: NDArray[np.uint8], rows: NDArray[np.int64], device: str
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    like = torch.zeros((), dtype=torch.float32, device=device)
    with torch.inference_mode():
        for start in range(0, len(rows), _BATCH):
            chosen = rows[start : start + _BATCH]
            yield chosen, to_batch(images[chosen], like)


def _floats(array: NDArray[np.generic]) -> Column:
    return np.asarray(array, dtype=np.float64)
