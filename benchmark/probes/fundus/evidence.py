"""Evidence that the fundus probe can carry a claim: measured on its pictures and its trees.

Nothing here uses a network. Vessels are looked for with the filter of Frangi et al. (MICCAI 1998)
in scikit-image's implementation, which has learnt nothing from these pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter
from scipy.stats import rankdata

from benchmark.data.views import Views
from benchmark.imaging.colour import to_linear
from benchmark.probes.base import Advance, ProbeSettings
from benchmark.probes.evidence import Findings, Promise
from benchmark.probes.fundus.eye import make_eye
from benchmark.probes.fundus.optics import PIGMENTATIONS
from benchmark.probes.fundus.probe import fundus_views
from benchmark.probes.fundus.raster import chords
from benchmark.probes.fundus.tree import DOMAIN_CENTRE, DOMAIN_RADIUS, Tree

#: Exponent of Murray's law, 3 by theory, as measured from what is drawn.
MURRAY = (2.8, 3.2)
#: Share of the field that vessels cover in manually segmented photographs: DRIVE and STARE lie
#: near 0.12 and 0.10 with a spread of about 0.02 between eyes.
VESSEL_AREA = (0.07, 0.14)
#: Area under the ROC curve of Frangi's filter for vessels, worst pigmentation.
FRANGI_FLOOR = 0.90
#: Correlation of fine structure between twins, worst pair: they show the same eye.
TWIN_FLOOR = 0.90
#: Contrast of vessels in linear green, worst pigmentation.
CONTRAST_FLOOR = 0.10

_FRANGI_SCALES = (1.0, 1.5, 2.0, 2.5)
#: Side of the drawing on which calibres are measured, and eyes that they are measured on.
_FINE, _MEASURED = 1536, 6
#: Pieces of vessel that must lie between junctions to measure a calibre away from both.
_CLEAR = 3

Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class Group:
    """What was measured in one pigmentation.

    Attributes:
        frangi_auc: mean over photographs.
        vessels: how much darker than their surroundings they are in linear green, as a share.
        microaneurysms: the same; NaN where there are none.
        exudates: how much brighter, as a share; NaN where there are none.
    """

    frangi_auc: float
    vessels: float
    microaneurysms: float
    exudates: float


def fundus_findings(settings: ProbeSettings, *, advance: Advance) -> Findings:
    """Calibres, coverage, twins, health, and how visible things are in each pigmentation."""
    views = fundus_views(settings, advance=advance)
    exponents = np.concatenate(
        [
            murray_exponents(tree)
            for index in range(min(settings.subjects, _MEASURED))
            for eye in [make_eye(settings.split, index, seed=settings.seed)]
            for tree in (eye.arteries, eye.veins)
        ]
    )
    groups = {level: _measured(views, level) for level in PIGMENTATIONS}
    # photographs of all pigmentations share their masks
    area = np.array([_share(views, row) for row in _rows(views, next(iter(PIGMENTATIONS)))])
    return _findings(views, float(np.median(exponents)), area, groups)


def _findings(
    views: Views, exponent: float, area: NDArray[np.float64], groups: dict[str, Group]
) -> Findings:
    twins = float(min(_twin_correlations(views)))
    healthy = (views.frame["disease"] == "healthy").to_numpy()
    lesions = _lesions(views)
    strays, spared = int(lesions[healthy].sum()), int((lesions[~healthy] == 0).sum())
    frangi = min(group.frangi_auc for group in groups.values())
    contrast = min(group.vessels for group in groups.values())
    lesion_contrast = min(min(group.microaneurysms, group.exudates) for group in groups.values())
    promises = (
        Promise(
            "exponent of Murray's law in the calibres drawn, median",
            f"{exponent:.2f}",
            f"{MURRAY[0]} to {MURRAY[1]}",
            MURRAY[0] <= exponent <= MURRAY[1],
        ),
        Promise(
            "share of the field covered by vessels, mean (range)",
            f"{area.mean():.3f} ({area.min():.3f} to {area.max():.3f})",
            f"{VESSEL_AREA[0]} to {VESSEL_AREA[1]}",
            VESSEL_AREA[0] <= float(area.mean()) <= VESSEL_AREA[1],
        ),
        Promise(
            "fine structure shared by twins, worst correlation",
            f"{twins:.3f}",
            f"at least {TWIN_FLOOR}",
            twins >= TWIN_FLOOR,
        ),
        Promise("lesion pixels in healthy eyes", str(strays), "0", strays == 0),
        Promise("photographs of ill eyes without lesion", str(spared), "0", spared == 0),
        Promise(
            "vessels found by Frangi's filter, AUC, worst pigmentation",
            f"{frangi:.3f}",
            f"at least {FRANGI_FLOOR}",
            frangi >= FRANGI_FLOOR,
        ),
        Promise(
            "contrast of vessels in green, worst pigmentation",
            f"{contrast:.3f}",
            f"at least {CONTRAST_FLOOR}",
            contrast >= CONTRAST_FLOOR,
        ),
        Promise(
            "contrast of lesions in green, worst of both kinds",
            "no lesions" if np.isnan(lesion_contrast) else f"{lesion_contrast:.3f}",
            f"at least {CONTRAST_FLOOR}",
            not lesion_contrast < CONTRAST_FLOOR,
        ),
    )
    return Findings(
        title=f"{views.frame['cluster'].nunique()} eyes, {len(area)} photographs per pigmentation",
        columns=(
            "pigmentation",
            "Frangi AUC",
            "vessel contrast",
            "microaneurysm contrast",
            "exudate excess",
        ),
        rows=tuple(
            (
                level,
                f"{group.frangi_auc:.3f}",
                f"{group.vessels:.3f}",
                f"{group.microaneurysms:.3f}",
                f"{group.exudates:.3f}",
            )
            for level, group in groups.items()
        ),
        promises=promises,
        numbers={
            "murray_exponent": exponent,
            "vessel_area": float(area.mean()),
            "twin_correlation": twins,
            "groups": {level: _plain(group) for level, group in groups.items()},
        },
    )


def _plain(group: Group) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in vars(group).items()}


def murray_exponents(tree: Tree) -> NDArray[np.float64]:
    """The x that solves r0^x = r1^x + r2^x at every junction that can be measured, ``[J]``.

    Calibres are read from a drawing of the tree, between junctions, where no sibling is in the way.
    """
    scale = _FINE / (2 * DOMAIN_RADIUS)
    place = (tree.position - DOMAIN_CENTRE) * scale + _FINE / 2
    ends = np.flatnonzero(tree.parent >= 0)
    drawn = chords(place[tree.parent[ends]], place[ends], tree.radius[ends] * scale, size=_FINE)
    children: dict[int, list[int]] = {}
    for node, before in enumerate(tree.parent.tolist()):
        children.setdefault(before, []).append(node)
    found = []
    for node, branches in children.items():
        if node < 0 or len(branches) != 2:
            continue
        where = [_upstream(tree, children, node), *(_downstream(children, b) for b in branches)]
        if None not in where:
            found.append([_calibre(drawn, place[w]) for w in where if w is not None])
    calibres = np.array(found).reshape(-1, 3)
    # outside the drawing, or covered by another vessel, where a branch would be the thicker one
    sound = (calibres[:, 0] > 1.001 * calibres[:, 1:].max(1)) & (calibres.min(1) > 0)
    return solved_exponents(calibres[sound])


def solved_exponents(calibres: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x with r0^x = r1^x + r2^x of rows ``[J, 3]`` whose first is the largest, by bisection."""
    ratio = calibres[:, 1:] / calibres[:, :1]
    low, high = np.full(len(ratio), 0.1), np.full(len(ratio), 20.0)
    for _ in range(50):
        middle = (low + high) / 2
        below = (ratio ** middle[:, None]).sum(1) > 1
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    exponents: NDArray[np.float64] = (low + high) / 2
    return exponents


