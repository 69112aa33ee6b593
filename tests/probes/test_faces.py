"""The face probe: design, determinism, counterfactual twins, truth of its labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.errors import DataError
from benchmark.probes.faces import TONES, FaceProbe, FaceSamples, level_of
from benchmark.probes.faces.identity import draw_vectors, traits_of
from benchmark.probes.faces.render import shoot
from benchmark.probes.faces.tones import LEVEL_TONES, monk_albedo
from benchmark.probes.faces.views import Views, gallery_views, probe_views
from benchmark.probes.threads import one_thread_per_operation

pytestmark = pytest.mark.usefixtures("calm")


@pytest.fixture(scope="module")
def calm() -> Iterator[None]:
    """Small tensors are slower on many threads than on one."""
    with one_thread_per_operation():
        yield


_SMALL = {"identities": 3, "views": 2, "size": 48, "supersample": 1}


@pytest.fixture(scope="module")
def samples() -> FaceSamples:
    return FaceProbe(**_SMALL).render()  # type: ignore[arg-type]


def test_every_identity_in_every_level_with_the_same_views(samples: FaceSamples) -> None:
    frame = samples.frame
    crossed = frame.groupby(["identity", "tone_level", "view"]).size()
    assert (crossed == 1).all()
    assert len(crossed) == 3 * 3 * 3
    same = ["pose", "expression", "illumination", "background", "yaw", "pitch"]
    assert (frame.groupby(["identity", "view"])[same].nunique() == 1).all().all()
    assert frame["sample"].is_unique
    assert set(frame.role[frame.view == 0]) == {"gallery"}
    assert set(frame.role[frame.view > 0]) == {"probe"}


def test_gallery_is_neutral_frontal_and_evenly_lit(samples: FaceSamples) -> None:
    gallery = samples.frame[samples.frame.role == "gallery"]
    assert gallery.groupby(["identity", "tone_level"]).size().eq(1).all()
    wanted = {"pose": "frontal", "expression": "neutral", "illumination": "even"}
    for column, value in wanted.items():
        assert (gallery[column] == value).all()
    assert (gallery.yaw == 0).all()


def test_recorded_levels_are_those_of_the_tones(samples: FaceSamples) -> None:
    expected = [level_of(TONES.index(tone)).value for tone in samples.frame.tone]
    assert samples.frame.tone_level.tolist() == expected
    assert samples.frame.groupby("identity").tone_level.nunique().eq(3).all()


def test_levels_partition_the_ten_tones() -> None:
    assert sorted(tone for tones in LEVEL_TONES.values() for tone in tones) == list(range(10))


def test_twins_share_geometry_to_the_bit(samples: FaceSamples) -> None:
    for _, rows in samples.frame.groupby(["identity", "view"]):
        index = rows.index.to_numpy()
        assert (samples.landmarks[index] == samples.landmarks[index[0]]).all()
        assert (samples.skin[index] == samples.skin[index[0]]).all()


def test_twins_differ_where_there_is_skin_and_nowhere_else(samples: FaceSamples) -> None:
    frame = samples.frame
    light = samples.images[(frame.tone_level == "light").to_numpy()].astype(int)
    dark = samples.images[(frame.tone_level == "dark").to_numpy()].astype(int)
    skin = samples.skin[(frame.tone_level == "light").to_numpy()]
    assert (light[skin].mean(-1) > dark[skin].mean(-1)).mean() > 0.99
    corner = np.s_[:, :6, :6]
    assert (light[corner] == dark[corner]).all()


def test_images_are_affine_in_the_tone() -> None:
    traits = traits_of(draw_vectors("affine", 1))
    shots = shoot(traits, gallery_views(1), size=32, supersample=2, device=torch.device("cpu"))
    albedo = torch.tensor([[0.2, 0.1, 0.05], [0.4, 0.2, 0.1], [0.3, 0.15, 0.075]])
    linear = shots.base + shots.slope * albedo[:, :, None, None]
    torch.testing.assert_close(linear[:2].mean(0), linear[2])
    assert (shots.slope >= 0).all()
    assert (shots.base >= 0).all()
    assert shots.develop(albedo, torch.zeros(3, dtype=torch.long)).shape == (3, 32, 32, 3)


def test_rendering_is_deterministic_and_independent_of_the_batch(samples: FaceSamples) -> None:
    part = FaceProbe(**(_SMALL | {"identities": 1, "first": 2})).render()  # type: ignore[arg-type]
    rows = (samples.frame.identity == "test-00002").to_numpy()
    tone = dict(zip(part.frame["sample"], part.images, strict=True))
    for name, image in zip(samples.frame["sample"][rows], samples.images[rows], strict=True):
        assert (tone[name] == image).all()


def test_a_batch_of_shots_equals_its_parts() -> None:
    traits = traits_of(draw_vectors("batch", 3))
    views = probe_views(np.random.default_rng(0), 3)
    options = {"size": 32, "supersample": 1, "device": torch.device("cpu")}
    together = shoot(traits, views, **options)  # type: ignore[arg-type]
    for index in range(3):
        row = np.array([index])
        alone = shoot(traits.take(row), views.take(row), **options)  # type: ignore[arg-type]
        torch.testing.assert_close(together.slope[index], alone.slope[0], atol=2e-3, rtol=0)
        torch.testing.assert_close(together.landmarks[index], alone.landmarks[0])


def test_splits_share_nobody() -> None:
    train, test = draw_vectors("train", 500), draw_vectors("test", 200)
    distance = torch.cdist(torch.from_numpy(train), torch.from_numpy(test))
    # two uniform points in the unit cube of this dimension are about sqrt(P / 6) apart
    assert float(distance.min()) > 0.5 * (train.shape[1] / 6) ** 0.5
    inner = torch.pdist(torch.from_numpy(test))
    assert float(inner.min()) > 0.5 * (train.shape[1] / 6) ** 0.5


def test_an_identity_does_not_depend_on_how_many_are_drawn() -> None:
    assert (draw_vectors("test", 9)[4:6] == draw_vectors("test", 2, first=4)).all()
    assert (draw_vectors("test", 2) != draw_vectors("test", 2, seed=1)).all()


def test_traits_do_not_know_the_tone(samples: FaceSamples) -> None:
    # what is not skin is the same in every tone: hair, clothing and background of all twins
    frame = samples.frame
    for _, rows in frame.groupby(["identity", "view"]):
        images = samples.images[rows.index].astype(int)
        spread = images.max(0) - images.min(0)
        fixed = (spread == 0).all(-1)
        assert fixed.mean() > 0.3


def test_no_effect_labels_are_exchangeable_within_each_person() -> None:
    probe = FaceProbe(**(_SMALL | {"identities": 40, "views": 0, "size": 16, "effect": "none"}))  # type: ignore[arg-type]
    recorded = probe.render()
    honest = FaceProbe(**(_SMALL | {"identities": 40, "views": 0, "size": 16})).render()  # type: ignore[arg-type]
    assert (recorded.images == honest.images).all()
    assert (recorded.frame.groupby("identity").tone_level.nunique() == 3).all()
    agreement = (recorded.frame.tone_level == honest.frame.tone_level).mean()
    assert 0.2 < agreement < 0.47  # one third by chance, 120 draws
    brightness = recorded.images.mean((1, 2, 3))
    means = [brightness[(recorded.frame.tone_level == level).to_numpy()].mean() for level in
             ("light", "medium", "dark")]  # fmt: skip
    truth = [brightness[(honest.frame.tone_level == level).to_numpy()].mean() for level in
             ("light", "medium", "dark")]  # fmt: skip
    assert np.ptp(means) < 0.5 * np.ptp(truth)


def test_training_tones_vary_over_views() -> None:
    probe = FaceProbe(identities=6, views=7, size=16, supersample=1, tones="random", split="train")
    frame = probe.render().frame
    assert len(frame) == 6 * 8
    assert frame.groupby("identity").tone.nunique().mean() > 3


def test_all_tones() -> None:
    probe = FaceProbe(identities=1, views=0, size=16, supersample=1, tones="all")
    samples = probe.render()
    assert samples.frame.tone.tolist() == list(TONES)
    means = samples.images[:, samples.skin[0]].mean((1, 2))
    assert (np.diff(means)[2:] < 0).all()  # Monk 1 to 3 differ in hue more than in lightness


def test_landmarks_lie_where_the_features_are() -> None:
    samples = FaceProbe(identities=4, views=4, size=96).render()
    left, right, nose, mouth_left, mouth_right = np.moveaxis(samples.landmarks, 1, 0)
    assert (left[:, 0] < nose[:, 0]).all()
    assert (nose[:, 0] < right[:, 0]).all()
    assert (left[:, 1] < nose[:, 1]).all()
    assert (nose[:, 1] < mouth_left[:, 1]).all()
    assert (mouth_left[:, 0] < mouth_right[:, 0]).all()
    # the eyes are dark or white, never bare skin
    for image, points in enumerate(samples.landmarks):
        for x, y in points[:2].round().astype(int):
            assert not samples.skin[image, y, x]
    # a head that turns to the right takes its nose along
    turned = samples.frame.yaw.to_numpy()
    offset = nose[:, 0] - (left[:, 0] + right[:, 0]) / 2
    assert np.corrcoef(turned, offset)[0, 1] > 0.9


def test_landmarks_are_the_projection_of_the_surface() -> None:
    """The depth buffer at a landmark's pixel agrees with the landmark's own distance."""
    from benchmark.probes.faces.anatomy import build_anatomy
    from benchmark.probes.faces.hair import build_hair
    from benchmark.probes.faces.tracing import DISTANCE, build_camera, surface_depth

    traits, views = traits_of(draw_vectors("test", 2)), gallery_views(2)
    shots = shoot(traits, views, size=128, supersample=1, device=torch.device("cpu"))
    anatomy = build_anatomy(traits, build_hair(traits), views.action)
    nose = anatomy.anchors[:, 1:2].mT
    z = surface_depth(anatomy, nose)
    camera = build_camera(views, torch.device("cpu"))
    for row in range(2):
        x, y = shots.landmarks[row, 2].round().long()
        point = torch.cat([nose[row, :, 0], z[row]])
        distance = (point - camera.origin[row, :, 0]).norm()
        assert float(shots.depth[row, y, x]) == pytest.approx(float(distance), abs=0.03)
        assert float(distance) < DISTANCE


def test_the_head_fills_about_three_quarters_of_the_frame() -> None:
    traits = traits_of(draw_vectors("test", 12))
    shots = shoot(traits, gallery_views(12), size=64, supersample=1, device=torch.device("cpu"))
    chin_to_eyes = shots.landmarks[:, 3:, 1].mean(1) - shots.landmarks[:, :2, 1].mean(1)
    assert (chin_to_eyes / 64).min() > 0.18
    top = (shots.depth < torch.inf).any(2).float().argmax(1)
    assert 0.0 < float((top / 64).mean()) < 0.16


def test_cache_serves_and_repairs(tmp_path: Path) -> None:
    probe = FaceProbe(**(_SMALL | {"identities": 1, "views": 1}))  # type: ignore[arg-type]
    first = probe.render(cache=tmp_path)
    (entry,) = tmp_path.glob("faces-*.npz")
    stamp = entry.stat().st_mtime_ns
    again = probe.render(cache=tmp_path)
    assert entry.stat().st_mtime_ns == stamp
    assert first.frame.equals(again.frame)
    assert (first.images == again.images).all()
    assert (first.skin == again.skin).all()
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 0xFF
    entry.write_bytes(content)
    repaired = probe.render(cache=tmp_path)
    assert (repaired.images == first.images).all()
    entry.write_bytes(b"PK not a zip")
    assert (probe.render(cache=tmp_path).landmarks == first.landmarks).all()


def test_keys_tell_parameters_apart() -> None:
    probes = [FaceProbe(), FaceProbe(seed=1), FaceProbe(effect="none"), FaceProbe(split="train")]
    assert len({probe.key for probe in probes}) == len(probes)
    assert FaceProbe().key == FaceProbe().key


def test_dataset_has_the_promised_columns(tmp_path: Path) -> None:
    dataset = FaceProbe(**(_SMALL | {"identities": 1, "views": 1})).build(cache=tmp_path)  # type: ignore[arg-type]
    promised = {"image", "identity", "role", "tone", "tone_level", "pose", "expression",
                "illumination", "landmarks", "skin_mask", "sample"}  # fmt: skip
    assert promised <= set(dataset.column_names)
    samples = FaceProbe(**(_SMALL | {"identities": 1, "views": 1})).render(cache=tmp_path)  # type: ignore[arg-type]
    row = dataset[3]
    assert (np.asarray(row["image"]) == samples.images[3]).all()
    assert (np.asarray(row["skin_mask"]) == samples.skin[3] * 255).all()
    np.testing.assert_allclose(row["landmarks"], samples.landmarks[3])


def test_progress_counts_views() -> None:
    seen: list[int] = []
    FaceProbe(**_SMALL).render(advance=seen.append)  # type: ignore[arg-type]
    assert sum(seen) == 3 * 3


@pytest.mark.parametrize("change", [{"identities": 0}, {"size": 50}, {"size": 8}, {"views": -1}])
def test_impossible_probes_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(DataError, match="multiple of 8"):
        FaceProbe(**(_SMALL | change))  # type: ignore[arg-type]


def test_views_are_balanced() -> None:
    views: Views = probe_views(np.random.default_rng(0), 20)
    assert np.bincount(views.pose).tolist() == [4] * 5
    assert np.bincount(views.expression).tolist() == [5] * 4
    assert np.allclose(np.linalg.norm(views.light, axis=1), 1)


def test_albedo_is_the_linear_published_colour() -> None:
    # Monk 7, 825c43: 0x82 = 130
    assert monk_albedo()[6, 0] == pytest.approx(((130 / 255 + 0.055) / 1.055) ** 2.4, rel=1e-5)
