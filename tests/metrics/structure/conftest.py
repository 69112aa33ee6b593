"""A few rendered eyes as evaluation sets."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.assets import asset_folder
from benchmark.data.evalset import EvalSet
from benchmark.judges.fundus_net import ASSET
from benchmark.probes.base import ProbeSettings
from benchmark.probes.fundus import fundus_views


@pytest.fixture(scope="session")
def eyes() -> EvalSet:
    """A healthy eye, and an ill one in light and dark; inputs are half as bright."""
    if not (asset_folder() / f"{ASSET}.json").is_file():
        pytest.skip("the fundus segmenter is not trained yet")
    views = fundus_views(ProbeSettings(2, 1), advance=lambda _: None)
    rows = np.array([0, 3, 5])
    images = views.images[rows]
    return EvalSet(
        frame=views.frame.iloc[rows].reset_index(drop=True),
        inputs=(images * 0.5).round().astype(np.uint8),
        references=images,
        digest="eyes",
        masks={name: mask[rows] for name, mask in views.masks.items()},
    )
