"""Failures of an enhancer become rows with a status; nothing else is lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.enhancers.base import Enhancer
from benchmark.runner.outputs import enhance_all

CPU = torch.device("cpu")


def evalset(count: int = 7, size: int = 6) -> EvalSet:
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(count)  # marks the sample
    frame = pd.DataFrame(
        {"sample": [f"s{i}" for i in range(count)], "cluster": "c", "status": "ok"}
    )
    frame.loc[1, "status"] = "decode_error"
    return EvalSet(frame=frame, inputs=images, references=images, digest="d")


class Faulty(Enhancer):
    """Misbehaves on one marked sample."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        marked = (images[:, 0, 0, 0] * 255).round() == 4
        out = images.clone()
        if not marked.any():
            return out
        match self.kind:
            case "crash":
                raise RuntimeError("boom: sample 4")
            case "nan":
                out[marked] = torch.nan
            case "inf":
                out[marked, 0, 2, 2] = torch.inf
            case "size" if len(images) == 1:
                out = out[..., :-1]
            case "size":
                raise ValueError("cannot stack")
            case "channels":
                out = out[:, :1] if len(images) == 1 else out[:0]
            case "type":
                return "picture"  # type: ignore[return-value]
        return out


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("crash", "missing_output"),
        ("nan", "nonfinite_output"),
        ("inf", "nonfinite_output"),
        ("size", "wrong_size"),
        ("channels", "wrong_size"),
        ("type", "missing_output"),
    ],
)
def test_one_bad_output_costs_one_row(kind: str, expected: str) -> None:
    data = evalset()
    result = enhance_all(Faulty(kind), data, device=CPU, batch=4)
    assert list(result.status) == ["ok", "decode_error", "ok", "ok", expected, "ok", "ok"]
    good = [0, 2, 3, 5, 6]
    np.testing.assert_array_equal(result.images[good], data.inputs[good])
    assert (result.images[[1, 4]] == 0).all()
    assert np.isnan(result.milliseconds[1])


def test_messages_are_kept() -> None:
    result = enhance_all(Faulty("crash"), evalset(), device=CPU)
    assert result.errors == ("raised RuntimeError: boom: sample 4",)


def test_values_outside_the_range_are_clipped() -> None:
    class Loud(Enhancer):
        def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
            return images * 4 - 1

    result = enhance_all(Loud(), evalset(), device=CPU)
    assert set(result.status) == {"ok", "decode_error"}
    assert result.images.min() == 0
    assert result.images.max() == 255


def test_the_oracle_is_handed_the_reference() -> None:
    class Oracle(Enhancer):
        needs_reference = True

        def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
            assert references is not None
            return references

    data = evalset()
    result = enhance_all(Oracle(), data, device=CPU)
    good = data.frame["status"] == "ok"
    np.testing.assert_array_equal(result.images[good], data.references[good])
