"""Training and validating the segmenter of fundus photographs.

It must read clean pictures, degraded ones, and what enhancers make of them, so it sees all three
kinds: every photograph as it is and in each medical stratum, under random gain, tint, gamma, noise,
softening and sharpening. Eyes of three more splits fix the weights (``train``), the thresholds
(``calibration``) and the numbers in the card (``validation``); nobody of the test split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import label
from torch import Tensor
from torch.nn import functional

from benchmark.assets import AssetRecord, asset_folder, save_asset
from benchmark.assets.fitting import fit, initialised
from benchmark.data.degradations import MEDICAL, degrade
from benchmark.data.views import Views
from benchmark.judges.fundus_net import ASSET, STRUCTURES, FundusNet, probabilities
from benchmark.probes.base import ProbeSettings
from benchmark.probes.fundus import PIGMENTATIONS, fundus_views
from benchmark.probes.fundus.photograph import RENDERER_VERSION
from benchmark.probes.threads import one_thread_per_operation
from benchmark.progress import Reporter

CLEAN = "clean"
LESIONS = STRUCTURES[1:]

#: Candidates; eighths and sixteenths are exact in half precision.
_THRESHOLDS = tuple(step / 16 for step in range(2, 15))
#: Components of fewer pixels are no lesion, found or not.
_LEAST = 3

Images = NDArray[np.uint8]
Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class SegmenterSettings:
    """Everything that fixes the trained weights besides the renderer.

    Attributes:
        seed: of initial weights, sampling and random views.
        steps: optimiser steps.
        batch: crops a step.
        side: of a crop, pixels.
        rate: peak learning rate of the one-cycle schedule (AdamW).
        decay: weight decay.
        lesion_share: share of crops that are centred near a lesion.
        training: eyes that are learnt.
        calibration: eyes that the thresholds are chosen on.
        validation: eyes that the card is measured on.
    """

    seed: int = 0
    steps: int = 400
    batch: int = 12
    side: int = 96
    rate: float = 6e-3
    decay: float = 1e-3
    lesion_share: float = 0.5
    training: ProbeSettings = field(default_factory=lambda: ProbeSettings(60, 2, "train"))
    calibration: ProbeSettings = field(default_factory=lambda: ProbeSettings(8, 1, "calibration"))
    validation: ProbeSettings = field(default_factory=lambda: ProbeSettings(16, 1, "validation"))


def train_segmenter(
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    settings: SegmenterSettings | None = None,
    reporter: Reporter | None = None,
) -> AssetRecord:
    """``python -m benchmark instruments train fundus-segmenter``: render, train, validate, write.

    Args:
        folder: where weights and record go, by default into the installed package.
        device: where to compute.
        settings: by default those of the committed asset.
        reporter: told of every step.
    """
    settings = settings or SegmenterSettings()
    reporter = reporter or Reporter()

    def render(probe: ProbeSettings) -> Views:
        with reporter.task(f"render {probe.split} fundus", probe.subjects) as advance:
            return fundus_views(probe, advance=advance)

    training, calibration, validation = (
        render(probe) for probe in (settings.training, settings.calibration, settings.validation)
    )
    # a second core gains nothing on crops this small; sums must not depend on the number of cores
    with one_thread_per_operation():
        network = fit_segmenter(training, settings, device=device, reporter=reporter)
        as_stored(network)
        choose_thresholds(network, calibration, seed=settings.seed)
        card = segmentation_card(network, validation, seed=settings.seed)
    return save_segmenter(network, folder=folder, settings=settings, card=card)


def fit_segmenter(
    views: Views,
    settings: SegmenterSettings,
    *,
    device: torch.device | str = "cpu",
    reporter: Reporter | None = None,
) -> FundusNet:
    """Train on photographs with masks; the network comes back in evaluation mode on ``device``."""
    pool = _Pool(views, settings)
    network = initialised(FundusNet, settings.seed).to(device)
    network = network.to(memory_format=torch.channels_last)

    def loss(generator: torch.Generator) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        crops = [pool.crop(rng) for _ in range(settings.batch)]
        images, targets, seen = (
            torch.from_numpy(np.stack(part)).to(device) for part in zip(*crops, strict=True)
        )
        images = _photometric(images.permute(0, 3, 1, 2).float() / 255, generator)
        return _loss(network(images * seen[:, None], seen), targets.float(), seen)

    fit(
        network.parameters(),
        loss,
        steps=settings.steps,
        rate=settings.rate,
        decay=settings.decay,
        seed=settings.seed,
        title="fundus segmenter",
        reporter=reporter,
    )
    return network.eval()


def as_stored(network: FundusNet) -> None:
    """Round the weights as the asset's file will, so that the card is about what is in it."""
    network.load_state_dict(
        {
            name: tensor.half().to(tensor.dtype) if tensor.is_floating_point() else tensor
            for name, tensor in network.state_dict().items()
        }
    )


