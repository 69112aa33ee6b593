"""Every term: zero for the reference, one scalar a sample, finite gradients, and its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage import color
from torch import Tensor, nn

from benchmark.errors import SpecError, UnknownNameError, WeightsError
from benchmark.imaging.alignment import align
from benchmark.imaging.colour import luminance
from benchmark.imaging.difference import pyramid_distance
from benchmark.losses import LOSSES
from benchmark.losses.base import Instruments, LossTerm
from benchmark.losses.colour import Chroma
from benchmark.losses.fidelity import Charbonnier
from benchmark.losses.identity import Identity
from benchmark.losses.perceptual import LpipsSqueeze, PyramidDistance
from benchmark.losses.recognition import Recognition
from benchmark.losses.stack import LossStack, build_stack
from benchmark.losses.structure import Structure
from benchmark.schedules import FAMILIES

NAMES = ("charbonnier", "structure", "nlpd", "identity", "chroma", "recognition")
#: Value of each term for identical images: what smooths its root at zero.
AT_REST = dict.fromkeys(NAMES, 0.0) | {"charbonnier": 1e-3, "nlpd": 1e-5}


@pytest.fixture(params=NAMES)
def named(request: pytest.FixtureRequest, instruments: Instruments) -> tuple[str, LossTerm]:
    return request.param, LOSSES.get(request.param).build(instruments)


def test_is_least_at_the_reference_and_larger_elsewhere(
    named: tuple[str, LossTerm], images: Tensor, others: Tensor, landmarks: Tensor
) -> None:
    name, term = named
    features = term.prepare(images, landmarks)
    at_rest, apart = term(images, features), term(others, features)
    assert at_rest.shape == apart.shape == (3,)
    torch.testing.assert_close(at_rest, torch.full((3,), AT_REST[name]), rtol=0, atol=2e-6)
    assert (apart > at_rest + 1e-3).all()


def test_a_sample_does_not_depend_on_its_batch(
    named: tuple[str, LossTerm], images: Tensor, others: Tensor, landmarks: Tensor
) -> None:
    _, term = named
    whole = term(others, term.prepare(images, landmarks))
    for i in range(3):
        alone = term(others[i : i + 1], term.prepare(images[i : i + 1], landmarks[i : i + 1]))
        torch.testing.assert_close(alone[0], whole[i], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("reference", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("output", [-0.2, 0.0, 0.3, 1.0, 1.2])
def test_gradients_are_finite_on_flat_images(
    named: tuple[str, LossTerm], reference: float, output: float, landmarks: Tensor
) -> None:
    _, term = named
    features = term.prepare(torch.full((3, 3, 40, 48), reference), landmarks)
    outputs = torch.full((3, 3, 40, 48), output, requires_grad=True)
    (gradient,) = torch.autograd.grad(term(outputs, features).sum(), outputs)
    assert gradient.isfinite().all()


def test_gradients_are_finite_at_the_reference_itself(
    named: tuple[str, LossTerm], images: Tensor, landmarks: Tensor
) -> None:
    _, term = named
    outputs = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(term(outputs, term.prepare(images, landmarks)).sum(), outputs)
    assert gradient.isfinite().all()


def test_gradient_is_the_derivative(
    named: tuple[str, LossTerm], images: Tensor, others: Tensor, landmarks: Tensor
) -> None:
    _, term = named
    term = term.double()
    features = term.prepare(images.double(), landmarks.double())
    outputs = others.double().requires_grad_()
    (gradient,) = torch.autograd.grad(term(outputs, features).sum(), outputs)
    direction = torch.rand(
        outputs.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )
    step = 1e-7
    with torch.no_grad():
        ahead = term(outputs + step * direction, features).sum()
        behind = term(outputs - step * direction, features).sum()
    expected = (ahead - behind) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), expected, rtol=1e-4, atol=1e-7)
    term.float()


def test_charbonnier_of_a_constant_difference() -> None:
    term = Charbonnier()
    features = term.prepare(torch.zeros(1, 3, 4, 4), None)
    value = term(torch.full((1, 3, 4, 4), 0.25), features)
    torch.testing.assert_close(value, torch.tensor([(0.25**2 + 1e-6) ** 0.5]))


def test_structure_is_blind_to_a_constant_and_sees_what_scipy_sees(
    images: Tensor, others: Tensor
) -> None:
    term = Structure()
    dark = images * 0.5
    assert term(dark + 0.4, term.prepare(dark, None)).max() < 1e-5
    gray = [luminance(batch)[0, 0].numpy() for batch in (images, others)]
    edges = [np.stack([ndimage.sobel(g, axis) / 8 for axis in (1, 0)]) for g in gray]
    expected = np.abs(edges[0] - edges[1]).mean()
    only_edges = {"sobel1": term.prepare(images, None)["sobel1"]}
    measured = (term.prepare(others, None)["sobel1"] - only_edges["sobel1"])[0].abs().mean()
    assert measured.item() == pytest.approx(expected, rel=1e-5)


def test_chroma_is_scikit_images_lab_and_ignores_lightness(images: Tensor, others: Tensor) -> None:
    term = Chroma()
    halves = [nn.functional.avg_pool2d(batch, 2)[0].permute(1, 2, 0) for batch in (images, others)]
    lab = [color.rgb2lab(half.double().numpy())[..., 1:] for half in halves]
    expected = np.abs(lab[0] - lab[1]).mean() / 128
    value = term(others, term.prepare(images, None))[0]
    assert value.item() == pytest.approx(expected, rel=1e-3)
    gray = torch.linspace(0, 1, 3).view(3, 1, 1, 1).expand(3, 3, 8, 8)
    assert term(gray, term.prepare(gray.flip(0), None)).max() < 1e-3


def test_pyramid_distance_is_pyiqas(images: Tensor) -> None:
    nlpd_arch = pytest.importorskip("pyiqa.archs.nlpd_arch")
    size = (64, 96)
    gray = torch.rand(2, 2, 1, *size, generator=torch.Generator().manual_seed(4))
    oracle = nlpd_arch.NLPD(channels=1)
    expected = [
        torch.sqrt((a - b).square().mean((1, 2, 3)))
        for a, b in zip(oracle.pyramid(gray[0]), oracle.pyramid(gray[1]), strict=True)
    ]
    term = PyramidDistance()
    first, second = (batch.expand(-1, 3, -1, -1) for batch in gray)
    value = term(first, term.prepare(second, None))
    torch.testing.assert_close(value, torch.stack(expected).mean(0), rtol=1e-4, atol=1e-5)
    assert torch.equal(pyramid_distance(first, second), value)


def test_identity_looks_at_the_aligned_face_and_at_the_centre_elsewhere(
    embedder: nn.Module, images: Tensor, others: Tensor, landmarks: Tensor
) -> None:
    term = Identity(embedder)
    value = term(others, term.prepare(images, landmarks))
    faces = [align(batch[:2], landmarks[:2], 16, zoom=0.9) for batch in (images, others)]
    # the central 40 x 40 square of a 40 x 48 image
    squares = [
        nn.functional.interpolate(batch[2:, :, :, 4:44], 16, mode="bilinear", align_corners=False)
        for batch in (images, others)
    ]
    for crops, part in ((faces, value[:2]), (squares, value[2:])):
        cosine = (embedder(crops[0]) * embedder(crops[1])).sum(1)
        torch.testing.assert_close(part, 1 - cosine, rtol=1e-4, atol=1e-5)


def test_identity_without_any_landmarks_uses_the_centre(
    embedder: nn.Module, images: Tensor, landmarks: Tensor
) -> None:
    term = Identity(embedder)
    nowhere = torch.full_like(landmarks, torch.nan)
    with_nan, without = term.prepare(images, nowhere), term.prepare(images, None)
    torch.testing.assert_close(with_nan["embedding"], without["embedding"])


def test_identity_never_lets_its_embedder_train(embedder: nn.Module, images: Tensor) -> None:
    term = Identity(embedder).train()
    assert not any(module.training for module in term.modules())
    features = term.prepare(images, None)
    assert not features["embedding"].requires_grad
    outputs = images.clone().requires_grad_()
    term(outputs, features).sum().backward()
    assert all(parameter.grad is None for parameter in term.parameters())


def test_recognition_is_the_sum_of_the_layers_mean_differences(
    instruments: Instruments, images: Tensor, others: Tensor
) -> None:
    term = Recognition.build(instruments).train()
    assert not any(module.training for module in term.modules())
    layers = [[layer.numpy() for layer in term.reader(batch)] for batch in (images, others)]
    expected = sum(np.abs(a - b).mean((1, 2, 3)) for a, b in zip(*layers, strict=True))
    features = term.prepare(images, None)
    assert not any(feature.requires_grad for feature in features.values())
    np.testing.assert_allclose(term(others, features).numpy(), expected, rtol=1e-5)


class PlainDistance(nn.Module):
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return (first - second).abs().mean((1, 2, 3), keepdim=True)


def test_lpips_asks_for_its_trunk_and_feeds_it_plus_minus_one(
    images: Tensor, others: Tensor
) -> None:
    asked = []

    def provide(trunk: str) -> nn.Module:
        asked.append(trunk)
        return PlainDistance()

    term = LpipsSqueeze.build(Instruments(nn.Identity, provide, nn.Identity))
    value = term(others, term.prepare(images, None))
    assert asked == ["squeeze"]
    torch.testing.assert_close(value, 2 * (images - others).abs().mean((1, 2, 3)))


def test_lpips_without_its_trunk_says_how_to_get_it() -> None:
    def absent(trunk: str) -> nn.Module:
        raise WeightsError(f"no {trunk}", mend="fetch it")

    with pytest.raises(WeightsError, match="no squeeze"):
        LpipsSqueeze.build(Instruments(nn.Identity, absent, nn.Identity))


def test_stack_puts_every_term_in_the_column_of_its_family(
    instruments: Instruments, images: Tensor, others: Tensor, landmarks: Tensor
) -> None:
    present = [name for name in NAMES if name != "chroma"]
    stack = build_stack(present, instruments)
    table = stack(others, stack.prepare(images, landmarks))
    assert table.shape == (3, len(FAMILIES))
    assert stack.available == tuple(family != "col" for family in FAMILIES)
    assert (table[:, FAMILIES.index("col")] == 0).all()
    for name in present:
        term = LOSSES.get(name).build(instruments)
        column = table[:, FAMILIES.index(term.family)]
        torch.testing.assert_close(column, term(others, term.prepare(images, landmarks)))


def test_stack_refuses_two_terms_of_a_family_and_none_of_fidelity() -> None:
    with pytest.raises(SpecError, match="share an objective family"):
        LossStack([Charbonnier(), Charbonnier()])
    with pytest.raises(SpecError, match="no fidelity term"):
        LossStack([Chroma()])


def test_a_wrong_name_gets_a_suggestion(instruments: Instruments) -> None:
    with pytest.raises(UnknownNameError, match="charbonnier"):
        build_stack(["charbonier"], instruments)


@pytest.mark.parametrize("name", LOSSES.names())
def test_registered_family_is_the_terms_own(name: str) -> None:
    entry = LOSSES.entry(name)
    assert entry.meta["family"] == LOSSES.get(name).family
