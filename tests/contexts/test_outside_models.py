"""CLIP, SigLIP and vision-language models: the real loading code on tiny models of the same kinds.

The models are random, so what they see means nothing; that the right numbers are read from the
right places is checked against calls of transformers written out by hand.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from benchmark.contexts import PREDICTORS, make_predictor
from benchmark.contexts.clip import CONTEXT_PROMPTS, ClipEncoder, ClipPredictor, ZeroShot
from benchmark.contexts.router import make_classifier
from benchmark.contexts.router.base import NO_ANSWER, NONE, decide
from benchmark.contexts.router.outside import PROMPTS, QUESTION, ClipTrunk, VlmClassifier
from benchmark.contexts.router.samples import RouterSet
from benchmark.contexts.vlm import LanguageModel, VlmPredictor
from benchmark.errors import EquiluxError, UnknownNameError, WeightsError
from benchmark.weights import models
from benchmark.weights.models import fetch_model, find_model, load_pretrained

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _tiny() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "tiny_models", Path(__file__).with_name("tiny_models.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    tiny, folder = _tiny(), tmp_path_factory.mktemp("models")
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in made:
            made[kind] = getattr(tiny, f"save_{kind}")(folder / kind)
        return made[kind]

    return get


def pictures(count: int = 3, height: int = 40, width: int = 48) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(count))


def as_pil(images: Tensor) -> list[Image.Image]:
    return [
        Image.fromarray((image.permute(1, 2, 0) * 255).round().byte().numpy()) for image in images
    ]


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_zero_shot_is_what_transformers_computes(kind: str, saved: Callable[[str], Path]) -> None:
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    folder, images = saved(kind), pictures()
    model = AutoModel.from_pretrained(folder).eval()
    words = AutoTokenizer.from_pretrained(folder)
    pixels = AutoImageProcessor.from_pretrained(folder)(as_pil(images), return_tensors="pt")
    rows = []
    for texts in CONTEXT_PROMPTS:
        tokens = words(
            list(texts), padding="max_length", truncation=True, max_length=64, return_tensors="pt"
        )
        with torch.no_grad():
            out = model(**tokens, pixel_values=pixels["pixel_values"])
        rows.append(functional.normalize(out.text_embeds.mean(0), dim=0))
    cosine = functional.normalize(out.image_embeds, dim=1) @ torch.stack(rows).T
    expected = (model.logit_scale.exp() * cosine).softmax(1)
    predictor = make_predictor(f"clip:{folder}")
    assert isinstance(predictor, ClipPredictor)
    torch.testing.assert_close(predictor.predict(images), expected.detach(), atol=1e-5, rtol=1e-4)
    assert predictor.identity()["predictor"] == "clip"


def test_vectors_of_clip_can_be_used_in_a_loss(saved: Callable[[str], Path]) -> None:
    weight = ClipPredictor(str(saved("clip"))).predict(pictures(2))
    value = torch.ones(2, 4, requires_grad=True)
    (weight * value).sum().backward()
    assert torch.equal(value.grad, weight)


def test_every_class_has_five_descriptions(saved: Callable[[str], Path]) -> None:
    assert all(len(texts) >= 5 for texts in (*CONTEXT_PROMPTS, *PROMPTS))
    with pytest.raises(ValueError, match="at least 5"):
        ZeroShot(ClipEncoder(str(saved("clip"))), [["one"], ["two"]])


def test_clip_gives_features_to_a_probe(saved: Callable[[str], Path]) -> None:
    trunk = ClipTrunk(str(saved("clip")))
    found = trunk.features(pictures(4))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(4))
    assert trunk.features(pictures(0)).shape == (0, found.shape[1])
    assert "trunk_sha256" in trunk.identity()


@pytest.mark.parametrize("kind", ["llava", "idefics"])
def test_letters_are_read_where_transformers_puts_them(
    kind: str, saved: Callable[[str], Path]
) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder, images = saved(kind), pictures(2)
    prompt = QUESTION.text(range(5))
    processor = AutoProcessor.from_pretrained(folder)
    network = AutoModelForImageTextToText.from_pretrained(folder).eval()
    vocabulary = processor.tokenizer.get_vocab()
    for image, found in zip(
        as_pil(images), LanguageModel(str(folder)).letters(images, prompt, 5), strict=True
    ):
        text = f"<image>{prompt}<end_of_utterance>"
        inputs = processor(images=[image], text=text, return_tensors="pt")
        with torch.no_grad():
            log_p = network(**inputs).logits[0, -1].double().log_softmax(0)
        expected = torch.stack(
            [torch.logsumexp(log_p[[vocabulary[x], vocabulary[f"\u0120{x}"]]], 0) for x in "ABCDE"]
        )
        torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["llava", "idefics"])
def test_a_bias_in_the_last_layer_vanishes(kind: str, saved: Callable[[str], Path]) -> None:
    images = pictures()
    fair, biased = (VlmClassifier(str(saved(kind))) for _ in "ab")
    add_bias(biased, {"A": 4.0, "\u0120A": 4.0, "B": 2.0, "\u0120B": 2.0})
    first = fair.predict(images)
    assert first.std(1).min() > 1e-4
    torch.testing.assert_close(biased.predict(images), first, atol=2e-4, rtol=0)
    torch.testing.assert_close(first.sum(1), torch.ones(3))


def test_a_model_that_answers_none_of_the_letters_abstains(saved: Callable[[str], Path]) -> None:
    classifier = VlmClassifier(str(saved("idefics")))
    add_bias(classifier, {"x": 30.0})
    found = classifier.predict(pictures())
    assert found.isnan().all()
    decision = decide(found.numpy())
    assert decision.status.tolist() == [NO_ANSWER] * 3
    assert decision.routes.tolist() == [NONE] * 3


def test_the_study_compares_them_to_its_last_sentence(
    saved: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Everything from the command to the verdict, but on a few pictures of noise."""
    from typer.testing import CliRunner

    from benchmark.cli.app import app
    from benchmark.contexts.router.synthesis import versions
    from benchmark.runner import routing

    clean = (pictures(8, 64, 64).permute(0, 2, 3, 1) * 255).byte().numpy()
    made = [versions(clean[n], clean[n - 1], stream=str(n), seed=0) for n in range(len(clean))]
    frame = pd.DataFrame(
        {
            "sample": [str(n) for n in range(len(clean))],
            "cluster": [str(n // 2) for n in range(len(clean))],
            "context": "face",
            "tone_level": ["light", "dark"] * 4,
            "illumination": "even",
        }
    )
    samples = RouterSet(clean, np.stack(made), frame)
    monkeypatch.setattr(routing, "router_samples", lambda *args, **options: samples)
    models = [("clip", "clip"), ("clip", "siglip"), ("vlm", "llava"), ("vlm", "silent")]
    options = [word for kind, name in models for word in (f"--{kind}", str(saved(name)))]
    found = CliRunner().invoke(app, ["study", "router", *options, "--runs", str(tmp_path)])
    assert found.exit_code == 0, found.output
    lines = found.output.splitlines()
    for kind, name in models:
        assert any(line.startswith(f"{kind}:{name} ") for line in lines), found.output
        assert any(line.startswith(f"{kind}:{saved(name)}: ") for line in lines), found.output
    assert any(line.startswith("probe on siglip ") for line in lines)
    silent = next(line for line in lines if line.startswith("vlm:silent"))
    assert "0.200" in silent  # everything is left alone, which is right for one class of five
    assert "vlm:silent gave no answer to 100.0% of the pictures" in lines


def test_a_context_without_an_answer_is_shared_by_all(saved: Callable[[str], Path]) -> None:
    predictor = make_predictor(f"vlm:{saved('idefics')}")
    assert isinstance(predictor, VlmPredictor)
    torch.testing.assert_close(predictor.predict(pictures()).sum(1), torch.ones(3))
    add_bias(predictor, {"x": 30.0})
    assert torch.equal(predictor.predict(pictures()), torch.full((3, 4), 0.25))


def add_bias(classifier: Any, biases: dict[str, float]) -> None:
    """Make the last layer of a loaded model like some tokens, whatever it is shown."""
    layer = _last_layer(classifier)
    vocabulary = classifier._classifier._answerer._processor.tokenizer.get_vocab()
    bias = torch.zeros(layer.weight.shape[0])
    for token, value in biases.items():
        bias[vocabulary[token]] = value
    layer.bias = torch.nn.Parameter(bias, requires_grad=False)


def _last_layer(classifier: Any) -> Any:
    return classifier._classifier._answerer._network.lm_head


def test_pickles_are_refused(saved: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved("clip"), tmp_path / "pickled"))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"refused.*pytorch_model\.bin"):
        make_predictor(f"clip:{folder}")


