"""The pool, the order of samples and the feature bank."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.errors import DataError, StoreError
from benchmark.losses.base import Instruments
from benchmark.training import Recipe, TrainingData, TrainingPool
from benchmark.training.features import FeatureBank
from benchmark.training.pool import joined
from benchmark.training.sampler import sample_order


def test_every_batch_holds_every_context_equally_and_every_epoch_every_sample() -> None:
    labels = np.array([0, 2, 2, 0, 0, 2, 2, 0, 2])
    order = sample_order(labels, steps=12, batch=6, seed=4)
    assert order.shape == (12, 6)
    for batch in order:
        assert np.bincount(labels[batch], minlength=3).tolist() == [3, 0, 3]
    for context in (0, 2):
        members = np.flatnonzero(labels == context)
        drawn = order[labels[order] == context]
        for start in range(0, len(drawn) - len(members) + 1, len(members)):
            assert sorted(drawn[start : start + len(members)]) == members.tolist()


def test_order_depends_on_the_seed_alone_and_a_longer_run_starts_alike() -> None:
    labels = np.repeat([0, 2], 10)
    short, again, long = (sample_order(labels, steps=n, batch=4, seed=1) for n in (8, 8, 30))
    np.testing.assert_array_equal(short, again)
    np.testing.assert_array_equal(short, long[:8])
    assert not np.array_equal(short, sample_order(labels, steps=8, batch=4, seed=2))


@pytest.mark.parametrize(("labels", "batch"), [([0, 2], 3), ([], 4)])
def test_a_batch_that_cannot_be_shared_is_an_error(labels: list[int], batch: int) -> None:
    with pytest.raises(DataError, match="shared equally"):
        sample_order(np.array(labels, dtype=np.int64), steps=2, batch=batch, seed=0)


def test_a_context_smaller_than_its_share_repeats_within_the_batch() -> None:
    order = sample_order(np.array([0, 0, 0, 2]), steps=2, batch=6, seed=0)
    assert (order[:, 3:] == 3).all()


def test_pool_survives_the_disk_and_has_a_stable_digest(data: TrainingData, tmp_path: Path) -> None:
    data.save(tmp_path)
    first = (tmp_path / "pool.safetensors").read_bytes()
    again = TrainingData.load(tmp_path)
    assert again.key == data.key
    assert again.pool.samples == data.pool.samples
    np.testing.assert_array_equal(again.pool.landmarks, data.pool.landmarks)
    again.save(tmp_path)
    assert (tmp_path / "pool.safetensors").read_bytes() == first
    changed = data.pool.inputs.copy()
    changed[0, 0, 0, 0] ^= 1
    assert replace(data.pool, inputs=changed).digest != data.pool.digest


def test_a_damaged_pool_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        TrainingPool.load(tmp_path)
    (tmp_path / "pool.safetensors").write_bytes(b"not a pool")
    with pytest.raises(StoreError, match="cannot be read"):
        TrainingPool.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"labels": np.full(24, 9)}, "no context"),
        ({"samples": ("a",) * 24}, "same name"),
        ({"landmarks": np.zeros((24, 5))}, "landmarks"),
        ({"references": np.zeros((24, 8, 8, 3), np.uint8)}, "differ in shape"),
        ({"inputs": np.zeros((24, 32, 32, 3))}, "uint8"),
    ],
)
def test_what_does_not_fit_together_is_no_pool(
    data: TrainingData, change: dict[str, object], match: str
) -> None:
    with pytest.raises(DataError, match=match):
        replace(data.pool, **change)


def test_context_vectors_must_be_distributions_over_the_pool(data: TrainingData) -> None:
    with pytest.raises(DataError, match="do not describe"):
        TrainingData(data.pool, data.contexts[:3])
    with pytest.raises(DataError, match="sum to 1"):
        TrainingData(data.pool, data.contexts * 0.5)


def test_pools_are_joined_in_order(data: TrainingData) -> None:
    other = replace(data.pool, samples=tuple(f"t{i}" for i in range(24)))
    both = joined([data.pool, other])
    assert len(both) == 48
    assert both.samples[24] == "t0"
    assert both.counts() == {"generic": 24, "face": 24}


def test_kept_features_are_those_prepared_for_the_batch(
    data: TrainingData, instruments: Instruments, recipe: Recipe
) -> None:
    kept = FeatureBank(data.pool, recipe.terms, instruments, device="cpu")
    fresh = FeatureBank(data.pool, recipe.terms, instruments, device="cpu", budget=0)
    assert "id.embedding" in kept.kept
    assert not fresh.kept
    samples = np.array([5, 0, 23])
    (inputs, features), (same_inputs, others) = kept.batch(samples), fresh.batch(samples)
    assert torch.equal(inputs, same_inputs)
    assert features.keys() == others.keys()
    for name, feature in features.items():
        torch.testing.assert_close(feature, others[name], rtol=1e-4, atol=1e-5)


def test_features_larger_than_they_are_worth_are_made_again_for_every_batch(
    data: TrainingData,
    instruments: Instruments,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmark.training.features.WORTH_KEEPING", 5_000)
    bank = FeatureBank(data.pool, recipe.terms, instruments, device="cpu")
    # at 32 px chroma takes 2,048 bytes, the pyramid 5,460, the reference itself 12,288
    assert {name.partition(".")[0] for name in bank.kept} == {"id", "col"}
    _, features = bank.batch(np.array([1, 2]))
    whole = FeatureBank(data.pool, recipe.terms, instruments, device="cpu", budget=0)
    assert features.keys() == whole.batch(np.array([1, 2]))[1].keys()