def _upstream(tree: Tree, children: dict[int, list[int]], node: int) -> int | None:
    """A node well before a junction on the same vessel."""
    for _ in range(_CLEAR - 1):
        node = int(tree.parent[node])
        if node < 0 or tree.parent[node] < 0 or len(children[node]) != 1:
            return None
    return node


def _downstream(children: dict[int, list[int]], node: int) -> int | None:
    """A node well behind a junction on the same vessel."""
    for _ in range(_CLEAR):
        onward = children.get(node, [])
        if len(onward) != 1:
            return None
        node = onward[0]
    return node


def _calibre(drawn: NDArray[np.float32], place: NDArray[np.float64]) -> float:
    column, row = np.rint(place).astype(int)
    if not (1 <= row < len(drawn) - 1 and 1 <= column < len(drawn) - 1):
        return 0.0
    return float(drawn[row - 1 : row + 2, column - 1 : column + 2].max())


def _rows(views: Views, level: str) -> NDArray[np.intp]:
    return np.flatnonzero((views.frame["pigmentation"] == level).to_numpy())


def _share(views: Views, row: int) -> float:
    return float(views.masks["vessels"][row].sum() / views.masks["valid"][row].sum())


def _lesions(views: Views) -> NDArray[np.int64]:
    both = views.masks["microaneurysms"] | views.masks["exudates"]
    pixels: NDArray[np.int64] = both.sum((1, 2))
    return pixels


