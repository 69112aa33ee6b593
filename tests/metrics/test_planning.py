from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.data.evalset import EvalSet
from benchmark.errors import UnknownNameError
from benchmark.metrics import SCORERS, Scorer, make_scorer, plan_scorers
from benchmark.metrics.planning import metric_names, scorer_of
from benchmark.registry import Entry


def test_metrics_that_share_work_share_a_scorer() -> None:
    plan = plan_scorers(["tar", "psnr", "id_cosine", "psnr"])
    assert list(plan.scorers) == ["faces", "psnr"]
    assert plan.scorers["faces"].metrics == ("tar", "id_cosine")
    assert set(plan.metrics) == {"tar", "psnr", "id_cosine"}
    assert not plan.unavailable
    assert all(isinstance(v, str) for v in plan.scorers["faces"].identity.values())


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("psrn", "psnr"),
        ("id_cosin", "id_cosine"),
        ("pyiqa:gmds", "pyiqa:gmsd"),
        ("id_cosine:deepface-arcfase", "deepface-arcface"),
        ("detected:dlib", "detected"),
    ],
)
def test_a_wrong_name_suggests_the_right_one(wrong: str, right: str) -> None:
    with pytest.raises(UnknownNameError, match=right):
        plan_scorers([wrong])


def test_a_second_recogniser_is_named_after_a_colon(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    lack = plan_scorers(["id_cosine:deepface-arcface"]).unavailable["id_cosine:deepface-arcface"]
    assert lack.mend == "python -m benchmark weights fetch deepface-arcface"
    names = [spec.name for spec in make_scorer("faces:deepface-arcface").specs]
    assert "tar:deepface-arcface" in names
    assert not any(name.startswith("detected") for name in names)


def test_the_table_of_names_says_what_the_scorers_declare() -> None:
    for name, scorer in metric_names().items():
        assert name in {spec.name for spec in make_scorer(scorer).specs}
    for entry in SCORERS:
        for spec in make_scorer(entry.name).specs:
            assert scorer_of(spec.name) == entry.name


def test_listing_metrics_imports_no_torch() -> None:
    code = (
        "import sys\n"
        "from benchmark.metrics.planning import metric_names\n"
        "from benchmark.judges import JUDGES\n"
        "assert 'psnr' in metric_names() and 'dlib' in JUDGES\n"
        "assert not {'torch', 'pyiqa', 'lpips', 'dlib', 'deepface'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_metric_of_pyiqa_leaves_transformers_as_it_is() -> None:
    # pyiqa imports everything for networks that are not named like their module, as ms_ssim's
    code = (
        "import sys\n"
        "from benchmark.metrics.pyiqa_metrics import PyiqaMetric\n"
        "for name in ('psnr', 'ms_ssim', 'fsim', 'vsi', 'gmsd', 'nlpd', 'vif', 'piqe'):\n"
        "    PyiqaMetric(name)._model\n"
        "from transformers.models.llama import modeling_llama\n"
        "assert modeling_llama.LlamaDecoderLayer.__module__ == modeling_llama.__name__\n"
        "assert not [name for name in sys.modules if 'q_align' in name]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["musiq", "dists", "niqe"])
def test_pyiqa_metrics_without_their_weights_are_unavailable_and_download_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    import pyiqa.utils.download_util as download

    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(download, "DEFAULT_CACHE_DIR", str(tmp_path / "pyiqa"))
    before = socket.getaddrinfo
    plan = plan_scorers([f"pyiqa:{name}"])
    assert name in plan.unavailable[f"pyiqa:{name}"].mend
    assert socket.getaddrinfo is before
    assert not list(tmp_path.rglob("*.pth"))


def test_pyiqa_metrics_answer_as_pyiqa_does(evalset: EvalSet) -> None:
    import pyiqa

    outputs, references = (
        torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        for images in (evalset.inputs, evalset.references)
    )
    for name in ("gmsd", "fsim"):
        expected = pyiqa.create_metric(name, device=torch.device("cpu"))(outputs, references)
        scorer = make_scorer(f"pyiqa:{name}")
        found = scorer.score(outputs, np.arange(6), evalset, {})[f"pyiqa:{name}"]
        np.testing.assert_allclose(found, expected.flatten().numpy(), atol=1e-6)
        assert scorer.specs[0].direction == (-1 if name == "gmsd" else 1)
        assert "noncommercial" in scorer.specs[0].licence


def test_images_too_small_for_a_pyramid_are_unknown_not_fatal(evalset: EvalSet) -> None:
    outputs = torch.from_numpy(evalset.inputs).permute(0, 3, 1, 2).float() / 255
    found = make_scorer("ms_ssim").score(outputs, np.arange(6), evalset, {})["ms_ssim"]
    assert np.isnan(found).all()


def test_the_example_of_the_documentation_works(
    evalset: EvalSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a plug-in: nothing but its class says which metrics it has."""
    guide = Path(__file__).resolve().parents[2] / "docs" / "add-a-metric.md"
    code = guide.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    names: dict[str, type[Scorer]] = {}
    exec(code, names)
    SCORERS.names()
    entry = Entry("sharpness", names["Sharpness"], "a plug-in", "my_package")
    monkeypatch.setitem(SCORERS._entries, "sharpness", entry)

    plan = plan_scorers(["sharpness_ratio"])
    assert plan.metrics["sharpness_ratio"].ideal == 1
    scorer = make_scorer(*plan.scorers)
    state = scorer.prepare(evalset)
    outputs = torch.from_numpy(evalset.references).permute(0, 3, 1, 2).float() / 255
    found = scorer.score(outputs, np.arange(6), evalset, state)["sharpness_ratio"]
    np.testing.assert_allclose(found, 1, rtol=1e-5)
    blurred = torch.nn.functional.avg_pool2d(outputs, 3, 1, 1)
    found = scorer.score(blurred, np.arange(6), evalset, state)["sharpness_ratio"]
    assert (found < 0.8).all()
