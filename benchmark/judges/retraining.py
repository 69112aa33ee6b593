"""The second protocol of recognition: a copy of the judge that has learnt from enhanced pictures.

A frozen recogniser has seen normal light only, so an enhancer can help it by making pictures look
familiar without making anything more legible. Whoever can retrain the recogniser on what it will be
shown often finds that the benefit is gone. So for every system, the input among them, the judge
goes on learning from training scenes that were spoilt as the task spoils them and enhanced by that
system; it is then tested on that system's outputs. Its rows answer another question than those of
the frozen judge and carry the protocol ``retrained``; the two are never mixed in a table row.

All copies start from the judge's own weights and learn from the same scenes in the same order with
the same views of them: only the enhancement differs.

On 3,000 pictures of CIFAR-10 at a tenth of the light, ResNet-20 reads 60.0 % of the dark half that
is tested and 64.4 % after Zero-DCE; after 30 steps on the other half, 78.7 % and 78.1 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmark.assets.fitting import fit
from benchmark.errors import EquiluxError, WeightsError
from benchmark.files import sha256_of_file, write_bytes
from benchmark.judges import cifar, signs, signs_lessons, signs_net, signs_training
from benchmark.judges.base import Reader, Reading
from benchmark.probes.signs import SignSamples
from benchmark.probes.signs.subjects import PLATE
from benchmark.progress import Reporter

State = Mapping[str, Tensor]

#: Optimiser steps and peak learning rate (a quarter of the sign judge's own).
STEPS, RATE = 300, 6e-4
_CIFAR_BATCH = 128
#: Share of the pictures, the last ones, that are kept from training to fit temperatures on.
_HELD_OUT = 0.1


@dataclass(frozen=True)
class TrainingViews:
    """Pictures with the right answers, in an order that keeps the twins of a scene together.

    Attributes:
        images: ``[N, H, W, 3]`` uint8, as a system has enhanced them.
        labels: ``[N]`` right answers.
        corners: ``[N, 4, 2]`` float32 pixels of the box around a sign; readers of signs need it.
        characters: ``[N, 6, 2]`` float32 pixels of a plate's characters, NaN where there is none.
    """

    images: NDArray[np.uint8]
    labels: Sequence[str]
    corners: NDArray[np.float32] | None = None
    characters: NDArray[np.float32] | None = None

    @classmethod
    def of_signs(cls, samples: SignSamples, images: NDArray[np.uint8]) -> TrainingViews:
        """What is known about rendered signs, with other pictures of the same scenes."""
        return cls(images, list(samples.frame["label"]), samples.corners, samples.characters)


@dataclass(frozen=True)
class _Kind:
    """How copies of a judge are built, taught and asked."""

    build: Callable[[], nn.Module]
    load: Callable[[str], nn.Module]
    teach: Callable[..., None]
    read: Callable[[Any, Tensor], Reading]


def retrain(
    base: str,
    views: TrainingViews,
    *,
    seed: int,
    steps: int = STEPS,
    device: str = "cpu",
    reporter: Reporter | None = None,
) -> State:
    """Let a copy of a judge go on learning; equal arguments on one machine give equal weights.

    Args:
        base: name of a reader that can be retrained: see :func:`retrainable`.
        views: what it learns from.
        seed: of the order of pictures and of their random views.
        steps: optimiser steps.
        device: where to compute.
        reporter: told of every step.

    Returns:
        Tensors by name, for :func:`save_retrained`.

    Raises:
        EquiluxError: if the reader cannot be retrained, or the views do not say what it must know.
        WeightsError: if its own weights are not at hand.
    """
    kind = _kind(base)
    if len(views.images) != len(views.labels) or not len(views.labels):
        raise EquiluxError(
            f"{len(views.images)} pictures with {len(views.labels)} labels are nothing to learn"
        )
    network = kind.load(base).to(device).requires_grad_(True)
    kind.teach(network, views, seed=seed, steps=steps, reporter=reporter)
    return {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}


def save_retrained(state: State, path: Path, *, base: str) -> None:
    """Write a retrained reader as safetensors, with the name of the judge it is a copy of."""
    from safetensors.torch import save

    tensors = {name: tensor.contiguous() for name, tensor in state.items()}
    write_bytes(path, save(tensors, metadata={"base": base}))


def load_retrained(path: Path, *, device: str = "cpu") -> Reader:
    """The reader that :func:`save_retrained` wrote.

    Raises:
        WeightsError: if the file is damaged or holds another network.
    """
    return RetrainedReader(path, device=device)


def retrainable() -> tuple[str, ...]:
    """Names of the readers that can be retrained."""
    return tuple(_KINDS)


class RetrainedReader(Reader):
    """A copy of a judge, with the weights of a file.

    Args:
        path: the file; read at once.
        device: where torch runs.
    """

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        super().__init__(device=device)
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as stored:
                self.base = (stored.metadata() or {}).get("base", "")
                state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise WeightsError(
                f"cannot read a retrained reader: {error}", where=str(path)
            ) from error
        kind = _kind(self.base)
        network = kind.build()
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(f"not a copy of {self.base!r}: {error}", where=str(path)) from error
        self._read = kind.read
        self._network = network.eval().requires_grad_(False).to(device)
        self._digest = sha256_of_file(path)

    def identity(self) -> dict[str, str]:
        """The judge that it is a copy of, and the digest of its weights."""
        return {"judge": self.base, "retrained": self._digest}

    def read(self, images: Tensor) -> Reading:
        """See :class:`Reader`."""
        return self._read(self._network, images.to(self.device))


def _kind(base: str) -> _Kind:
    if base not in _KINDS:
        raise EquiluxError(
            f"the reader {base!r} cannot be retrained", mend=f"take {', '.join(_KINDS)}"
        )
    return _KINDS[base]


def _teach_signs(
    loss: signs_lessons.Loss, settings: signs_training.ReaderSettings
) -> Callable[..., None]:
    """Teaching by the loss that made the judge, on what is known about the scenes."""

    def teach(
        network: signs_net.SignNetwork,
        views: TrainingViews,
        *,
        seed: int,
        steps: int,
        reporter: Reporter | None,
    ) -> None:
        known = signs_lessons.lessons(_as_samples(views))
        rows = torch.arange(len(known))
        split = max(1, len(known) - round(_HELD_OUT * len(known)))
        learnt, held_out = known.take(rows[:split]), known.take(rows[split:])
        further = replace(settings, seed=seed, steps=steps, rate=RATE)
        signs_training.fit_reader(network, loss, learnt, further, reporter=reporter)
        plates = held_out.classes == signs_net.CLASSES.index(PLATE)
        if plates.any() and not plates.all():  # else the judge's own temperatures stay
            signs_training.calibrate(network, held_out)

    return teach


def _as_samples(views: TrainingViews) -> SignSamples:
    if views.corners is None or views.characters is None:
        raise EquiluxError(
            "a reader of signs learns where to look: it needs corners and characters",
            mend="make the views with TrainingViews.of_signs",
        )
    signs_known = [label if label in signs_net.CLASSES else PLATE for label in views.labels]
    frame = pd.DataFrame({"label": list(views.labels), "sign_class": signs_known})
    frame["kind"] = frame["sign_class"].where(frame["sign_class"] == PLATE, "sign")
    return SignSamples(frame, views.images, views.corners, views.characters)


def _teach_cifar(
    network: cifar.CifarResNet,
    views: TrainingViews,
    *,
    seed: int,
    steps: int,
    reporter: Reporter | None,
) -> None:
    """Cross-entropy with the publisher's random views: cropped after padding, and mirrored.

    The statistics of batch normalisation follow the pictures, as everything else does.
    """
    unknown = sorted(set(views.labels) - set(cifar.CLASSES))
    if unknown:
        raise EquiluxError(f"the reader knows no {', '.join(unknown[:5])}")
    device = network.linear.weight.device
    images = torch.from_numpy(views.images).permute(0, 3, 1, 2).to(device)
    wanted = torch.tensor([cifar.CLASSES.index(label) for label in views.labels], device=device)

    def step(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(wanted), (_CIFAR_BATCH,), generator=generator)
        batch = cifar.fitted(images[rows.to(device)].float() / 255)
        mirrored = torch.rand(len(rows), generator=generator).to(device) < 0.5
        batch = torch.where(mirrored.view(-1, 1, 1, 1), batch.flip(3), batch)
        y, x = torch.randint(9, (2,), generator=generator).tolist()
        batch = functional.pad(batch, (4, 4, 4, 4))[:, :, y : y + cifar.SIDE, x : x + cifar.SIDE]
        return functional.cross_entropy(network(batch), wanted[rows.to(device)])

    network.train()
    fit(
        network.parameters(),
        step,
        steps=steps,
        rate=RATE,
        decay=1e-4,
        seed=seed,
        title="CIFAR-10 reader",
        reporter=reporter,
    )
    network.eval()


_KINDS: Mapping[str, _Kind] = {
    signs.JUDGE_READER: _Kind(
        signs_net.SignGaze,
        signs.load_network,
        _teach_signs(signs_lessons.gaze_loss, signs_training.JUDGE_SETTINGS),
        signs.read_with,
    ),
    signs.LOSS_READER: _Kind(
        signs_net.SignField,
        signs.load_network,
        _teach_signs(signs_lessons.field_loss, signs_training.LOSS_SETTINGS),
        signs.read_with,
    ),
    **{
        name: _Kind(
            partial(cifar.CifarResNet, blocks), cifar.load_network, _teach_cifar, cifar.read_with
        )
        for name, blocks in cifar.BLOCKS.items()
    },
}
