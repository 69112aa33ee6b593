"""The router's own restorers of soft and of shaken pictures: small networks of synthetic pairs.

A folded NAFNet each (``nafnet.Folded``), trained by ``instruments train restorer-soft`` and
``restorer-motion`` in minutes of one core. They are there so that a route has somebody at its end;
their cards say how little they help, and better weights can be named in the routes. More steps at
this rate are no mend: docs/router.md.
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
from benchmark.assets.fitting import fit, initialised
from benchmark.contexts.base import CONTEXTS
from benchmark.contexts.router.base import CLASSES
from benchmark.contexts.router.samples import AXES, RouterSet, random_parts, router_samples
from benchmark.enhancers.hosts import Host, TrainedHost
from benchmark.enhancers.nafnet import Folded
from benchmark.imaging.difference import pyramid_distance
from benchmark.progress import Reporter

_BATCH = 32


@dataclass(frozen=True)
class RestorerSettings:
    """Everything that fixes the trained weights besides the pictures.

    Attributes:
        width, levels, fold: of the network.
        seed: of pictures, degradations, initial weights and crops.
        count, held_out: training and validation views of every context.
        size, crop: side of the pictures and of the parts learnt from, in pixels.
        steps, batch: optimiser steps, parts a step.
        rate, decay: peak learning rate and weight decay.
    """

    width: int = 48
    levels: int = 2
    fold: int = 4
    seed: int = 1
    count: int = 96
    held_out: int = 24
    size: int = 128
    crop: int = 64
    steps: int = 400
    batch: int = 8
    rate: float = 2e-3
    decay: float = 1e-4

    def host(self) -> Host:
        """The network as a host of nobody else's trainings."""
        build = partial(Folded, width=self.width, levels=self.levels, fold=self.fold)
        with torch.device("meta"):
            parameters = sum(p.numel() for p in build().parameters())
        return Host(
            name="folded NAFNet",
            factory=partial(initialised, build),
            parameters=parameters,
            licence="MIT",
            citation="Chen et al., ECCV 2022; folded as in Zhang et al., IEEE TIP 2018",
        )


def load_restorer(degradation: str, folder: Path | None = None) -> TrainedHost:
    """The committed restorer of a class.

    Raises:
        WeightsError: if its weights are absent, altered or of another architecture.
    """
    state, record = load_asset(f"restorer-{degradation}", folder)
    return TrainedHost(RestorerSettings(**record.settings).host(), state, where=record.name)


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
    host = settings.host()
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
    # judged as stored: in half precision
    state = {name: t.cpu().half().float() for name, t in network.state_dict().items()}
    return save_asset(
        state,
        folder=folder or asset_folder(),
        name=f"restorer-{degradation}",
        summary=f"the router's restorer of class {degradation}: {host.name}",
        licence="Apache-2.0",
        device=torch.device(device).type,
        parameters=host.parameters,
        settings=asdict(settings),
        data={
            "training_probe": {"split": "train", "contexts": list(CONTEXTS)},
            "validation_probe": {"split": "validation", "contexts": list(CONTEXTS)},
        },
        card=restorer_card(TrainedHost(host, state), held_out, column),
        caveats=(
            "Minutes of training on one core: a stand-in, not the state of the art.",
            "Knows one synthetic degradation; nothing is claimed for real defects.",
        ),
    )


def restorer_card(restorer: TrainedHost, samples: RouterSet, column: int) -> dict[str, Any]:
    """PSNR in dB and NLPD (lower is better) before and after; by context, faces by skin tone."""
    inputs, clean = (
        _batch(images).float() / 255 for images in (samples.inputs[:, column], samples.clean)
    )
    outputs = torch.cat([restorer.enhance(part) for part in torch.split(inputs, _BATCH)])
    frame = samples.frame.assign(
        psnr_input=_psnr(inputs, clean),
        psnr=_psnr(outputs, clean),
        nlpd_input=_nlpd(inputs, clean),
        nlpd=_nlpd(outputs, clean),
    )
    faces = frame[frame["context"] == "face"]
    helped = {
        "psnr": frame["psnr"] > frame["psnr_input"],
        "nlpd": frame["nlpd"] < frame["nlpd_input"],
    }
    return {
        "n": len(frame),
        **_means(frame).round(3).to_dict(),
        "better": {name: round(float(share.mean()), 3) for name, share in helped.items()},
        "by_context": _means(frame.groupby("context", sort=False)).round(3).to_dict("index"),
        "faces": _means(faces.groupby(AXES[0])).round(3).to_dict("index"),
    }


def _means(frame: Any) -> Any:
    return frame[["psnr_input", "psnr", "nlpd_input", "nlpd"]].mean()


def _psnr(images: Tensor, references: Tensor) -> list[float]:
    error = (images.clamp(0, 1) - references).square().mean((1, 2, 3)).clamp(min=1e-10)
    found: list[float] = (-10 * error.log10()).tolist()
    return found


def _nlpd(images: Tensor, references: Tensor) -> list[float]:
    found: list[float] = torch.cat(
        [
            pyramid_distance(part.clamp(0, 1), clean)
            for part, clean in zip(
                torch.split(images, _BATCH), torch.split(references, _BATCH), strict=True
            )
        ]
    ).tolist()
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
