from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import skimage.transform
import torch
from PIL import Image

from benchmark.judges.chips import MEAN_FACE, chip_template, face_chips
from benchmark.judges.landmarks import five_of_68
from benchmark.weights import require

# dlib's mean face, points 17 to 67 without the inner mouth (image_transforms/interpolation.h)
_MEAN_X = (
    "0.000213256 0.0752622 0.18113 0.29077 0.393397 0.586856 0.689483 0.799124 0.904991 0.98004 "
    "0.490127 0.490127 0.490127 0.490127 0.36688 0.426036 0.490127 0.554217 0.613373 0.121737 "
    "0.187122 0.265825 0.334606 0.260918 0.182743 0.645647 0.714428 0.793132 0.858516 0.79751 "
    "0.719335 0.254149 0.340985 0.428858 0.490127 0.551395 0.639268 0.726104"
)
_MEAN_Y = (
    "0.106454 0.038915 0.0187482 0.0344891 0.0773906 0.0773906 0.0344891 0.0187482 0.038915 "
    "0.106454 0.203352 0.307009 0.409805 0.515625 0.587326 0.609345 0.628106 0.609345 0.587326 "
    "0.216423 0.178758 0.179852 0.231733 0.245099 0.244077 0.231733 0.179852 0.178758 0.216423 "
    "0.244077 0.245099 0.780233 0.745405 0.727388 0.742578 0.727388 0.745405 0.780233"
)


def test_the_template_is_dlibs_mean_face_reduced_like_the_landmarks() -> None:
    mean = np.full((68, 2), np.nan)
    mean[17:55] = np.stack([np.fromstring(t, sep=" ") for t in (_MEAN_X, _MEAN_Y)], axis=1)
    np.testing.assert_allclose(MEAN_FACE, five_of_68(mean), atol=1e-6)


def test_landmarks_on_the_template_return_the_image_itself() -> None:
    images = torch.rand(2, 3, 150, 150)
    landmarks = chip_template(150).expand(2, 5, 2)
    torch.testing.assert_close(face_chips(images, landmarks, 150), images, atol=1e-4, rtol=0)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_a_chip_does_not_depend_on_the_photographs_resolution(factor: int) -> None:
    small = skimage.data.astronaut()[:256, 96:352] / 255
    small = skimage.transform.resize(small, (128, 128), anti_aliasing=True)
    large = skimage.transform.resize(small, (128 * factor,) * 2, order=3, clip=True)
    landmarks = torch.tensor([[[48.0, 52], [74, 52], [61, 66], [50, 78], [72, 78]]])
    chips = [
        face_chips(
            torch.from_numpy(image).permute(2, 0, 1)[None].float(),
            (landmarks + 0.5) * scale - 0.5,
            60,
        )
        for image, scale in ((small, 1), (large, factor))
    ]
    assert (chips[0] - chips[1]).abs().mean() < 0.01


def test_fine_texture_of_a_large_photograph_is_averaged_not_sampled() -> None:
    board = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(300, 300).expand(1, 3, 600, 600)
    landmarks = chip_template(600)[None] + 0.3
    chip = face_chips(board.contiguous(), landmarks, 150)
    torch.testing.assert_close(chip, torch.full_like(chip, 0.5), atol=1e-4, rtol=0)


def test_a_chip_does_not_depend_on_its_neighbours() -> None:
    images = torch.rand(3, 3, 300, 300)
    landmarks = torch.stack([chip_template(size) for size in (100, 150, 290)])
    together = face_chips(images, landmarks, 75)
    alone = [face_chips(images[i : i + 1], landmarks[i : i + 1], 75) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-6, rtol=0)


@pytest.mark.slow
def test_chips_of_people_serve_the_judge_as_well_as_dlibs_own(shared_data: Path) -> None:
    """Oracle: dlib's five-point predictor and chip extraction, on 24 people, all four views."""
    import dlib
    from sklearn.metrics import roc_auc_score

    from benchmark.judges.dlib_net import DlibFaceNet
    from benchmark.judges.landmarks import locate_landmarks

    folder = shared_data / "faces" / "london"
    with (folder / "metadata.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    people = sorted({row["identity"] for row in rows})[::2]
    rows = [row for row in rows if row["identity"] in people]
    images = np.stack(
        [
            np.asarray(Image.open(folder / row["file_name"]).convert("RGB").resize((240, 240)))
            for row in rows
        ]
    )
    landmarks = locate_landmarks(images)
    assert np.isfinite(landmarks).all()
    batch = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    ours = face_chips(batch, torch.from_numpy(landmarks), 150).round()

    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(require("dlib-landmarks-5").path))
    theirs = []
    for image in images:
        boxes = detector(image, 1) or detector(image, 2)
        box = max(boxes, key=lambda box: box.area())
        theirs.append(dlib.get_face_chip(image, predictor(image, box), 150, 0.25))
    net = DlibFaceNet.load(require("dlib-resnet").path)
    with torch.inference_mode():
        a, b = (
            torch.nn.functional.normalize(net(chips), dim=1)
            for chips in (ours, torch.from_numpy(np.stack(theirs)).permute(0, 3, 1, 2).float())
        )
    frontal = torch.tensor(["front" in row["view"] for row in rows])
    agreement = (a * b).sum(1)
    assert agreement[frontal].mean() > 0.995
    assert agreement.mean() > 0.98
    identity = np.array([row["identity"] for row in rows])
    upper = np.triu_indices(len(rows), 1)
    same = (identity[:, None] == identity)[upper]
    auc = [roc_auc_score(same, (e @ e.T).numpy()[upper]) for e in (a, b)]
    assert auc[0] > 0.999
    assert auc[0] >= auc[1] - 0.0005
