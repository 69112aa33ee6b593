"""Evidence that the face probe can carry a claim: measured, by level of skin tone, at full light.

A probe is of use only if judges see its people: if they detect them and tell them apart about
equally well in every tone level before any degradation. This module measures that with whatever
judges it is given, and checks what must hold by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmark.imaging.colour import to_lab, to_srgb
from benchmark.probes.faces.hair import build_hair
from benchmark.probes.faces.identity import draw_vectors, traits_of
from benchmark.probes.faces.lighting import irradiance
from benchmark.probes.faces.probe import Advance, FaceProbe, FaceSamples
from benchmark.probes.faces.subject import build_subject
from benchmark.probes.faces.tones import TONES, ToneLevel, monk_albedo, monk_srgb
from benchmark.probes.faces.tracing import build_camera
from benchmark.probes.faces.views import ILLUMINATIONS, gallery_views

#: What the probe promises of every tone level.
DETECTION_FLOOR = 0.97
AUC_FLOOR = 0.97
AUC_SPREAD_CEILING = 0.02
#: CIE 1976 difference under which two colours count as the same.
COLOUR_CEILING = 1.0


class Detector(Protocol):
    """Finds faces."""

    def detect(self, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Whether a face is found in each of ``[N, H, W, 3]``."""
        ...


class Recogniser(Protocol):
    """Tells faces apart."""

    def embed(
        self, images: NDArray[np.uint8], landmarks: NDArray[np.float32]
    ) -> NDArray[np.floating]:
        """Unit vectors ``[N, D]`` of ``[N, H, W, 3]`` with landmarks ``[N, 5, 2]``."""
        ...


@dataclass(frozen=True)
class Evidence:
    """Measurements on one probe.

    Attributes:
        identities: people measured.
        images: images measured per level.
        detection: share of faces found, by level.
        auc: verification AUC over all pairs of images of one level, by level.
        separation: smallest distance between a test and a training identity vector, root mean
            square over traits in the unit cube.
        colour: CIE 1976 difference of a facing matt patch from each published tone.
    """

    identities: int
    images: int
    detection: dict[str, float]
    auc: dict[str, float]
    separation: float
    colour: dict[str, float]

    @property
    def auc_spread(self) -> float:
        """Largest difference in AUC between levels."""
        return max(self.auc.values()) - min(self.auc.values())

    @property
    def holds(self) -> bool:
        """Whether every promise of the probe is kept."""
        return (
            min(self.detection.values()) >= DETECTION_FLOOR
            and min(self.auc.values()) >= AUC_FLOOR
            and self.auc_spread <= AUC_SPREAD_CEILING
            and self.separation > 0
            and max(self.colour.values()) <= COLOUR_CEILING
        )


def gather_evidence(
    recogniser: Recogniser,
    detector: Detector,
    *,
    probe: FaceProbe | None = None,
    train: FaceProbe | None = None,
    device: torch.device | str = "cpu",
    advance: Advance | None = None,
) -> Evidence:
    """Measure a probe with the given judges.

    Args:
        recogniser: gives embeddings of aligned faces.
        detector: finds faces in whole images.
        probe: what to measure; by default 60 test identities in every level, seven views each.
        train: the identities that the test's must be disjoint from; by default 2,000.
        device: where to render.
        advance: called with the number of views just rendered.
    """
    probe = probe or FaceProbe(split="test", identities=60, views=6)
    train = train or FaceProbe(split="train", identities=2000)
    samples = probe.render(device=device, advance=advance)
    found = detector.detect(samples.images)
    embeddings = recogniser.embed(samples.images, samples.landmarks)
    levels = samples.frame["tone_level"].to_numpy()
    people = samples.frame["identity"].to_numpy()
    detection, auc = {}, {}
    for level in ToneLevel:
        rows = levels == level.value
        detection[level.value] = float(found[rows].mean())
        auc[level.value] = verification_auc(embeddings[rows], people[rows])
    return Evidence(
        identities=probe.identities,
        images=len(samples) // len(ToneLevel),
        detection=detection,
        auc=auc,
        separation=identity_separation(probe.identity_vectors(), train.identity_vectors()),
        colour=dict(zip(TONES, calibration_errors().tolist(), strict=True)),
    )


def verification_auc(embeddings: NDArray[np.floating], people: NDArray[np.object_]) -> float:
    """Probability that two images of one person are nearer than two of different people.

    Args:
        embeddings: unit vectors, ``[N, D]``.
        people: identity of each row, ``[N]``.

    Returns:
        Area under the ROC curve over all pairs, ties counted half; NaN without both kinds of pair.
    """
    first, second = np.triu_indices(len(people), 1)
    same = people[first] == people[second]
    positives = int(same.sum())
    negatives = len(same) - positives
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata((embeddings @ embeddings.T)[first, second])
    return float((ranks[same].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def identity_separation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Smallest root-mean-square difference between a row of ``one`` and a row of ``other``."""
    distances = torch.cdist(torch.from_numpy(one).double(), torch.from_numpy(other).double())
    return float(distances.min() / one.shape[1] ** 0.5)


def calibration_patches() -> NDArray[np.float32]:
    """sRGB in [0, 1] of a matt patch facing the key light, for each light and tone, ``[L, 10, 3]``.

    Computed by the same lighting as the faces, for each illumination category.
    """
    traits = traits_of(draw_vectors("calibration", 1))
    patches = []
    for code in range(len(ILLUMINATIONS)):
        views = gallery_views(1, illumination=code)
        camera = build_camera(views, torch.device("cpu"))
        who = build_subject(traits, build_hair(traits), views, camera)
        one = torch.ones(1, 1)
        light = irradiance(who.light[..., None], who, shadow=one, openness=one)
        linear = light[:, :, 0] * torch.from_numpy(monk_albedo())
        patches.append(to_srgb(linear.clamp(0, 1)).numpy())
    return np.stack(patches)


def calibration_errors() -> NDArray[np.float64]:
    """CIE 1976 difference of the patches, as stored in 8 bits, from the published tones, ``[10]``.

    The largest over the illumination categories.
    """
    stored = np.rint(calibration_patches() * 255) / 255
    count = len(stored)
    patches = torch.from_numpy(stored.astype(np.float32)).permute(0, 2, 1)[..., None]
    truth = torch.from_numpy(monk_srgb()).T[None, :, :, None].expand(count, -1, -1, -1)
    difference = (to_lab(patches) - to_lab(truth)).square().sum(1).sqrt()
    worst: NDArray[np.float64] = difference.squeeze(-1).amax(0).double().numpy()
    return worst


def face_colour_errors(samples: FaceSamples) -> dict[str, float]:
    """CIE 1976 difference between the median colour of the visible skin in gallery views and the
    published tone, by tone: what curvature, shading and sheen add to the calibrated colour.
    """
    published = dict(zip(TONES, monk_srgb(), strict=True))
    result = {}
    for tone, rows in samples.frame.groupby("tone"):
        gallery = rows.index[rows["role"] == "gallery"].to_numpy()
        pixels = np.concatenate([samples.images[i][samples.skin[i]] for i in gallery])
        both = np.stack([np.median(pixels, 0) / 255, published[str(tone)]]).astype(np.float32)
        lab = to_lab(torch.from_numpy(both)[:, :, None, None])[..., 0, 0]
        result[str(tone)] = float((lab[0] - lab[1]).norm())
    return result
