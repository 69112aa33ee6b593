from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from numpy.typing import NDArray

from benchmark.errors import UnknownNameError, WeightsError
from benchmark.judges import JUDGES
from benchmark.judges.dlib_net import CHIP_SIZE, DlibFaceNet
from benchmark.judges.faces import FaceRecogniser, cosine
from benchmark.judges.landmarks import locate_landmarks
from benchmark.weights import WEIGHTS, require


@pytest.fixture(scope="module")
def chips() -> NDArray[np.uint8]:
    """A face, noise, a plain and a black chip: everything the network may be shown."""
    face = skimage.data.astronaut()[40:190, 150:300]
    noise = np.random.default_rng(0).integers(0, 256, face.shape)
    return np.stack([face, noise, np.full_like(face, 200), np.zeros_like(face)]).astype(np.uint8)


@pytest.fixture(scope="module")
def portrait() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    images = np.stack([skimage.data.astronaut()[:256, 96:352]] * 3)
    images[1] = images[1][:, ::-1]
    landmarks = locate_landmarks(images)
    landmarks[2] = np.nan
    return images, landmarks


@pytest.fixture(scope="module")
def recogniser() -> FaceRecogniser:
    return FaceRecogniser()


def test_the_network_says_what_dlib_says(chips: NDArray[np.uint8]) -> None:
    import dlib

    path = require("dlib-resnet").path
    expected = np.array(dlib.face_recognition_model_v1(str(path)).compute_face_descriptor(chips))
    batch = torch.from_numpy(chips).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        found = DlibFaceNet.load(path)(batch).numpy()
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_the_judge_says_what_deepface_says(recogniser: FaceRecogniser, portrait) -> None:
    images, landmarks = portrait
    assert recogniser.net is not None
    deviation = recogniser.check(images, landmarks)
    assert 0 < deviation < 2e-6
    assert recogniser.net is not None


def test_a_port_that_disagrees_is_not_trusted(portrait) -> None:
    recogniser = FaceRecogniser()
    exact = recogniser.embed(*portrait)
    assert recogniser.net is not None
    recogniser.net.head.weight.data += 0.01
    with pytest.warns(UserWarning, match="deepface itself is used"):
        assert recogniser.check(*portrait) > 1e-3
    assert recogniser.net is None
    np.testing.assert_allclose(recogniser.embed(*portrait), exact, atol=2e-6)
    assert recogniser.check(*portrait) == 0


def test_embeddings_are_unit_vectors_and_nan_without_landmarks(
    recogniser: FaceRecogniser, portrait
) -> None:
    images, landmarks = portrait
    found = recogniser.embed(images, landmarks)
    assert found.shape == (3, 128)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found[:2], axis=1), 1, atol=1e-6)
    assert np.isnan(found[2]).all()
    assert np.isnan(recogniser.embed(images[2:], landmarks[2:])).all()
    assert len(recogniser.embed(images[:0], landmarks[:0])) == 0
    assert np.isnan(cosine(found, found)[2])


def test_batches_of_any_size_and_kind_agree(portrait) -> None:
    images, landmarks = portrait
    images, landmarks = images[[0, 1, 0, 1, 1]], landmarks[[0, 1, 0, 1, 1]]
    whole = FaceRecogniser(batch=64).embed(images, landmarks)
    single = FaceRecogniser(batch=1).embed(images, landmarks)
    floats = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    np.testing.assert_allclose(single, whole, atol=1e-6)
    np.testing.assert_allclose(FaceRecogniser().embed(floats, landmarks), whole, atol=1e-6)


def test_the_judge_recognises_a_person_in_the_mirror_and_in_less_light(
    recogniser: FaceRecogniser, portrait
) -> None:
    images, landmarks = portrait
    other = skimage.data.astronaut()[200:456, 96:352][None]  # no face: the suit
    face, mirrored = recogniser.embed(images[:2], landmarks[:2])
    dimmer = recogniser.embed((images[:1] * 0.6).astype(np.uint8), landmarks[:1])[0]
    nobody = recogniser.embed(other, landmarks[:1])[0]
    assert min(face @ mirrored, face @ dimmer) > face @ nobody + 0.05