def _measured(views: Views, level: str) -> Group:
    rows = _rows(views, level)
    first = [row for row in rows if views.frame["view"].iloc[row] == 0]
    contrasts = pd.DataFrame([_contrasts(views, row) for row in rows]).mean()
    return Group(
        frangi_auc=float(np.mean([_frangi_auc(views, row) for row in first])),
        **{str(name): float(value) for name, value in contrasts.items()},
    )


def _frangi_auc(views: Views, row: int) -> float:
    """Probability that a vessel's pixel has a higher response than another, off disc and edge."""
    from skimage.filters import frangi

    green = views.images[row, ..., 1].astype(np.float64)
    response = frangi(green, sigmas=_FRANGI_SCALES, black_ridges=True)  # type: ignore[no-untyped-call]
    judged = binary_erosion(views.masks["valid"][row], iterations=4)
    judged &= ~binary_dilation(views.masks["disc"][row], iterations=4)
    vessel = views.masks["vessels"][row][judged]
    ranks = rankdata(response[judged])
    positives, negatives = int(vessel.sum()), int((~vessel).sum())
    return float((ranks[vessel].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _contrasts(views: Views, row: int) -> dict[str, float]:
    """|1 - light / light nearby| in linear green, NaN where there is nothing of the kind.

    Negative for what is brighter though it should be darker, or the other way round.
    """
    import torch

    light = to_linear(torch.from_numpy(views.images[row, ..., 1]).double() / 255).numpy()
    structures = ("vessels", "microaneurysms", "exudates")
    anything = np.any([views.masks[name][row] for name in structures], 0)
    bare = ~binary_dilation(anything | views.masks["disc"][row]) & views.masks["valid"][row]
    result = {}
    for name in structures:
        mask = views.masks[name][row] & ~views.masks["disc"][row]
        ring = binary_dilation(mask, iterations=5) & bare
        if mask.any() and ring.any():
            darker = float(1 - light[mask].mean() / light[ring].mean())
            result[name] = -darker if name == "exudates" else darker
        else:
            result[name] = float("nan")
    return result


def _twin_correlations(views: Views) -> Iterator[float]:
    """Correlation of fine structure in log green between twins of neighbouring pigmentation."""
    table = views.frame.assign(row=range(len(views.frame)))
    for _, twins in table.groupby(["cluster", "view"], sort=False):
        valid = binary_erosion(views.masks["valid"][twins["row"].iloc[0]], iterations=6)
        fine = [_fine_structure(views.images[row])[valid] for row in twins["row"]]
        for one, other in pairwise(fine):
            yield float(np.corrcoef(one, other)[0, 1])


def _fine_structure(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    bright = np.log(image[..., 1].astype(np.float64) + 1)
    result: NDArray[np.float64] = bright - gaussian_filter(bright, 5.0)
    return result