def conditions(views: Views, *, seed: int) -> dict[str, Images]:
    """The photographs as they are and in every medical stratum, by name."""
    made = {
        name: degrade(
            views.images,
            views.frame.assign(quality=name),
            seed=seed,
            strata=MEDICAL,
            axis="quality",
        )
        for name in MEDICAL
    }
    return {CLEAN: views.images} | made


def truth_of(views: Views) -> Masks:
    """``[N, 3, H, W]`` in the order of ``STRUCTURES``."""
    return np.stack([views.masks[name] for name in STRUCTURES], 1)


class _Pool:
    """Photographs in every condition to take random crops from."""

    def __init__(self, views: Views, settings: SegmenterSettings) -> None:
        self.pictures = list(conditions(views, seed=settings.seed).values())
        self.truth, self.valid = truth_of(views), views.masks["valid"]
        self.marked = np.flatnonzero(self.truth[:, 1:].any((1, 2, 3)))
        self.side = min(settings.side, *self.valid.shape[1:])
        self.lesion_share = settings.lesion_share if len(self.marked) else 0.0

    def crop(self, rng: np.random.Generator) -> tuple[Images, Masks, Masks]:
        """One crop in a random condition, turned and mirrored: image, truth, field of view."""
        if rng.random() < self.lesion_share:
            row = int(rng.choice(self.marked))
            spots = np.argwhere(self.truth[row, 1:].any(0))
            middle = rng.choice(spots) + rng.integers(-self.side // 3, self.side // 3 + 1, 2)
        else:
            row = int(rng.integers(len(self.valid)))
            middle = rng.choice(np.argwhere(self.valid[row, ::8, ::8])) * 8
        corner = np.array(self.valid.shape[1:]) - self.side
        top, left = np.clip(middle - self.side // 2, 0, corner)
        window = (slice(top, top + self.side), slice(left, left + self.side))
        image = self.pictures[int(rng.integers(len(self.pictures)))][row][window]
        turns, flip = int(rng.integers(4)), int(rng.choice([-1, 1]))
        return (
            np.ascontiguousarray(np.rot90(image, turns)[:, ::flip]),
            np.ascontiguousarray(np.rot90(self.truth[row][:, *window], turns, (1, 2))[..., ::flip]),
            np.ascontiguousarray(np.rot90(self.valid[row][window], turns)[:, ::flip]),
        )


def _photometric(images: Tensor, generator: torch.Generator) -> Tensor:
    """Random gain, tint, gamma, sharpness and noise, as cameras and enhancers leave them."""

    def draw(low: float, high: float, width: int = 1) -> Tensor:
        sample = torch.rand(len(images), width, 1, 1, generator=generator) * (high - low) + low
        return sample.to(images)

    images = images ** draw(-0.5, 0.5).exp() * draw(-0.35, 0.25).exp() * draw(0.88, 1.12, 3)
    soft = functional.avg_pool2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    images = torch.lerp(images, soft, draw(-0.8, 0.7))
    noise = torch.randn(images.shape, generator=generator).to(images)
    return (images + noise * draw(-0.02, 0.03).clamp(min=0)).clamp(0, 1)


def _loss(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Cross entropy plus soft Dice over the batch, structures alike, inside the field of view."""
    weight = valid[:, None].float()
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    # lesions are some hundredth as frequent as vessels
    balance = logits.new_tensor([1.0, 8.0, 4.0])[:, None, None]
    entropy = (entropy * weight * balance).sum() / weight.sum().clamp(min=1)
    seen = logits.sigmoid() * weight
    target = target * weight
    overlap = (2 * (seen * target).sum((0, 2, 3)) + 1) / ((seen + target).sum((0, 2, 3)) + 1)
    return entropy + (1 - overlap).sum()


@torch.inference_mode()
def answers(network: FundusNet, images: Images, valid: Masks) -> NDArray[np.float32]:
    """Probabilities ``[N, 3, H, W]``."""
    device = next(network.parameters()).device
    parts = []
    for row in range(len(images)):
        picture = torch.from_numpy(images[row : row + 1]).to(device).permute(0, 3, 1, 2).float()
        seen = torch.from_numpy(valid[row : row + 1]).to(device)
        parts.append(probabilities(network, picture / 255, seen).cpu().numpy())
    return np.concatenate(parts)


def choose_thresholds(network: FundusNet, views: Views, *, seed: int) -> None:
    """Set the thresholds: best Dice of vessels, best F1 of lesions, over all conditions alike.

    Of several that are about as good, within a hundredth, the middle one is taken.
    """
    truth = truth_of(views)
    made = conditions(views, seed=seed)
    found = [answers(network, images, views.masks["valid"]) for images in made.values()]
    for place, name in enumerate(STRUCTURES):
        scores = []
        for threshold in _THRESHOLDS:
            masks = [part[:, place] >= threshold for part in found]
            if name in LESIONS:
                counts = [_lesion_counts(mask, truth[:, place]).sum(0) for mask in masks]
                hits, lesions, false = np.sum(counts, 0)
                scores.append(2 * hits / max(lesions + hits + false, 1))
            else:
                scores.append(np.mean([dice(mask, truth[:, place]).mean() for mask in masks]))
        good = np.flatnonzero(np.array(scores) >= max(scores) - 0.01)
        network.thresholds[place] = _THRESHOLDS[good[len(good) // 2]]


def segmentation_card(network: FundusNet, views: Views, *, seed: int) -> dict[str, Any]:
    """Quality per condition and pigmentation on eyes that nothing was fitted to.

    Returns:
        ``thresholds`` by structure, and ``segmentation``: rows ``condition, pigmentation, n_images,
        vessel_dice, vessel_recall`` and for each lesion ``<name>_lesions`` (how many there are),
        ``<name>_recall`` (share of them that are touched, None without any) and ``<name>_false``
        (components of three pixels and more per image that touch none).
    """
    truth = truth_of(views)
    thresholds = network.thresholds.cpu().numpy()[:, None, None]
    groups = views.frame["pigmentation"].to_numpy()
    rows: list[dict[str, Any]] = []
    for condition, images in conditions(views, seed=seed).items():
        found = answers(network, images, views.masks["valid"]) >= thresholds
        for level in PIGMENTATIONS:
            mine = np.flatnonzero(groups == level)
            row: dict[str, Any] = {
                "condition": condition,
                "pigmentation": level,
                "n_images": len(mine),
                **_quality(found[mine], truth[mine]),
            }
            rows.append(row)
    return {
        "thresholds": dict(zip(STRUCTURES, network.thresholds.tolist(), strict=True)),
        "segmentation": rows,
    }


def _quality(found: Masks, truth: Masks) -> dict[str, float | int | None]:
    vessels, real = found[:, 0], truth[:, 0]
    recall = (vessels & real).sum((1, 2)) / np.maximum(real.sum((1, 2)), 1)
    result: dict[str, float | int | None] = {
        "vessel_dice": _rounded(dice(vessels, real).mean()),
        "vessel_recall": _rounded(recall.mean()),
    }
    for place, name in enumerate(STRUCTURES):
        if name in LESIONS:
            counts = _lesion_counts(found[:, place], truth[:, place])
            hits, lesions, false = counts.sum(0)
            result[f"{name}_lesions"] = int(lesions)
            result[f"{name}_recall"] = _rounded(hits / lesions) if lesions else None
            result[f"{name}_false"] = _rounded(false / len(counts))
    return result


def _rounded(value: float) -> float:
    return round(float(value), 4)


def dice(found: Masks, truth: Masks) -> NDArray[np.float64]:
    """Dice coefficient of every image ``[N]`` of masks ``[N, H, W]``; 1 where both are empty."""
    both = (found & truth).sum((1, 2))
    total = found.sum((1, 2)) + truth.sum((1, 2))
    result: NDArray[np.float64] = np.where(total > 0, 2 * both / np.maximum(total, 1), 1.0)
    return result


def _lesion_counts(found: Masks, truth: Masks) -> NDArray[np.int64]:
    """Per image: lesions that are touched, lesions, and found components that touch none."""
    return np.array([_counts(one, other) for one, other in zip(found, truth, strict=True)])


def _counts(found: Masks, truth: Masks) -> tuple[int, int, int]:
    eight = np.ones((3, 3))
    real, lesions = label(truth, eight)
    seen, components = label(found, eight)
    sizes = np.bincount(real.ravel(), minlength=lesions + 1)
    touched = np.bincount(real[found], minlength=lesions + 1) > 0
    large = sizes >= _LEAST
    large[0] = False
    areas = np.bincount(seen.ravel(), minlength=components + 1)
    grounded = np.bincount(seen[truth], minlength=components + 1) > 0
    false = (areas >= _LEAST) & ~grounded
    false[0] = False
    return int((touched & large).sum()), int(large.sum()), int(false.sum())


def save_segmenter(
    network: FundusNet,
    *,
    folder: Path | None,
    settings: SegmenterSettings,
    card: Mapping[str, Any],
) -> AssetRecord:
    """Write the weights and their record; default folder: the installed package's."""
    fixed = asdict(settings)
    splits = ("training", "calibration", "validation")
    data = {f"{name}_probe": fixed.pop(name) for name in splits}
    return save_asset(
        network.state_dict(),
        folder=folder or asset_folder(),
        name=ASSET,
        summary="segmenter of vessels and lesions, trained on rendered fundus photographs",
        licence="Apache-2.0",
        device=next(network.parameters()).device.type,
        parameters=sum(p.numel() for p in network.parameters()),
        settings=fixed,
        data={**data, "renderer": RENDERER_VERSION},
        card=dict(card),
        caveats=(
            "Trained on rendered eyes only: it has not been validated on any patient.",
            "No medical device; it says how well rendered structure survives an enhancer.",
            "Contrast is lower over dark pigment, so its errors are not equal between groups; the "
            "card has them, and metrics report gains against its own answer on the input.",
        ),
    )
