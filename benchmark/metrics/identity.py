"""Is this still the same person, to a frozen recogniser and a frozen detector?

Every sample with known landmarks is embedded, whether or not the detector finds a face in the
output: the crop is cut at the landmarks of the clean reference. Identity is therefore never
measured on the survivors of detection alone. Detection is an outcome of its own, and a face that
is not found is not verified either.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.judges import JUDGES
from benchmark.judges.detection import FaceDetector
from benchmark.judges.faces import RECORD, FaceRecogniser, cosine
from benchmark.metrics import verification
from benchmark.metrics.base import Column, MetricSpec, Need, Scorer, State, Unavailable, judge_lack

_FACE: frozenset[Need] = frozenset({"reference", "landmarks", "weights"})
_GALLERY: frozenset[Need] = _FACE | {"gallery"}

_SPECS: tuple[MetricSpec, ...] = (
    MetricSpec(
        "id_cosine", "1", 1, "", (-1, 1), _FACE, "identity: cosine of output and clean reference"
    ),
    MetricSpec(
        "id_gain",
        "1",
        1,
        "",
        (-2, 2),
        _FACE | {"input"},
        "identity gained over the input: difference of the two cosines to the clean reference",
    ),
    MetricSpec(
        "id_switch",
        "1",
        -1,
        "",
        (0, 1),
        _GALLERY,
        "another person of the gallery is nearer than one's own gallery view",
        ratio_scale=True,
        kind="rate",
    ),
    MetricSpec(
        "tar",
        "1",
        1,
        "",
        (0, 1),
        _GALLERY,
        "found and verified against one's own gallery view at the pooled clean threshold",
        ratio_scale=True,
        kind="rate",
        source="true accept rate; ISO/IEC 19795-1",
    ),
    MetricSpec(
        "tar_gain",
        "1",
        1,
        "",
        (-1, 1),
        _GALLERY | {"input"},
        "enhancer differential: verified in the output minus verified in the input",
    ),
    MetricSpec(
        "fmr",
        "1",
        -1,
        "",
        (0, 1),
        _GALLERY,
        "share of comparisons with other people that are accepted at that threshold",
        ratio_scale=True,
        source="false match rate; ISO/IEC 19795-1",
    ),
    MetricSpec(
        "detected",
        "1",
        1,
        "",
        (0, 1),
        frozenset({"landmarks"}),
        "dlib's HOG detector finds the face where it is",
        ratio_scale=True,
        kind="rate",
    ),
)


class Faces(Scorer):
    """Identity and detection by the judges of record, dlib's recogniser and HOG detector.

    Args:
        device: where torch runs.
        judge: another recogniser of ``list judges``: its metrics carry its name, as in
            ``id_cosine:deepface-arcface``; detection is the same for all and is left out.
    """

    specs: tuple[MetricSpec, ...] = _SPECS

    def __init__(self, *, device: str = "cpu", judge: str = RECORD) -> None:
        super().__init__(device=device)
        self.judge, self._suffix = judge, "" if judge == RECORD else f":{judge}"
        if self._suffix:
            card = JUDGES.get(judge)
            self.specs = tuple(
                replace(
                    spec,
                    name=spec.name + self._suffix,
                    summary=f"{spec.summary} ({judge})",
                    licence=card.licence,
                )
                for spec in _SPECS
                if spec.name != "detected"
            )

    def unavailable(self) -> Unavailable | None:
        """Unavailable without the recogniser's weights."""
        return judge_lack(self.judge)

    def identity(self) -> dict[str, str]:
        """Judges with their digests, and the version of every metric."""
        return {
            **self._recogniser.identity(),
            **self._detector.identity(),
            "metrics": " ".join(f"{spec.name}={spec.version}" for spec in self.specs),
        }

    def prepare(self, evalset: EvalSet) -> dict[str, NDArray[np.generic]]:
        """Embeddings of references, inputs and gallery, and the operating point."""
        landmarks = _landmarks(evalset)
        gallery, points = _gallery(evalset)
        deviation = self._recogniser.check(evalset.references, landmarks)
        reference, reference_of = self._embed_distinct(evalset.references, landmarks)
        shown = self._recogniser.embed(gallery, points) if len(gallery) else None
        own, impostor = _comparisons(evalset)
        scores = _products(reference[reference_of], shown, own.shape)
        # one comparison per distinct clean view: exposures of one view share their reference
        first = np.unique(reference_of, return_index=True)[1]
        clean = scores[first][impostor[first]]
        point = verification.threshold(clean[np.isfinite(clean)])
        return {
            "reference": reference[reference_of],
            "input": self._recogniser.embed(evalset.inputs, landmarks),
            "gallery": shown if shown is not None else np.empty((0, 1), np.float32),
            "own": own,
            "impostor": impostor,
            "input_detected": self._detector.detect(evalset.inputs, landmarks),
            "threshold": np.array(
                [point.tau, point.rate, point.realised, point.impostors, deviation]
            ),
        }

    def notes(self, state: State) -> dict[str, str]:
        """The operating point, and how far the batched judge is from deepface."""
        tau, rate, realised, impostors, deviation = map(float, state["threshold"])
        point = (
            f"threshold {tau:.4f} at false accept rate {rate:g} (realised {realised:.4f}, "
            f"{impostors:.0f} clean impostor comparisons)"
            if np.isfinite(tau)
            else f"unresolvable: only {impostors:.0f} clean impostor comparisons"
        )
        judge = (
            f"batched dlib network, within {deviation:.1e} of deepface on this dataset"
            if self.judge == RECORD
            else f"deepface itself, {self.judge}"
        )
        return {f"tar{self._suffix}": point, f"id_cosine{self._suffix}": judge}

    def score(
        self, outputs: Tensor, index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        """See :class:`Scorer`."""
        landmarks = _landmarks(evalset)[index]
        pixels = (outputs * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
        found = self._detector.detect(pixels, landmarks)
        reference, shown = _floats(state["reference"])[index], _floats(state["gallery"])
        before = _floats(state["input"])[index]
        own, impostor = _flags(state["own"])[index], _flags(state["impostor"])[index]
        tau, deviation = float(state["threshold"][0]), float(state["threshold"][4])
        self._recogniser.accept(deviation)
        after = self._recogniser.embed(outputs, landmarks)
        if after.shape[1] != reference.shape[1]:  # a batch without a single known face
            after = np.full_like(reference, np.nan)

        input_found = _flags(state["input_detected"])[index]
        similarity = cosine(after, reference)
        scores = _products(after, shown, own.shape)
        genuine = verification.best(scores, own)
        nearest = verification.best(scores, impostor)
        known = np.isfinite(genuine) & np.isfinite(nearest)
        verified = verification.accepted(genuine, tau) * found
        input_genuine = verification.best(_products(before, shown, own.shape), own)
        input_verified = verification.accepted(input_genuine, tau) * input_found
        columns = {
            "id_cosine": similarity,
            "id_gain": similarity - cosine(before, reference),
            "id_switch": np.where(known, nearest > genuine, np.nan),
            "tar": verified,
            "tar_gain": verified - input_verified,
            "fmr": verification.false_matches(scores, impostor, tau),
            "detected": found.astype(np.float64),
        }
        return {spec.name: columns[spec.name.removesuffix(self._suffix)] for spec in self.specs}

    @cached_property
    def _recogniser(self) -> FaceRecogniser:
        return FaceRecogniser(self.judge, device=self.device)

    @cached_property
    def _detector(self) -> FaceDetector:
        return FaceDetector()

    def _embed_distinct(
        self, images: NDArray[np.uint8], landmarks: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Embeddings of the distinct images, and for every image which of them is its own."""
        digests = [
            hashlib.blake2b(image.tobytes() + points.tobytes(), digest_size=16).digest()
            for image, points in zip(images, landmarks, strict=True)
        ]
        _, first, row_of = np.unique(digests, return_index=True, return_inverse=True)
        return self._recogniser.embed(images[first], landmarks[first]), row_of.ravel()


def _comparisons(evalset: EvalSet) -> tuple[verification.Mask, verification.Mask]:
    """Own and impostor masks; a column ``cohort`` in both tables limits comparisons to it."""
    frame, shown = evalset.frame, evalset.gallery_frame
    if shown is None:
        nobody = np.zeros((len(frame), 0), dtype=np.bool_)
        return nobody, nobody
    cohorts = [
        table["cohort"].to_numpy(object) if "cohort" in table else None for table in (frame, shown)
    ]
    return verification.comparisons(
        frame["cluster"].to_numpy(object), shown["cluster"].to_numpy(object), *cohorts
    )


def _products(
    embeddings: NDArray[np.float32], gallery: NDArray[np.float32] | None, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Cosines with every gallery image ``[N, G]``."""
    if gallery is None or not len(gallery):
        return np.empty(shape)
    products: NDArray[np.float64] = embeddings.astype(np.float64) @ gallery.T.astype(np.float64)
    return products.clip(-1, 1)


def _landmarks(evalset: EvalSet) -> NDArray[np.float32]:
    if evalset.landmarks is not None:
        return evalset.landmarks
    return np.full((len(evalset), 5, 2), np.nan, np.float32)


def _gallery(evalset: EvalSet) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    if evalset.gallery is None or evalset.gallery_landmarks is None:
        return evalset.inputs[:0], np.empty((0, 5, 2), np.float32)
    return evalset.gallery, evalset.gallery_landmarks


def _floats(array: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.asarray(array, dtype=np.float32)


def _flags(array: NDArray[np.generic]) -> NDArray[np.bool_]:
    return np.asarray(array, dtype=np.bool_)
