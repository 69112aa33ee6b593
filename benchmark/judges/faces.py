"""Face recognisers: embeddings of aligned crops; the judge of record is deepface's ``Dlib``.

The judge of record runs through :mod:`benchmark.judges.dlib_net`, the same network in batches.
Before it is trusted with a dataset it is compared with deepface's own answer on a few crops of
that dataset (:meth:`FaceRecogniser.check`); if they disagree, deepface itself is used.
"""

from __future__ import annotations

import warnings
from importlib.metadata import version

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.errors import WeightsError
from benchmark.imaging.alignment import align
from benchmark.judges.arithmetic import full_precision
from benchmark.judges.base import JUDGES, JudgeCard
from benchmark.judges.chips import face_chips
from benchmark.judges.deepface_models import DeepfaceModel
from benchmark.judges.dlib_net import CHIP_SIZE, DlibFaceNet
from benchmark.weights import require

RECORD = "dlib"
#: Largest difference to deepface's numbers (embeddings have entries of about 0.1) that is the
#: rounding of one implementation against another.
TOLERANCE = 1e-3

# networks of the ArcFace kind were trained on this tighter crop
_TIGHT = frozenset({"ArcFace", "GhostFaceNet"})


class FaceRecogniser:
    """A face recogniser.

    Args:
        judge: a recogniser of ``list judges``: ``"dlib"`` or ``"deepface-..."``.
        device: where torch runs.
        batch: crops per forward pass.

    Raises:
        UnknownNameError: if there is no such judge.
        WeightsError: if its weights are absent, with the mending command.
    """

    def __init__(self, judge: str = RECORD, *, device: str = "cpu", batch: int = 64) -> None:
        self.card: JudgeCard = JUDGES.get(judge)
        if self.card.kind != "recogniser":
            raise WeightsError(f"the judge {judge!r} is a {self.card.kind}, no recogniser")
        self.device, self.batch = device, batch
        self.weights = require(self.card.weights[0])
        self.model = "Dlib" if judge == RECORD else deepface_name(judge)
        self.reference = DeepfaceModel(self.model, self.weights)
        self.net = DlibFaceNet.load(self.weights.path) if judge == RECORD else None
        if self.net is not None:
            # a third faster on CPUs, and no slower elsewhere
            self.net.to(device).to(memory_format=torch.channels_last)
        self.size = CHIP_SIZE if self.net is not None else self.reference.side()

    def identity(self) -> dict[str, str]:
        """What the numbers depend on besides the images."""
        return {
            "judge": self.card.name,
            "judge_version": self.card.version,
            "weights": self.weights.sha256,
            "deepface": version("deepface"),
        }

    def embed(
        self, images: NDArray[np.uint8] | Tensor, landmarks: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Embeddings of unit length.

        Args:
            images: ``[N, H, W, 3]`` uint8, or a float batch ``[N, 3, H, W]`` in [0, 1].
            landmarks: ``[N, 5, 2]`` pixels.

        Returns:
            ``[N, D]`` float32; NaN where a landmark is not finite.
        """
        known = np.isfinite(landmarks).all((1, 2))
        rows = np.flatnonzero(known)
        found = [
            self._describe(self.chips(_batch(images, part), landmarks[part]))
            for part in np.array_split(rows, range(self.batch, len(rows), self.batch))
            if len(part)
        ]
        if not found:
            return np.full((len(images), 1), np.nan, np.float32)
        descriptors = np.concatenate(found)
        result = np.full((len(images), descriptors.shape[1]), np.nan, np.float32)
        length = np.linalg.norm(descriptors, axis=1, keepdims=True)
        result[rows] = descriptors / np.maximum(length, 1e-12)
        return result

    def check(
        self, images: NDArray[np.uint8], landmarks: NDArray[np.float32], *, crops: int = 4
    ) -> float:
        """Compare with deepface on the first few faces, and fall back to it if they disagree.

        Returns:
            The largest absolute difference of an embedding's entry; 0 if deepface is in use
            anyway or there is no face.
        """
        rows = np.flatnonzero(np.isfinite(landmarks).all((1, 2)))[:crops]
        if self.net is None or not len(rows):
            return 0.0
        chips = self.chips(_batch(images, rows), landmarks[rows])
        deviation = float(np.abs(self._describe(chips) - self._ask_deepface(chips)).max())
        self.accept(deviation)
        return deviation

    def accept(self, deviation: float) -> None:
        """Go on with the batched network, or with deepface itself if they differ by too much.

        Args:
            deviation: what :meth:`check` returned for this dataset, here or in another process.
        """
        if self.net is None or deviation <= TOLERANCE:
            return
        warnings.warn(
            f"the batched dlib network differs from deepface by {deviation:.1e}; "
            "deepface itself is used, which is much slower",
            stacklevel=2,
        )
        self.net = None

    @torch.inference_mode()
    def chips(self, images: Tensor, landmarks: NDArray[np.float32]) -> Tensor:
        """Aligned 8-bit crops ``[B, 3, S, S]``, float32 in [0, 255], on the device."""
        points = torch.as_tensor(landmarks, dtype=torch.float32, device=self.device)
        images = images.to(self.device)
        if self.model in _TIGHT:
            crops = align(images, points, self.size)
        else:
            crops = face_chips(images, points, self.size)
        return (crops * 255).round().clamp(0, 255)

    @torch.inference_mode()
    def _describe(self, chips: Tensor) -> NDArray[np.float32]:
        if self.net is None:
            return self._ask_deepface(chips)
        with full_precision():
            found = self.net(chips.contiguous(memory_format=torch.channels_last))
            descriptors: NDArray[np.float32] = found.cpu().numpy()
        return descriptors

    def _ask_deepface(self, chips: Tensor) -> NDArray[np.float32]:
        return self.reference.represent(chips.byte().permute(0, 2, 3, 1).cpu().numpy())


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Row-wise cosine of unit vectors, clipped to [-1, 1]; NaN where either is."""
    products: NDArray[np.float64] = np.einsum("nd,nd->n", a, b, dtype=np.float64)
    return products.clip(-1, 1)


def deepface_name(judge: str) -> str:
    """deepface's own spelling of a judge ``deepface-...``."""
    from benchmark.weights.base import DEEPFACE_FILES

    spelling = {name.lower(): name for name in DEEPFACE_FILES}
    return spelling[judge.removeprefix("deepface-")]


def _batch(images: NDArray[np.uint8] | Tensor, rows: NDArray[np.int64]) -> Tensor:
    """Rows of either kind of image array as a float batch in [0, 1]."""
    if isinstance(images, Tensor):
        return images[torch.from_numpy(rows).to(images.device)]
    pixels = torch.from_numpy(np.ascontiguousarray(images[rows]))
    return pixels.permute(0, 3, 1, 2).float() / 255
