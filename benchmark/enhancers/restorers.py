"""The router's own restorers of soft and of shaken pictures: a host trained on synthetic pairs.

NAFNet of width 16 (``hosts``), trained in minutes by ``instruments train restorer-soft`` and
``restorer-motion``. They are there so that a route has somebody at its end; their cards say how
little minutes on two cores give, and better weights can be named in the routes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark.assets import AssetRecord, asset_folder, load_asset, save_asset
from benchmark.assets.fitting import fit
from benchmark.contexts.base import CONTEXTS
from benchmark.contexts.router.base import CLASSES
from benchmark.contexts.router.samples import AXES, RouterSet, random_parts, router_samples
from benchmark.enhancers.hosts import HOSTS, TrainedHost
from benchmark.progress import Reporter

_BATCH = 32


@dataclass(frozen=True)
class RestorerSettings:
    """Everything that fixes the trained weights besides the pictures.

    Attributes:
        host: architecture.
        seed: of pictures, degradations, initial weights and crops.
        count, held_out: training and validation views of every context.
        size, crop: side of the pictures and of the parts learnt from, in pixels.
        steps, batch: optimiser steps, parts a step.
        rate, decay: peak learning rate and weight decay.
    """

    host: str = "nafnet16"
    seed: int = 1
    count: int = 32
    held_out: int = 12
    size: int = 128
    crop: int = 48
    steps: int = 250
    batch: int = 4
    rate: float = 2e-3
    decay: float = 1e-4


def load_restorer(degradation: str, folder: Path | None = None) -> TrainedHost:
    """The committed restorer of a class.

    Raises:
        WeightsError: if its weights are absent, altered or of another architecture.
    """
    state, record = load_asset(f"restorer-{degradation}", folder)
    return TrainedHost(HOSTS.get(record.settings["host"]), state, where=record.name)


#: Without arguments, for the registry.
soft: Callable[[], TrainedHost] = partial(load_restorer, "soft")
motion: Callable[[], TrainedHost] = partial(load_restorer, "motion")


def train_restorer(
    degradation: str,
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    settings: RestorerSettings | None = None,
    reporter: Reporter | None = None,
) -> AssetRecord:
    """Render, train, validate and write the restorer of one class.

    Args:
        degradation: one of ``CLASSES``.
        folder: where weights and record go, by default into the installed package.
        device: where to compute.
        settings: by default those of the committed assets.
        reporter: told of every step.
    """
    settings = settings or RestorerSettings()
    host = HOSTS.get(settings.host)
    learnt = _samples(settings, settings.count, "train", reporter)
    column = CLASSES.index(degradation)
    inputs, clean = (_batch(images) for images in (learnt.inputs[:, column], learnt.clean))
    network = host.factory(settings.seed).to(device)

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(inputs), (settings.batch,), generator=generator)
        pair = random_parts(torch.stack([inputs[rows], clean[rows]]), settings.crop, generator)
        seen, wanted = pair.to(device).float() / 255
        error: Tensor = network(seen) - wanted
        return (error.square() + 1e-6).sqrt().mean()

    fit(
        network.parameters(),
        loss,
        steps=settings.steps,
        rate=settings.rate,
        decay=settings.decay,
        seed=settings.seed,
        title=f"restorer of {degradation}",
        reporter=reporter,
    )
    held_out = _samples(settings, settings.held_out, "validation", reporter)
    return save_asset(
        network.state_dict(),
        folder=folder or asset_folder(),
        name=f"restorer-{degradation}",
        summary=f"the router's restorer of class {degradation}: {settings.host}",
        licence="Apache-2.0",
        device=torch.device(device).type,
        parameters=sum(p.numel() for p in network.parameters()),
        settings=asdict(settings),
        data={
            "training_probe": {"split": "train", "contexts": list(CONTEXTS)},
            "validation_probe": {"split": "validation", "contexts": list(CONTEXTS)},
        },
        card=restorer_card(TrainedHost(host, network.cpu().state_dict()), held_out, column),
        caveats=(
            "Minutes of training on two cores: a stand-in, not the state of the art.",
            "Knows one synthetic degradation; nothing is claimed for real defects.",
        ),
    )


def restorer_card(restorer: TrainedHost, samples: RouterSet, column: int) -> dict[str, Any]:
    """Mean PSNR in dB before and after, by context and, for faces, by skin tone."""
    inputs, clean = (
        _batch(images).float() / 255 for images in (samples.inputs[:, column], samples.clean)
    )
    outputs = torch.cat([restorer.enhance(part) for part in torch.split(inputs, _BATCH)])
    frame = samples.frame.assign(before=_psnr(inputs, clean), after=_psnr(outputs, clean))
    faces = frame[frame["context"] == "face"]
    return {
        "n": len(frame),
        "psnr_input": round(float(frame["before"].mean()), 2),
        "psnr": round(float(frame["after"].mean()), 2),
        "by_context": frame.groupby("context", sort=False)[["before", "after"]]
        .mean()
        .round(2)
        .to_dict("index"),
        "faces": faces.groupby(AXES[0])[["before", "after"]].mean().round(2).to_dict("index"),
    }


def _psnr(images: Tensor, references: Tensor) -> list[float]:
    error = (images.clamp(0, 1) - references).square().mean((1, 2, 3)).clamp(min=1e-10)
    found: list[float] = (-10 * error.log10()).tolist()
    return found


def _samples(
    settings: RestorerSettings, count: int, split: str, reporter: Reporter | None
) -> RouterSet:
    return router_samples(
        count, size=settings.size, split=split, seed=settings.seed, reporter=reporter
    )


def _batch(images: Any) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2)


#: What ``instruments train`` calls.
train_soft, train_motion = partial(train_restorer, "soft"), partial(train_restorer, "motion")
