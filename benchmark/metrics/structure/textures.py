"""Metrics of structure that need no judge: LaSSIM, the worst patch, and ring correlation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.metrics.base import Column, MetricSpec, Scorer, State
from benchmark.metrics.fidelity import column, inside, to_batch, valid_pixels
from benchmark.metrics.structure.bands import lassim
from benchmark.metrics.structure.patches import min_patch_structure
from benchmark.metrics.structure.rings import sfrc_flag_rate


class Textures(Scorer):
    """Structure without a segmenter."""

    specs = (
        MetricSpec(
            "lassim",
            "1",
            1,
            "",
            (-1, 1),
            frozenset({"input"}),
            "SSIM of one Laplacian band of input and output: structure kept, illumination free",
            source="Cap et al. 2025",
        ),
        MetricSpec(
            "min_patch_structure",
            "2",
            1,
            "",
            (-1, 1),
            frozenset({"reference"}),
            "gradient correlation with the reference in the worst 1 % of the patches",
            source="after Cap et al. 2025",
        ),
        MetricSpec(
            "sfrc_flag_rate",
            "1",
            -1,
            "",
            (0, 1),
            frozenset({"reference"}),
            "share of patches whose Fourier ring correlation with the reference falls below 0.5 "
            "for structures of 6 px and more",
            ratio_scale=True,
            source="after Kc et al. 2024",
        ),
    )

    def identity(self) -> dict[str, str]:
        """The versions of the metrics; their settings are constants of the modules."""
        return {"metrics": " ".join(f"{spec.name}={spec.version}" for spec in self.specs)}

    def score(
        self, outputs: Tensor, index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        """See :class:`Scorer`; NaN where the images are too small."""
        if not len(index):
            return {spec.name: np.empty(0) for spec in self.specs}
        valid = valid_pixels(evalset, index, outputs)
        inputs, references = (
            to_batch(images[index], outputs) for images in (evalset.inputs, evalset.references)
        )
        shown = inside(outputs, references, valid)
        return {
            "lassim": column(lassim(inputs, inside(outputs, inputs, valid), valid)),
            "min_patch_structure": column(min_patch_structure(shown, references, valid)),
            "sfrc_flag_rate": column(sfrc_flag_rate(shown, references, valid)),
        }
