"""Scoring S systems in batches against one call per image to pyiqa and deepface.

    python benchmarks/scoring.py [--systems 11] [--samples 48] [--size 128]

Both ways run in this process, one after the other, on the same rendered faces, and give the same
numbers: identity cosine to the clean reference by deepface's Dlib, detection by dlib's HOG, PSNR
and GMSD by pyiqa, SSIM by our own (pyiqa's runs in float64 and is timed beside it). Ours embeds
the references once for all systems; the per-image way calls ``DeepFace.represent`` for output and
reference, as a script around the libraries does. The per-image way is timed on a few samples and
its time is extrapolated. CPU seconds with one torch thread, so that neither other work on the
machine nor the number of cores counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.data.evalset import EvalSet
from benchmark.judges.deepface_models import DeepfaceModel
from benchmark.judges.detection import FaceDetector
from benchmark.judges.faces import FaceRecogniser
from benchmark.metrics import make_scorer
from benchmark.probes.faces import FaceProbe
from benchmark.weights import require

METRICS = ("faces", "psnr", "ssim", "gmsd")
_BATCH = 32


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", type=int, default=11)
    parser.add_argument("--samples", type=int, default=48, help="a multiple of 12")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--per-image", type=int, default=12, help="samples of the slow way")
    options = parser.parse_args()
    torch.set_num_threads(1)
    evalset = rendered(options.samples, options.size)
    outputs = [dimmed(evalset.references, 0.4 + 0.05 * i) for i in range(options.systems)]

    scorers = {name: make_scorer(name) for name in METRICS}
    warm_up(scorers, evalset)
    start = time.process_time()
    states = {name: scorer.prepare(evalset) for name, scorer in scorers.items()}
    prepared = time.process_time() - start
    spent, ours = {}, {}
    for name, scorer in scorers.items():
        start = time.process_time()
        for images in outputs:
            ours |= score(scorer, images, evalset, states[name])
        spent[name] = time.process_time() - start
    total = prepared + sum(spent.values())
    count = options.systems * len(evalset)
    print(f"{options.systems} systems x {len(evalset)} samples of {options.size} px")
    print(f"ours: references once {prepared:.2f} s; per output, ms:")
    for name, seconds in spent.items():
        print(f"  {name:<8} {1000 * seconds / count:8.2f}")

    few = min(options.per_image, len(evalset))
    slow, theirs = per_image(outputs[-1][:few], evalset)
    for name, values in theirs.items():
        difference = np.nanmax(np.abs(values - ours[name][:few]))
        print(f"largest difference in {name}: {difference:.1e}")
    each = sum(slow.values()) / few
    print("one call per image and metric, ms:")
    for name, seconds in slow.items():
        print(f"  {name:<8} {1000 * seconds / few:8.2f}")
    print(f"ours {total:.1f} s, per image {each * count:.1f} s: {each * count / total:.1f} times")


def rendered(samples: int, size: int) -> EvalSet:
    """Faces of the probe with their gallery."""
    probe = FaceProbe(identities=max(samples // 6, 1), views=2, size=size, supersample=1).render()
    shown = (probe.frame["role"] == "gallery").to_numpy()
    frame = probe.frame.rename(columns={"identity": "cluster"}).assign(
        status="ok", cohort=probe.frame["tone_level"]
    )
    return EvalSet(
        frame[~shown].reset_index(drop=True),
        dimmed(probe.images[~shown], 0.1),
        probe.images[~shown],
        "benchmark",
        landmarks=probe.landmarks[~shown],
        masks={"skin": probe.skin[~shown]},
        gallery=probe.images[shown],
        gallery_landmarks=probe.landmarks[shown],
        gallery_frame=frame[shown].reset_index(drop=True),
    )


def dimmed(images: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """What a system might return."""
    return (images * share).round().astype(np.uint8)


def to_batch(images: NDArray[np.uint8]) -> torch.Tensor:
    """``[B, 3, H, W]`` in [0, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def warm_up(scorers: dict[str, object], evalset: EvalSet) -> None:
    """Load every network and library before the clock starts."""
    first = np.arange(2)
    for scorer in scorers.values():
        state = scorer.prepare(evalset) if scorer is scorers["faces"] else {}
        scorer.score(to_batch(evalset.references[first]), first, evalset, state)


def score(
    scorer: object, images: NDArray[np.uint8], evalset: EvalSet, state: dict[str, object]
) -> dict[str, NDArray[np.float64]]:
    """Score one system in batches, as the runner does."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), _BATCH):
            rows = np.arange(start, min(start + _BATCH, len(images)))
            parts.append(scorer.score(to_batch(images[rows]), rows, evalset, state))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def per_image(
    images: NDArray[np.uint8], evalset: EvalSet
) -> tuple[dict[str, float], dict[str, NDArray[np.float64]]]:
    """Seconds and values of one library call per image, reference and metric."""
    import dlib
    import pyiqa

    recogniser = FaceRecogniser()
    deepface = DeepfaceModel("Dlib", require("dlib-resnet"))
    detector = dlib.get_frontal_face_detector()
    ours = FaceDetector(workers=1)
    measure = {name: pyiqa.create_metric(name, device="cpu") for name in ("psnr", "gmsd", "ssim")}

    def chip(image: NDArray[np.uint8], row: int) -> NDArray[np.uint8]:
        found = recogniser.chips(to_batch(image[None]), evalset.landmarks[row : row + 1])
        return found.byte().permute(0, 2, 3, 1).numpy()

    def cosine(row: int) -> float:
        a, b = (
            deepface.represent(chip(image, row))[0].astype(np.float64)
            for image in (images[row], evalset.references[row])
        )
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    def detected(row: int) -> float:
        detector(images[row], 1)
        return float(ours.detect(images[row : row + 1], evalset.landmarks[row : row + 1])[0])

    def fidelity(name: str) -> Callable[[int], float]:
        def ask(row: int) -> float:
            pair = (to_batch(x[row : row + 1]) for x in (images, evalset.references))
            return float(measure[name](*pair))

        return ask

    calls: dict[str, Callable[[int], float]] = {
        "id_cosine": cosine,
        "detected": detected,
        "psnr": fidelity("psnr"),
        "gmsd": fidelity("gmsd"),
        "ssim": fidelity("ssim"),
    }
    seconds, values = {}, {}
    for name, call in calls.items():
        call(0)
        start = time.process_time()
        values[name] = np.array([call(row) for row in range(len(images))])
        seconds[name] = time.process_time() - start
    # our detector runs inside, to compare; dlib's own call is the half that counts
    seconds["detected"] /= 2
    del values["ssim"]  # another definition: luma only
    return seconds, values


if __name__ == "__main__":
    main()
