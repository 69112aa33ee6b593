"""The region arm: weights of places, and the same as CALS where no place is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from benchmark.contexts import CONTEXTS
from benchmark.contexts.regions import face_regions
from benchmark.losses.base import Instruments
from benchmark.losses.stack import build_stack
from benchmark.training import Recipe, TrainingData, TrainingUnit, calibrate, train_arm

#: Of the pictures in the fixture.
SIDE = 32


def log_of(arm: str, data: TrainingData, recipe: Recipe, instruments: Instruments):
    unit = TrainingUnit("curve", arm, 0, recipe)
    calibration = calibrate(unit, data, instruments=instruments)
    return train_arm(unit, data, calibration, instruments=instruments).log


def test_without_regions_it_is_cals(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    region, cals = (log_of(arm, data, recipe, instruments) for arm in ("region", "cals"))
    # perceptual terms take the root of weighted squares, the others are linear in the weight
    torch.testing.assert_close(region.loss, cals.loss, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(region.weights, cals.weights, rtol=1e-5, atol=1e-6, equal_nan=True)


def test_with_regions_the_weights_of_faces_change_and_still_share_one(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    placed = replace(data, pool=replace(data.pool, regions=face_regions(data.pool.landmarks, SIDE)))
    region, cals = (log_of(arm, placed, recipe, instruments) for arm in ("region", "cals"))
    face, generic = CONTEXTS.index("face"), CONTEXTS.index("generic")
    torch.testing.assert_close(region.weights[:, face].sum(1), torch.ones(recipe.steps))
    assert (region.weights[-1, face] - cals.weights[-1, face]).abs().max() > 1e-3
    torch.testing.assert_close(region.weights[:, generic], cals.weights[:, generic])


def test_every_term_is_linear_in_one_weight_for_all_places(
    data: TrainingData, instruments: Instruments, recipe: Recipe
) -> None:
    stack = build_stack(recipe.terms, instruments)
    references = torch.as_tensor(data.pool.references[-4:]).permute(0, 3, 1, 2) / 255
    outputs = torch.as_tensor(data.pool.inputs[-4:]).permute(0, 3, 1, 2) / 255
    features = stack.prepare(references, torch.as_tensor(data.pool.landmarks[-4:]))
    plain = stack(outputs, features)
    halved = stack(outputs, features, torch.full((4, plain.shape[1], 8, 8), 0.5))
    torch.testing.assert_close(halved, plain / 2, rtol=1e-4, atol=1e-6)


def test_weight_outside_the_difference_costs_nothing(
    data: TrainingData, instruments: Instruments, recipe: Recipe
) -> None:
    stack = build_stack(("charbonnier",), instruments)
    reference = torch.full((1, 3, SIDE, SIDE), 0.5)
    output = reference.clone()
    output[..., : SIDE // 2] += 0.3
    left = torch.zeros(1, 6, 8, 8)
    left[..., :4] = 2.0
    features = stack.prepare(reference, None)
    everywhere = stack(output, features)[0, 0]
    on, off = (stack(output, features, weight)[0, 0] for weight in (left, 2 - left))
    assert torch.isclose(on + off, 2 * everywhere)
    assert off < 0.01 * on
    assert np.isfinite(float(on))