@pytest.mark.parametrize(
    "damage", [b"", b"not dlib", "cut"], ids=["empty", "another format", "cut short"]
)
def test_a_file_that_is_not_the_network_is_a_clear_error(
    tmp_path: Path, damage: bytes | str
) -> None:
    path = tmp_path / "net.dat"
    content = require("dlib-resnet").path.read_bytes()[: 1 << 20]
    path.write_bytes(content if isinstance(damage, str) else damage)
    with pytest.raises(WeightsError, match=r"net\.dat.*dlib's face recognition network"):
        DlibFaceNet.load(path)


def test_deepface_stays_offline_leaves_home_alone_and_needs_no_tensorflow(tmp_path: Path) -> None:
    """In a process of its own: deepface remembers its settings."""
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import socket, sys, numpy as np\n"
        "def refuse(*a, **k): raise SystemExit('the network was asked for')\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from benchmark.judges.deepface_models import DeepfaceModel\n"
        "from benchmark.weights import require\n"
        "model = DeepfaceModel('Dlib', require('dlib-resnet'))\n"
        f"assert model.side() == {CHIP_SIZE}\n"
        "assert model.represent(np.zeros((2, 150, 150, 3), np.uint8)).shape == (2, 128)\n"
        "assert 'tensorflow' not in sys.modules\n"
        "assert 'DEEPFACE_HOME' not in __import__('os').environ\n"
    )
    keep = {k: v for k, v in os.environ.items() if not k.startswith("DEEPFACE")}
    environment = keep | {"HOME": str(home), "EQUILUX_WEIGHTS": str(tmp_path / "weights")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=Path.cwd())
    assert not (home / ".deepface").exists()
    assert (tmp_path / "weights" / "deepface" / ".deepface" / "weights").is_dir()


def test_other_recognisers_say_which_weights_they_lack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="weights fetch deepface-arcface"):
        FaceRecogniser("deepface-arcface")
    with pytest.raises(WeightsError, match="is a detector"):
        FaceRecogniser("dlib-hog")
    with pytest.raises(UnknownNameError, match="deepface-arcface"):
        FaceRecogniser("deepface-arcfase")


def test_another_model_of_deepface_works_from_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, portrait
) -> None:
    """With random weights: the architecture is deepface's, the file is found in deepface's home."""
    from benchmark.judges.deepface_models import DeepfaceModel

    weights = tmp_path / ".deepface" / "weights"
    weights.mkdir(parents=True)
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path / "ours"))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    monkeypatch.setenv("DEEPFACE_BACKEND_ENGINE", "pytorch")
    from deepface.models.facial_recognition.pytorch import ArcFace

    torch.manual_seed(0)
    network = next(
        value
        for name, value in vars(ArcFace).items()
        if isinstance(value, type) and issubclass(value, torch.nn.Module) and "ArcFace" in name
    )()
    torch.save(network.state_dict(), weights / "arcface_weights.pth")
    recogniser = FaceRecogniser("deepface-arcface")
    assert recogniser.size == 112
    found = recogniser.embed(*portrait)
    assert found.shape == (3, 512)
    assert np.isfinite(found[:2]).all()
    model = DeepfaceModel("ArcFace", recogniser.weights)
    chips = recogniser.chips(
        torch.from_numpy(portrait[0][:1]).permute(0, 3, 1, 2) / 255, portrait[1][:1]
    )
    direct = model.represent(chips.byte().permute(0, 2, 3, 1).numpy())[0]
    np.testing.assert_allclose(found[0], direct / np.linalg.norm(direct), atol=1e-5)


def test_every_judge_has_a_card_whose_weights_are_in_the_catalogue() -> None:
    for entry in JUDGES:
        card = JUDGES.get(entry.name)
        assert card.name == entry.name
        assert card.summary
        assert card.licence
        assert all(name in WEIGHTS for name in card.weights)
        assert replace(card).as_dict()["name"] == card.name


def test_a_disagreement_seen_elsewhere_is_honoured_here() -> None:
    recogniser = FaceRecogniser()
    recogniser.accept(1e-6)
    assert recogniser.net is not None
    with pytest.warns(UserWarning, match="deepface itself is used"):
        recogniser.accept(0.5)
    assert recogniser.net is None
    recogniser.accept(0.5)  # nothing left to distrust
