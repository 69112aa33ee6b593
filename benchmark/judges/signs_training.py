"""Training, calibrating and validating the two readers of signs, in normal light only.

Daylight at full exposure, with the errors of an ordinary camera: a little noise, blur, cast and
contrast. Neither network has seen dim light or another lamp, so what it loses there is what a
recogniser in use would lose, and what an enhancer can give back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.assets import AssetRecord, asset_folder, asset_names, save_asset
from benchmark.assets.fitting import fit, initialised
from benchmark.imaging.augmentation import Augmentation, augment
from benchmark.imaging.colour import luminance
from benchmark.judges.signs import (
    JUDGE_READER,
    LOSS_READER,
    load_network,
    reading,
)
from benchmark.judges.signs_card import agreement, read_images, reading_card
from benchmark.judges.signs_net import (
    BLANK,
    CLASSES,
    MARGIN,
    Answers,
    SignField,
    SignGaze,
    SignNetwork,
    from_square,
)
from benchmark.probes.signs import SignSamples, render_signs
from benchmark.probes.signs.illuminants import ILLUMINANTS
from benchmark.probes.signs.strokes import ALPHABET
from benchmark.probes.signs.subjects import LONGEST, PLATE
from benchmark.progress import Reporter

Images = NDArray[np.uint8]
#: Splits of the scenes on which temperatures are fitted and the card is measured.
_CALIBRATION, _VALIDATION = "calibration", "validation"
_NORMAL = ("daylight",)

_LOSS_VIEWS = Augmentation(
    rotation=0, scale=0, shift=0, mirror=0, dark_share=0, read_noise=0.02, tint=0.15, gamma=1.2
)
_JUDGE_VIEWS = replace(_LOSS_VIEWS, tint=0.2, gamma=1.3, read_noise=0.03, blur=0.5)


@dataclass(frozen=True)
class ReaderSettings:
    """Everything that fixes the trained weights.

    Attributes:
        seed: of scenes, initial weights, sampling and augmentation.
        split: whose scenes are learnt.
        scenes: how many.
        steps: optimiser steps.
        batch: pictures a step.
        rate: peak learning rate.
        decay: weight decay.
        augmentation: ranges of the random views; geometry must stay at 0.
        grey: share of pictures without colour, as in the training of common recognisers.
        calibration_scenes: for the temperatures.
        validation_scenes: for the card.
    """

    seed: int
    split: str
    scenes: int
    steps: int
    batch: int
    rate: float
    decay: float
    augmentation: Augmentation = field(default_factory=lambda: _LOSS_VIEWS)
    grey: float = 0.25
    calibration_scenes: int = 400
    validation_scenes: int = 240


LOSS_SETTINGS = ReaderSettings(
    seed=0, split="train", scenes=3000, steps=500, batch=32, rate=4e-3, decay=1e-3
)
JUDGE_SETTINGS = ReaderSettings(
    seed=1,
    split="train-judge",
    scenes=3000,
    steps=600,
    batch=32,
    rate=2.5e-3,
    decay=1e-2,
    augmentation=_JUDGE_VIEWS,
)


@dataclass(frozen=True)
class Lessons:
    """Pictures with the right answers, as tensors.

    Attributes:
        images: ``[N, 3, S, S]`` uint8.
        classes: ``[N]`` place in ``CLASSES``.
        texts: ``[N, 6]`` place in the alphabet, ``BLANK`` behind the end and on signs.
        corners: ``[N, 4, 2]`` pixels.
        characters: ``[N, 6, 2]`` pixels, NaN where there is none.
    """

    images: Tensor
    classes: Tensor
    texts: Tensor
    corners: Tensor
    characters: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Tensor) -> Lessons:
        """Those at ``rows``."""
        return Lessons(*(getattr(self, name)[rows] for name in Lessons.__dataclass_fields__))


def lessons(samples: SignSamples) -> Lessons:
    """What there is to learn from rendered signs."""
    frame = samples.frame
    texts = np.full((len(frame), LONGEST), BLANK)
    for row in np.flatnonzero((frame["kind"] == PLATE).to_numpy()):
        text = frame["label"].iloc[row]
        texts[row, : len(text)] = [ALPHABET.index(character) for character in text]
    images = torch.from_numpy(samples.images).permute(0, 3, 1, 2).contiguous()
    return Lessons(
        images=images,
        classes=torch.tensor([CLASSES.index(name) for name in frame["sign_class"]]),
        texts=torch.from_numpy(texts),
        corners=torch.from_numpy(samples.corners),
        characters=torch.from_numpy(samples.characters),
    )


Loss = Callable[[Any, Tensor, Lessons, torch.Generator], Tensor]


def field_loss(
    network: SignField, images: Tensor, known: Lessons, generator: torch.Generator
) -> Tensor:
    """Cross-entropy of the class, of where to look, and of every cell of the plates.

    A cell within 0.8 cells of a character's centre shall name it, cells from 1.5 on shall name
    nothing, and those between are not asked.
    """
    del generator
    fine, middle, coarse = network.features(images)
    attention = network.attention(coarse)
    centre = _cell(known.corners.mean(1), attention, images.shape[3] // attention.shape[3])
    loss = 0.3 * functional.cross_entropy(attention.flatten(1), centre)
    seen = network.classes(coarse, attention)
    loss = loss + functional.cross_entropy(seen, known.classes, label_smoothing=0.05)
    plates = torch.nonzero(known.classes == CLASSES.index(PLATE)).flatten()
    if len(plates) == 0:
        return loss
    cells = network.cells(fine[plates], middle[plates], coarse[plates])
    return loss + 2 * _spelling(cells, _around(known.take(plates), cells, network.stride))


def _spelling(cells: Tensor, wanted: tuple[Tensor, Tensor]) -> Tensor:
    """Weighted cross-entropy of cells ``[B, A + 1, h, w]``."""
    target, weight = wanted
    each = functional.cross_entropy(cells, target, reduction="none") * weight
    return each.sum() / weight.sum()


def _around(known: Lessons, cells: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """What each cell shall say ``[B, h, w]``, and how much it counts."""
    height, width = cells.shape[2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centre = (known.characters + 0.5) / stride - 0.5
    across = torch.stack([x, y], 2).view(1, 1, -1, 2) - centre[:, :, None]
    distance = across.norm(dim=3).nan_to_num(nan=1e4)
    return _named(known.texts, distance, (height, width), empty=0.02)


def _named(
    texts: Tensor, distance: Tensor, size: tuple[int, int], *, empty: float
) -> tuple[Tensor, Tensor]:
    """Targets and weights of cells, from the distance of each character ``[B, 6, h * w]``.

    ``empty`` is the weight of a cell without a character, of which there are many.
    """
    near, which = distance.min(1)
    target = torch.where(near < 0.8, texts.gather(1, which), BLANK)
    weight = torch.where(near < 0.8, 1.0, torch.where(near < 1.5, 0.0, empty))
    return target.view(-1, *size), weight.view(-1, *size)


def gaze_loss(
    network: SignGaze, images: Tensor, known: Lessons, generator: torch.Generator
) -> Tensor:
    """Distance of the corners, and cross-entropy of class and text inside nearly right corners."""
    beliefs = network.beliefs(images)
    cell = _cell(known.corners, beliefs, network.stride)
    loss = 0.25 * functional.cross_entropy(beliefs.flatten(2).flatten(0, 1), cell.flatten())
    apart = functional.smooth_l1_loss(network.corners(beliefs), known.corners, beta=1.0)
    # as wrong as the network will be about them when it reads on its own
    slack = torch.randn(len(images), 4, 2, generator=generator) * 1.2
    corners = known.corners + slack + torch.randn(len(images), 1, 2, generator=generator)
    seen = network.classes(images, corners)
    loss = loss + apart / 4 + functional.cross_entropy(seen, known.classes, label_smoothing=0.05)
    plates = torch.nonzero(known.classes == CLASSES.index(PLATE)).flatten()
    if len(plates) == 0:
        return loss
    columns = network.columns(images[plates], corners[plates])
    wanted = _along(known.take(plates), corners[plates], columns.shape[3])
    return loss + 2 * _spelling(columns, wanted)


def _cell(points: Tensor, maps: Tensor, stride: int) -> Tensor:
    """Number of the cell of maps ``[B, C, h, w]`` nearest to points ``[..., 2]`` in pixels."""
    height, width = maps.shape[2:]
    nearest = ((points + 0.5) / stride - 0.5).round().long()
    return nearest[..., 0].clamp(0, width - 1) + width * nearest[..., 1].clamp(0, height - 1)


def _along(known: Lessons, corners: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """As :func:`_cell_targets`, for the columns of plates straightened by ``corners``."""
    pixels = known.characters.nan_to_num(nan=-1e4)
    ahead = torch.cat([pixels, torch.ones_like(pixels[..., :1])], 2)
    square = torch.linalg.solve(from_square(corners), ahead.transpose(1, 2))
    share = square[:, 0] / square[:, 2]
    column = (share + MARGIN) / (1 + 2 * MARGIN) * width - 0.5
    column = torch.where(known.characters[..., 0].isnan(), 1e4, column)
    distance = (torch.arange(width) - column[..., None]).abs()
    return _named(known.texts, distance, (1, width), empty=0.2)


def fit_reader(
    network: SignNetwork,
    loss: Loss,
    known: Lessons,
    settings: ReaderSettings,
    *,
    reporter: Reporter | None = None,
) -> None:
    """Train ``network`` in place and leave it in evaluation mode."""
    network.train().to(memory_format=torch.channels_last)
    device = network.temperatures.device

    def step(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(known), (settings.batch,), generator=generator)
        batch = known.take(rows)
        images = batch.images.to(device).float() / 255
        grey = torch.rand(len(rows), 1, 1, 1, generator=generator).to(device) < settings.grey
        images = torch.where(grey, luminance(images), images)
        images = augment(images, generator, settings.augmentation)
        images = images.contiguous(memory_format=torch.channels_last)
        return loss(network, images, batch, generator)

    fit(
        network.parameters(),
        step,
        steps=settings.steps,
        rate=settings.rate,
        decay=settings.decay,
        seed=settings.seed,
        title="sign reader",
        reporter=reporter,
    )
    network.eval()


@torch.inference_mode()
def calibrate(network: SignNetwork, known: Lessons) -> None:
    """Set the temperatures: least logarithmic loss of "the answer is right", signs then plates.

    Args:
        network: in evaluation mode; changed in place.
        known: pictures in normal light that it was not trained on.
    """
    parts = [network(part.float() / 255) for part in torch.split(known.images, 64)]
    classes = torch.cat([part.classes for part in parts])
    answers = Answers(classes, torch.cat([part.characters for part in parts]))
    wanted = _labels(known)
    plates = (known.classes == CLASSES.index(PLATE)).numpy()
    chosen = torch.ones(2)
    for place, mine in ((0, ~plates), (1, plates)):
        losses = {}
        for temperature in np.geomspace(0.25, 4.0, 65):
            trial = chosen.clone()
            trial[place] = temperature
            seen = reading(answers, trial)
            sure = np.clip(seen.confidence[mine], 1e-6, 1 - 1e-6)
            right = seen.labels[mine] == wanted[mine]
            losses[float(temperature)] = -np.log(np.where(right, sure, 1 - sure)).mean()
        chosen[place] = min(losses, key=losses.__getitem__)
    network.temperatures.copy_(chosen)


def _labels(known: Lessons) -> NDArray[np.str_]:
    """The right answers as text."""
    letters = np.array([*ALPHABET, ""])[known.texts.numpy()]
    names = np.array(CLASSES)[known.classes.numpy()]
    texts = np.array(["".join(row) for row in letters], dtype=str)
    return np.where(names == PLATE, texts, names)


def train_loss_reader(
    folder: Path | None = None,
    *,
    device: str = "cpu",
    settings: ReaderSettings = LOSS_SETTINGS,
    reporter: Reporter | None = None,
) -> AssetRecord:
    """``python -m benchmark instruments train sign-reader``: render, train, calibrate, write.

    Args:
        folder: where weights and record go, by default into the installed package.
        device: where to compute.
        settings: by default those of the committed asset.
        reporter: told of every step.
    """
    network = initialised(SignField, settings.seed).to(device)
    examined = _teach(network, field_loss, settings, reporter or Reporter())
    return _save(
        network,
        LOSS_READER,
        folder,
        settings,
        card={"reading": reading_card(network, examined, seed=settings.seed)},
        summary="sign reader of the recognition loss, trained on rendered signs in daylight",
        caveats=("A loss network: never the judge of record of recognition.",),
    )


def train_judge_reader(
    folder: Path | None = None,
    *,
    device: str = "cpu",
    settings: ReaderSettings = JUDGE_SETTINGS,
    reporter: Reporter | None = None,
) -> AssetRecord:
    """``python -m benchmark instruments train sign-judge``: as above, and compare with the other.

    The card has the agreement with the loss reader where that one is trained already.

    Args:
        folder: where weights and record go, by default into the installed package.
        device: where to compute.
        settings: by default those of the committed asset.
        reporter: told of every step.
    """
    network = initialised(SignGaze, settings.seed).to(device)
    examined = _teach(network, gaze_loss, settings, reporter or Reporter())
    card: dict[str, Any] = {"reading": reading_card(network, examined, seed=settings.seed)}
    if LOSS_READER in asset_names(folder):
        other = load_network(LOSS_READER, device=device, folder=folder)
        card["agreement_with_the_loss_reader"] = agreement(
            read_images(network, examined.images).labels,
            read_images(other, examined.images).labels,
            examined.frame["label"].to_numpy(dtype=str),
        )
    return _save(
        network,
        JUDGE_READER,
        folder,
        settings,
        card=card,
        summary="sign reader of record, trained on rendered signs in daylight",
        caveats=("Reads rendered signs only.",),
    )


def _teach(
    network: SignNetwork, loss: Loss, settings: ReaderSettings, reporter: Reporter
) -> SignSamples:
    """Train and calibrate in daylight; returns the scenes for the card, under every lamp."""

    def render(split: str, scenes: int, lamps: Sequence[str] = _NORMAL) -> SignSamples:
        with reporter.task(f"render {split} signs", scenes) as advance:
            return render_signs(
                scenes, split=split, seed=settings.seed, illuminants=lamps, advance=advance
            )

    known = lessons(render(settings.split, settings.scenes))
    fit_reader(network, loss, known, settings, reporter=reporter)
    calibrate(network, lessons(render(_CALIBRATION, settings.calibration_scenes)))
    return render(_VALIDATION, settings.validation_scenes, tuple(ILLUMINANTS))


def _save(
    network: SignNetwork,
    name: str,
    folder: Path | None,
    settings: ReaderSettings,
    *,
    card: dict[str, Any],
    summary: str,
    caveats: tuple[str, ...],
) -> AssetRecord:
    fixed = asdict(settings)
    data = {key: fixed.pop(key) for key in ("split", "scenes")}
    data |= {key: fixed.pop(key) for key in ("calibration_scenes", "validation_scenes")}
    data["illuminants"] = list(_NORMAL)
    return save_asset(
        network.state_dict(),
        folder=folder or asset_folder(),
        name=name,
        summary=summary,
        licence="Apache-2.0",
        device=network.temperatures.device.type,
        parameters=sum(p.numel() for p in network.parameters()),
        settings=fixed,
        data=data,
        card=card,
        caveats=caveats,
    )
