"""What the loss terms cost beside each host, and steps per second of the paired trainer.

    python benchmarks/training.py [--hosts curve,nafnet16] [--side 128] [--batch 8] [--steps 5]

For every host a step with pixel L1 alone and a step with all terms, measured in turns in one
process, and their ratio; then the share of each term, forward and backward, and the trainer itself
with its batches and its log. On a CPU, CPU seconds of one thread, so that other work on the machine
does not count; on a GPU, wall seconds of finished work. Medians of the steps.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from benchmark.enhancers.hosts import HOSTS
from benchmark.judges.embedder import FaceEmbedder
from benchmark.judges.signs_net import FieldLayers, SignField
from benchmark.losses.base import Instruments
from benchmark.schedules import FAMILIES
from benchmark.training import Recipe, TrainingData, TrainingPool, TrainingUnit, train_arm
from benchmark.training.calibration import Calibration
from benchmark.training.features import FeatureBank, shared_bank

TARGET = 2.5
_HOSTS = "curve,nafnet16,nafnet32,retinexnet,drbn"
_DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--hosts", default=_HOSTS, help="names, with commas between them")
    arguments.add_argument("--side", type=int, default=128)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--steps", type=int, default=5)
    arguments.add_argument("--precision", default="float32", choices=["float32", "bf16", "fp16"])
    arguments.add_argument("--trainer", action="store_true", help="time train_arm too")
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    instruments = blank_instruments()
    pool = noise_pool(4 * chosen.batch, chosen.side)
    bank = shared_bank(pool, Recipe().terms, instruments, device=_DEVICE)
    clock = "one thread, CPU time" if _DEVICE == "cpu" else torch.cuda.get_device_name()
    print(f"{chosen.batch} images of {chosen.side} px, {chosen.precision}, {clock}")
    print(f"{'host':<14} {'L1 alone':>12} {'all terms':>12} {'ratio':>6}  (target {TARGET})")
    for name in chosen.hosts.split(","):
        alone, whole, ratio = cost(name, bank, chosen.batch, chosen.steps, chosen.precision)
        print(f"{name:<14} {1 / alone:>6.2f} st/s {1 / whole:>8.2f} st/s {ratio:>6.2f}", flush=True)
        if chosen.trainer:
            spent = trainer_step(name, pool, instruments, chosen.batch, chosen.precision)
            print(f"{'':<14} the trainer, with batches and log: {1 / spent:.2f} st/s", flush=True)
    for name, spent in terms(bank, chosen.batch, chosen.steps):
        print(f"  {name:<18} {spent * 1e3:7.1f} ms")
    kept = sum(f.element_size() * f.numel() for f in bank.kept.values()) / len(pool)
    print(f"  kept reference features {kept / 1e3:.0f} kB a sample")


def cost(
    host: str, bank: FeatureBank, batch: int, steps: int, precision: str
) -> tuple[float, float, float]:
    """Seconds of a step with L1 alone and with all terms, and the median ratio of neighbours."""
    network = HOSTS.get(host).factory(0).to(_DEVICE).train()
    optimiser = torch.optim.Adam(network.parameters())
    inputs, features = bank.batch(np.arange(batch))
    references = features["fid.reference"]
    kind = torch.bfloat16 if precision == "bf16" else torch.float16

    def step(objective: Callable[[torch.Tensor], torch.Tensor]) -> None:
        optimiser.zero_grad()
        with torch.autocast(_DEVICE, dtype=kind, enabled=precision != "float32"):
            outputs = network(inputs)
        objective(outputs.float()).backward()
        optimiser.step()

    spent = in_turns(
        [
            lambda: step(lambda y: (y - references).abs().mean()),
            lambda: step(lambda y: bank.stack(y, features).sum()),
        ],
        steps,
    )
    alone, whole = (float(np.median(part)) for part in spent)
    return alone, whole, float(np.median(np.divide(spent[1], spent[0])))


def terms(bank: FeatureBank, batch: int, steps: int) -> Sequence[tuple[str, float]]:
    """Seconds of every term, forward and backward to the outputs."""
    inputs, features = bank.batch(np.arange(batch))
    outputs = inputs.clone().requires_grad_()
    found = []
    for family in FAMILIES:
        if family in bank.stack.terms:
            term = bank.stack.terms[family]
            own = {n.removeprefix(f"{family}."): f for n, f in features.items()}
            (spent,) = in_turns([lambda: term(outputs, own).sum().backward()], steps)  # noqa: B023
            found.append((type(term).__name__, float(np.median(spent))))
    return found


def trainer_step(
    host: str, pool: TrainingPool, instruments: Instruments, batch: int, precision: str
) -> float:
    """Seconds of a step of ``train_arm``."""
    recipe = Recipe.from_dict({"steps": 4, "batch": batch, "share_log": 0, "precision": precision})
    data = TrainingData(pool, np.eye(4)[pool.labels])
    calibration = Calibration("none", 0, (1.0,) * len(FAMILIES))
    start = now()
    train_arm(
        TrainingUnit(host, "cals", 0, recipe),
        data,
        calibration,
        instruments=instruments,
        device=_DEVICE,
    )
    return (now() - start) / recipe.steps


def blank_instruments() -> Instruments:
    """The suite's own networks untrained: the speed of a network does not depend on its weights."""
    embedder = FaceEmbedder().eval()
    reader = FieldLayers(SignField().eval())
    return Instruments(
        embedder=lambda: embedder,
        perceptual=lambda _: torch.nn.Identity(),
        reader=lambda: reader,
    )


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


def in_turns(works: Sequence[Callable[[], None]], repeats: int) -> list[list[float]]:
    """Seconds of each work, one after the other in every round, after a warm-up."""
    for work in works:
        work()
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, seconds in zip(works, spent, strict=True):
            start = now()
            work()
            seconds.append(now() - start)
    return spent


def now() -> float:
    """CPU seconds of this process; on a GPU wall seconds, once it has done what it was given."""
    if _DEVICE == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
