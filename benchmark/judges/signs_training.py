"""Training, calibrating and validating the two readers of signs, in normal light only.

Daylight with the errors of an ordinary camera: a little noise, blur, cast and contrast, a grey
picture now and then, and for the judge an exposure that is off by up to 1.7 stops and grey pictures
in any tone. Low light begins at three stops. Neither network has seen it, or a scene under another
lamp, so what it loses there is what a recogniser in use would lose, and what an enhancer can give
back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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
from benchmark.judges.signs_lessons import (
    Lessons,
    Loss,
    field_loss,
    gaze_loss,
    lessons,
    right_answers,
)
from benchmark.judges.signs_net import (
    CLASSES,
    Answers,
    SignField,
    SignGaze,
    SignNetwork,
)
from benchmark.probes.signs import SignSamples, render_signs
from benchmark.probes.signs.illuminants import ILLUMINANTS
from benchmark.probes.signs.subjects import PLATE
from benchmark.progress import Reporter

Images = NDArray[np.uint8]
#: Splits of the scenes on which temperatures are fitted and the card is measured.
_CALIBRATION, _VALIDATION = "calibration", "validation"
_NORMAL = ("daylight",)

_LOSS_VIEWS = Augmentation(
    rotation=0, scale=0, shift=0, mirror=0, dark_share=0, read_noise=0.02, tint=0.15, gamma=1.2
)
#: The judge has met exposures that are wrong by up to 1.7 stops, as any camera's are at times: a
#: reader that knows a single brightness would give nothing but a floor to compare systems on.
_JUDGE_VIEWS = replace(
    _LOSS_VIEWS, dark_share=0.6, darkest=0.3, tint=0.2, gamma=1.3, read_noise=0.01, blur=0.5
)


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
        toned: largest share that a channel of such a picture loses, as in toned prints.
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
    toned: float = 0.0
    calibration_scenes: int = 400
    validation_scenes: int = 240


LOSS_SETTINGS = ReaderSettings(
    seed=0, split="train", scenes=3000, steps=500, batch=32, rate=4e-3, decay=1e-3
)
JUDGE_SETTINGS = ReaderSettings(
    seed=1,
    split="train-judge",
    scenes=3000,
    steps=450,
    batch=32,
    rate=2.5e-3,
    decay=1e-2,
    augmentation=_JUDGE_VIEWS,
    toned=1.0,
)


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
        batch = known.take(rows).to(device)
        images = batch.images.float() / 255
        grey = torch.rand(len(rows), 1, 1, 1, generator=generator).to(device) < settings.grey
        tone = 1 - settings.toned * torch.rand(len(rows), 3, 1, 1, generator=generator).to(device)
        images = torch.where(grey, luminance(images) * tone, images)
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
    device = network.temperatures.device
    parts = [network(part.to(device).float() / 255) for part in torch.split(known.images, 64)]
    classes = torch.cat([part.classes for part in parts]).cpu()
    answers = Answers(classes, torch.cat([part.characters for part in parts]).cpu())
    wanted = right_answers(known)
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
        caveats=(
            "A loss network: never the judge of record of recognition.",
            "It has met one exposure only and reads nothing in the dark: a loss shall mind that.",
        ),
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
    data = {
        "training_probe": {
            "split": fixed.pop("split"),
            "scenes": fixed.pop("scenes"),
            "illuminants": list(_NORMAL),
        },
        "calibration_probe": {
            "split": _CALIBRATION,
            "scenes": fixed.pop("calibration_scenes"),
            "illuminants": list(_NORMAL),
        },
        "validation_probe": {
            "split": _VALIDATION,
            "scenes": fixed.pop("validation_scenes"),
            "illuminants": list(ILLUMINANTS),
        },
    }
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
