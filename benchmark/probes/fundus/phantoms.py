"""Pictures without structure: whatever a network finds in their enhanced versions, it invented."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmark.data.degradations import noise_generator
from benchmark.data.views import OK, PROBE, Views
from benchmark.errors import DataError
from benchmark.probes.fundus.optics import PIGMENTATIONS
from benchmark.probes.fundus.photograph import SIZE, bare_photograph

#: ``flat``: one grey; ``noise``: grey with a smooth texture; ``retina``: a fundus of pigment and
#: light alone, without vessel, disc, lesion or choroidal pattern.
PHANTOMS: Final = ("flat", "noise", "retina")


def fundus_phantoms(count: int, *, size: int = SIZE, seed: int) -> Views:
    """Structure-free pictures, kinds in turn; picture i depends on seed, size and i alone.

    Args:
        count: how many; a multiple of three gives every kind equally often.
        size: pixels per side, at least 32.
        seed: of the set.

    Returns:
        Views with the column ``phantom`` (:data:`PHANTOMS`) and the mask ``valid``; each picture is
        a cluster of its own.

    Raises:
        DataError: for fewer than one picture or fewer than 32 pixels.
    """
    if count < 1 or size < 32:
        raise DataError(f"phantoms need a count above 0 and 32 pixels, not {count} and {size}")
    kinds = [PHANTOMS[index % len(PHANTOMS)] for index in range(count)]
    images = np.empty((count, size, size, 3), np.uint8)
    valid = np.ones((count, size, size), bool)
    for index, kind in enumerate(kinds):
        rng = noise_generator(f"fundus/phantom/{index}", seed=seed)
        if kind == "retina":
            level = tuple(PIGMENTATIONS)[index // len(PHANTOMS) % len(PIGMENTATIONS)]
            images[index], valid[index] = bare_photograph(rng, level, size=size)
        else:
            images[index] = _grey(rng, size, textured=kind == "noise")
    names = [f"phantom-{kind}-{index:05d}" for index, kind in enumerate(kinds)]
    frame = pd.DataFrame(
        {
            "sample": names,
            "cluster": names,
            "role": PROBE,
            "view": 0,
            "status": OK,
            "phantom": kinds,
        }
    )
    return Views(frame, images, masks={"valid": valid})


def _grey(rng: np.random.Generator, size: int, *, textured: bool) -> NDArray[np.uint8]:
    """A middle grey, with a texture of some ten levels that has no edge and no ridge."""
    level = np.full((size, size), rng.uniform(70, 160))
    if textured:
        noise = gaussian_filter(rng.standard_normal((size, size)), size / 12, mode="wrap")
        level += 10 * noise / noise.std()
    grey: NDArray[np.uint8] = np.clip(np.rint(level), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