def test_models_that_bring_code_are_refused(saved: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved("idefics"), tmp_path / "custom"))
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(WeightsError, match="Python of its own"):
        make_classifier(f"vlm:{folder}")


def test_missing_tensors_are_never_random(saved: Callable[[str], Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(saved("siglip"), tmp_path / "cut"))
    tensors = load_file(folder / "model.safetensors")
    tensors.pop(next(name for name in tensors if "encoder" in name))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match="do not fill"):
        load_pretrained("AutoModel", find_model(str(folder)))
    (folder / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(WeightsError, match=r"cannot load|do not fill"):
        load_pretrained("AutoModel", find_model(str(folder)))


def test_the_wrong_kind_of_model_is_refused(saved: Callable[[str], Path]) -> None:
    with pytest.raises(WeightsError, match="CLIP or SigLIP"):
        make_predictor(f"clip:{saved('llava')}")
    with pytest.raises(WeightsError, match="cannot load"):
        make_classifier(f"vlm:{saved('clip')}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"hub:nobody/nothing@{COMMIT}", r"(?s)not on this machine.*weights fetch hub:nobody"),
        ("hub:nobody/nothing", "not pinned"),
        ("hub:nobody/nothing@main", "not pinned"),
        ("hub:nothing", "not a model of the Hub"),
        ("/no/such/folder", "no such folder"),
    ],
)
def test_a_missing_model_fails_fast(
    name: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    started = time.monotonic()
    with pytest.raises(WeightsError, match=message):
        find_model(name)
    assert time.monotonic() - started < 5


def test_fetching_honours_offline_and_dead_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="cannot fetch"):
        fetch_model(f"hub:nobody/nothing@{COMMIT}")


def test_fetching_wants_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Api:
        def model_info(self, repo: str, **options: Any) -> Any:
            assert options["timeout"] == models.TIMEOUT
            return type("Info", (), {"sha": COMMIT})()

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    with pytest.raises(WeightsError, match=rf"(?s)not pinned.*hub:some/model@{COMMIT}"):
        fetch_model("hub:some/model@main")


def test_fetched_models_are_found_again(
    saved: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # the layout of the Hub's cache: one folder a commit
    place = tmp_path / "models--some--model" / "snapshots" / COMMIT
    shutil.copytree(saved("clip"), place)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    found = find_model(f"hub:some/model@{COMMIT}")
    assert found.folder == place
    assert found.digest == find_model(str(saved("clip"))).digest


def test_names_say_which_model() -> None:
    assert {"clip", "vlm"} <= set(PREDICTORS.names())
    with pytest.raises(EquiluxError, match="needs a model"):
        make_predictor("clip")
    with pytest.raises(UnknownNameError, match="takes no model"):
        make_predictor("cnn:somewhere")
    with pytest.raises(UnknownNameError, match="no degradation classifier"):
        make_classifier("oracle")
