"""Training and validating the suite's knowledge bank on labelled scenes of the probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.draw import polygon2mask
from torch import Tensor
from torch.nn import functional

from benchmark.assets import AssetRecord, asset_folder, save_asset
from benchmark.assets.fitting import fit, initialised
from benchmark.contexts.mixture import generic_views, medical_views
from benchmark.data.degradations import LOW_LIGHT, MEDICAL, Acquisition, degrade
from benchmark.data.views import OK, Views
from benchmark.imaging.augmentation import Augmentation, augment
from benchmark.judges.semantics import ASSET, CLASSES, SceneNet
from benchmark.probes.faces import FaceProbe, ToneLevel
from benchmark.probes.signs.illuminants import ILLUMINANTS
from benchmark.probes.signs.probe import render_signs
from benchmark.probes.threads import one_thread_per_operation
from benchmark.progress import Reporter

_BATCH = 64
#: Rare classes count more, by this power of how rare they are.
_RARITY = 0.25

Images = NDArray[np.uint8]
Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class SceneSettings:
    """Everything that fixes the trained weights besides the renderers.

    Attributes:
        seed: of initial weights, sampling, augmentation and the pictures.
        steps: optimiser steps.
        batch: pictures a step.
        rate: peak learning rate of the one-cycle schedule (AdamW).
        decay: weight decay.
        augmentation: ranges of the random photometric changes; places stay, labels must fit.
        count: training pictures of every kind.
        held_out: validation pictures of every kind.
        size: side in pixels.
    """

    seed: int = 0
    steps: int = 700
    batch: int = 16
    rate: float = 4e-3
    decay: float = 1e-3
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(
            mirror=0.0, rotation=0.0, scale=0.0, shift=0.0, dark_share=0.5, tint=0.15
        )
    )
    count: int = 300
    held_out: int = 72
    size: int = 96


@dataclass(frozen=True)
class Scenes:
    """Pictures of one kind and the class of every pixel.

    Attributes:
        views: clean pictures.
        labels: ``[N, H, W]`` uint8, index into ``CLASSES``.
        strata: how such pictures are spoilt.
        axis: column with the group that the card reports for, empty where there is none.
    """

    views: Views
    labels: Labels
    strata: Mapping[str, Acquisition]
    axis: str = ""

    def condition(self, name: str, *, seed: int) -> Images:
        """The pictures in the stratum ``name``; ``clean`` leaves them as they are."""
        if name == "clean":
            return self.views.images
        frame = self.views.frame.assign(stratum=name)
        return degrade(self.views.images, frame, seed=seed, strata=self.strata, axis="stratum")

    def groups(self) -> dict[str, NDArray[np.bool_]]:
        """Rows of every group, and of all under ``""``."""
        found = {"": np.ones(len(self.labels), dtype=bool)}
        if self.axis:
            column = self.views.frame[self.axis].to_numpy()
            found |= {str(name): column == name for name in sorted(set(column))}
        return found


def scenes(
    count: int, *, size: int, split: str, seed: int, reporter: Reporter
) -> dict[str, Scenes]:
    """Labelled pictures of every kind: generic, face, medical and signs.

    Args:
        count: of every kind.
        size: side in pixels.
        split: sets of different names share nobody.
        seed: of everything.
        reporter: told of every view.
    """
    generic = generic_views(count, size, split, seed, reporter)
    faces, skin = _faces(count, size, split, seed, reporter)
    medical = medical_views(count, size, split, seed, reporter)
    signs, boards = _signs(count, size, split, seed, reporter)
    mask = medical.masks
    eye = _painted(
        (count, size, size),
        {
            "retina": mask["valid"],
            "disc": mask["disc"] & mask["valid"],
            "vessels": mask["vessels"],
            "lesions": mask["microaneurysms"] | mask["exudates"],
        },
    )
    nothing = np.zeros((count, size, size), np.uint8)
    return {
        "generic": Scenes(generic, nothing, LOW_LIGHT),
        "face": Scenes(faces, _painted(skin.shape, {"skin": skin}), LOW_LIGHT, "tone_level"),
        "medical": Scenes(medical, eye, MEDICAL, "pigmentation"),
        "lowlight": Scenes(
            signs, _painted(boards.shape, {"sign": boards}), LOW_LIGHT, "illuminant"
        ),
    }


def fit_scenes(
    training: Mapping[str, Scenes],
    settings: SceneSettings,
    *,
    device: torch.device | str = "cpu",
    reporter: Reporter | None = None,
) -> SceneNet:
    """Train on clean and degraded pictures, half each; returns the network for evaluation."""
    parts = list(training.values())
    spoilt = [_mixed(part, settings.seed) for part in parts]
    images = torch.from_numpy(np.concatenate([*(p.views.images for p in parts), *spoilt]))
    labels = torch.from_numpy(np.concatenate([p.labels for p in parts] * 2))
    share = torch.bincount(labels.flatten(), minlength=len(CLASSES)).double().clamp(min=1)
    weights = (share.sum() / share) ** _RARITY
    weights = (weights / weights.mean()).float().to(device)
    network = initialised(SceneNet, settings.seed).to(device)
    network = network.to(memory_format=torch.channels_last)

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(images), (settings.batch,), generator=generator)
        batch = images[rows].permute(0, 3, 1, 2).to(device).float() / 255
        target = labels[rows].long().to(device)
        if torch.rand((), generator=generator) < 0.5:
            batch, target = batch.flip(3), target.flip(2)
        logits = network(augment(batch, generator, settings.augmentation)).logits
        return functional.cross_entropy(logits, target, weights)

    fit(
        network.parameters(),
        loss,
        steps=settings.steps,
        rate=settings.rate,
        decay=settings.decay,
        seed=settings.seed,
        title="probe scenes",
        reporter=reporter,
    )
    return network.eval()


@torch.inference_mode()
def scene_card(
    network: SceneNet, held_out: Mapping[str, Scenes], *, seed: int
) -> list[dict[str, Any]]:
    """Intersection over union of every class, in every condition that its pictures are met in.

    Returns:
        Rows ``kind, group, condition, class, n_images, iou``, group ``""`` for all. Classes that a
        kind does not show are left out; ``background`` of generic pictures says how seldom anything
        is imagined there.
    """
    device = next(network.parameters()).device
    rows: list[dict[str, Any]] = []
    for kind, part in held_out.items():
        for condition in ("clean", *part.strata):
            pictures = torch.from_numpy(part.condition(condition, seed=seed)).permute(0, 3, 1, 2)
            found = torch.cat(
                [
                    network(batch.to(device).float() / 255).logits.argmax(1).cpu()
                    for batch in torch.split(pictures, _BATCH)
                ]
            ).numpy()
            for group, mine in part.groups().items():
                for code in np.unique(part.labels[mine]).tolist():
                    one, other = found[mine] == code, part.labels[mine] == code
                    overlap = float((one & other).sum() / (one | other).sum())
                    rows.append(
                        {
                            "kind": kind,
                            "group": group,
                            "condition": condition,
                            "class": CLASSES[code],
                            "n_images": int(mine.sum()),
                            "iou": round(overlap, 4),
                        }
                    )
    return rows


def train_scenes(
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    settings: SceneSettings | None = None,
    reporter: Reporter | None = None,
) -> AssetRecord:
    """``python -m benchmark instruments train probe-scenes``: render, train, validate, write.

    Args:
        folder: where weights and record go, by default into the installed package.
        device: where to compute.
        settings: by default those of the committed asset.
        reporter: told of every step.
    """
    settings = settings or SceneSettings()
    reporter = reporter or Reporter()

    def rendered(count: int, split: str) -> dict[str, Scenes]:
        return scenes(count, size=settings.size, split=split, seed=settings.seed, reporter=reporter)

    training = rendered(settings.count, "train")
    held_out = rendered(settings.held_out, "validation")
    with one_thread_per_operation():
        network = fit_scenes(training, settings, device=device, reporter=reporter)
        # the card is of the weights as they are stored
        card = scene_card(network.half().float(), held_out, seed=settings.seed)
    strata = ["clean", *LOW_LIGHT, *MEDICAL]
    return save_asset(
        network.state_dict(),
        folder=folder or asset_folder(),
        name=ASSET,
        summary="knowledge bank of SKF: segments rendered faces, eyes and signs",
        licence="Apache-2.0",
        device=torch.device(device).type,
        parameters=sum(p.numel() for p in network.parameters()),
        settings={**asdict(settings), "classes": list(CLASSES)},
        data={
            "training_probe": {"split": "train", "strata": strata},
            "validation_probe": {"split": "validation", "strata": strata},
            "generic": "dead leaves, photographs of scikit-image",
        },
        card={"segmentation": card},
        caveats=(
            "A prior for training and enhancing; it judges nothing.",
            "It finds no lesions, they are too small and too few: to it they are retina.",
            "Knows rendered scenes: of real photographs it has seen a few as background only.",
        ),
    )


def _mixed(part: Scenes, seed: int) -> Images:
    """Every picture in one of the strata, drawn at random."""
    names = np.array(list(part.strata))
    drawn = names[np.random.default_rng([seed, 0x5CE]).integers(0, len(names), len(part.labels))]
    frame = part.views.frame.assign(stratum=drawn)
    return degrade(part.views.images, frame, seed=seed, strata=part.strata, axis="stratum")


def _painted(shape: tuple[int, ...], masks: Mapping[str, NDArray[np.bool_]]) -> Labels:
    """Labels of masks, later ones over earlier ones."""
    labels = np.zeros(shape, np.uint8)
    for name, mask in masks.items():
        labels[mask] = CLASSES.index(name)
    return labels


def _faces(
    count: int, size: int, split: str, seed: int, reporter: Reporter
) -> tuple[Views, NDArray[np.bool_]]:
    # the mixture's faces, which come without their masks
    views = 2
    probe = FaceProbe(
        split=split,
        identities=-(-count // (len(ToneLevel) * views)),
        views=views - 1,
        tones="levels",
        size=size,
        seed=seed,
        supersample=1,
    )
    with reporter.task(f"render {split} faces", probe.identities * views) as advance:
        samples = probe.render(advance=advance)
    frame = samples.frame.rename(columns={"identity": "cluster"}).assign(status=OK)
    return Views(frame.iloc[:count], samples.images[:count]), samples.skin[:count]


def _signs(
    count: int, size: int, split: str, seed: int, reporter: Reporter
) -> tuple[Views, NDArray[np.bool_]]:
    lamps = len(ILLUMINANTS)
    number = -(-count // lamps)
    with reporter.task(f"render {split} signs", number) as advance:
        samples = render_signs(number, split=split, seed=seed, size=size, advance=advance)
    # corners are (x, y), a polygon wants rows and columns
    boards = np.stack(
        [
            polygon2mask((size, size), corners[:, ::-1])  # type: ignore[no-untyped-call]
            for corners in samples.corners[:count]
        ]
    )
    frame = samples.frame.iloc[:count].reset_index(drop=True)
    return Views(frame, samples.images[:count]), boards
