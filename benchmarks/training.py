"""Steps per second of the paired trainer, and what the loss terms cost beside the host.

    python benchmarks/training.py [--side 128] [--batch 8] [--steps 20]

Prints the time of a step with pixel L1 alone and with all terms, their ratio, and the share of
each term, forward and backward. CPU seconds of one thread, so that other work on the machine does
not count; the median of the steps.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmark.enhancers.hosts import HOSTS
from benchmark.judges.embedder import FaceEmbedder
from benchmark.judges.signs_net import FieldLayers, SignField
from benchmark.losses.base import Instruments
from benchmark.schedules import FAMILIES
from benchmark.training import Recipe, TrainingData, TrainingPool, TrainingUnit, train_arm
from benchmark.training.calibration import Calibration
from benchmark.training.features import shared_bank


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--side", type=int, default=128)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--steps", type=int, default=20)
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    # the speed of a network does not depend on its weights
    embedder = FaceEmbedder().eval()
    reader = FieldLayers(SignField().eval())
    instruments = Instruments(
        embedder=lambda: embedder,
        perceptual=lambda _: torch.nn.Identity(),
        reader=lambda: reader,
    )
    pool = noise_pool(4 * chosen.batch, chosen.side)
    terms = Recipe().terms
    bank = shared_bank(pool, terms, instruments, device="cpu")
    network = HOSTS.get("curve").factory(0).train()
    optimiser = torch.optim.Adam(network.parameters())
    inputs, features = bank.batch(np.arange(chosen.batch))
    references = features["fid.reference"]

    def step(objective: Callable[[torch.Tensor], torch.Tensor]) -> None:
        optimiser.zero_grad()
        objective(network(inputs)).backward()
        optimiser.step()

    alone = seconds(lambda: step(lambda y: (y - references).abs().mean()), chosen.steps)
    whole = seconds(lambda: step(lambda y: bank.stack(y, features).sum()), chosen.steps)
    print(f"{chosen.batch} images of {chosen.side} px, host curve, one thread, CPU time")
    print(f"  L1 alone   {alone * 1e3:7.1f} ms a step  {1 / alone:5.2f} steps/s")
    print(f"  all terms  {whole * 1e3:7.1f} ms a step  {1 / whole:5.2f} steps/s")
    print(f"  ratio      {whole / alone:7.2f}  (target at most 2.5)")
    outputs = inputs.clone().requires_grad_()
    for family in FAMILIES:
        if family in bank.stack.terms:
            term = bank.stack.terms[family]
            own = {n.removeprefix(f"{family}."): f for n, f in features.items()}
            spent = seconds(lambda: term(outputs, own).sum().backward(), chosen.steps)  # noqa: B023
            print(f"    {type(term).__name__:<16} {spent * 1e3:7.1f} ms")
    kept = sum(f.element_size() * f.numel() for f in bank.kept.values()) / len(pool)
    print(f"  kept reference features {kept / 1e3:.0f} kB a sample")
    recipe = Recipe(steps=2 * chosen.steps, batch=chosen.batch, share_log=0)
    unit = TrainingUnit("curve", "cals", 0, recipe)
    contexts = np.eye(4)[pool.labels]
    calibration = Calibration("none", 0, (1.0,) * len(FAMILIES))
    start = time.process_time()
    train_arm(unit, TrainingData(pool, contexts), calibration, instruments=instruments)
    spent = (time.process_time() - start) / recipe.steps
    print(f"  train_arm  {spent * 1e3:7.1f} ms a step, with loading and log")


def noise_pool(count: int, side: int) -> TrainingPool:
    """Random images; what they show does not matter for speed."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, count, side, side, 3), dtype=np.uint8)
    centre, spread = side / 2, side / 6
    face = centre + spread * np.array([[-1, -1], [1, -1], [0, 0], [-1, 1], [1, 1]])
    landmarks = np.full((count, 5, 2), np.nan, dtype=np.float32)
    landmarks[count // 2 :] = face
    labels = np.repeat(np.array([0, 2]), count // 2)
    return TrainingPool(images[0], images[1], landmarks, labels, tuple(map(str, range(count))))


def seconds(work: Callable[[], None], repeats: int) -> float:
    """Median CPU seconds of ``work``, after a warm-up."""
    work()
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return float(np.median(spent))


if __name__ == "__main__":
    main()
