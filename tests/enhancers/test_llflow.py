"""LLFlow: invertible, its determinant that of its Jacobian, its likelihood by another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers.published.llflow import LlFlow, encoder
from benchmark.enhancers.published.llflow.network import Flow
from benchmark.enhancers.published.llflow.steps import ActNorm, Coupling, FlowStep, Mixing


def shaken(network: nn.Module, *, spread: float = 0.1) -> nn.Module:
    """In double precision, no parameter at the value that it starts from."""
    generator = torch.Generator().manual_seed(7)
    network = network.double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(spread * noise)
    return network


def values(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def conditions(flow: Flow, batch: int, height: int, width: int) -> tuple[Tensor, ...]:
    """Features at the size of every level."""
    levels = max(flow.level_of) + 1
    return tuple(
        values(batch, 2, height >> (level + 1), width >> (level + 1), seed=level + 5)
        for level in range(levels)
    )


@pytest.fixture(autouse=True)
def _one_seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("levels", "side"), [(1, 2), (2, 4)])
def test_the_determinant_is_that_of_the_jacobian(levels: int, side: int) -> None:
    flow = shaken(Flow(2, 1, hidden=4, levels=levels))
    told = conditions(flow, 1, side, side)
    picture = values(1, 3, side, side)

    def latent(pixels: Tensor) -> Tensor:
        result: Tensor = flow(pixels.view(1, 3, side, side), told)[0].flatten()
        return result

    jacobian = torch.autograd.functional.jacobian(latent, picture.flatten())
    expected = torch.linalg.slogdet(jacobian)[1]
    torch.testing.assert_close(flow(picture, told)[1][0], expected)
    assert abs(float(expected)) > 0.1


def test_the_flow_is_invertible_both_ways_at_any_batch() -> None:
    flow = shaken(Flow(2, 2, hidden=4), spread=0.03)
    told, picture = conditions(flow, 3, 16, 8), values(3, 3, 16, 8)
    latent, logarithm = flow(picture, told)
    assert latent.shape == (3, 192, 2, 1)
    torch.testing.assert_close(flow.inverse(latent, told), picture, rtol=1e-8, atol=1e-9)
    drawn = torch.randn(latent.shape, dtype=torch.float64)
    torch.testing.assert_close(flow(flow.inverse(drawn, told), told)[0], drawn, rtol=1e-6, atol=0)
    # every sample has its own determinant, and nobody else's condition
    assert len(set(logarithm.tolist())) == 3
    alone = flow(picture[1:2], tuple(level[1:2] for level in told))
    torch.testing.assert_close(alone[1], logarithm[1:2])


def test_a_step_without_a_condition_ignores_it() -> None:
    step = shaken(FlowStep(4))
    picture = values(1, 4, 3, 3)
    one, other = (step(picture, values(1, 2, 3, 3, seed=seed)) for seed in (1, 2))
    assert torch.equal(one[0], other[0])
    step = shaken(FlowStep(4, condition=2, hidden=4))
    one, other = (step(picture, values(1, 2, 3, 3, seed=seed)) for seed in (1, 2))
    assert not torch.allclose(one[0], other[0])


def test_a_coupling_leaves_half_to_the_condition_alone() -> None:
    coupling = shaken(Coupling(4, 2, 4))
    picture, told = values(1, 4, 3, 3), values(1, 2, 3, 3, seed=2)
    changed = picture.clone()
    changed[:, 3] += 0.1
    one, other = coupling(picture, told), coupling(changed, told)
    assert torch.equal(one[0][:, :3], other[0][:, :3])
    assert torch.equal(one[1], other[1])


def test_the_first_batch_of_a_training_sets_the_normalisation() -> None:
    images = values(4, 3, 8, 8).float() * 5 + 2
    norm = ActNorm(3)
    assert torch.equal(norm.eval()(images), images)
    norm.train()
    result = norm(images)
    torch.testing.assert_close(result.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    spread = result.std((0, 2, 3), correction=0)
    torch.testing.assert_close(spread, torch.ones(3), rtol=1e-4, atol=0)
    again = norm(images * 3)
    torch.testing.assert_close(again, (images * 3 + norm.bias) * norm.logs.exp())
    loaded = ActNorm(3)
    loaded.load_state_dict(norm.state_dict())
    loaded.train()(images * 9)
    assert torch.equal(loaded.bias, norm.bias)


def test_mixing_starts_without_changing_volumes() -> None:
    mixing = Mixing(12)
    picture = values(2, 12, 3, 4).float()
    mixed, logarithm = mixing(picture)
    torch.testing.assert_close(logarithm, torch.zeros(2), rtol=0, atol=1e-5)
    torch.testing.assert_close(mixed.square().sum(), picture.square().sum())


# --- the whole network ---------------------------------------------------------------------------


@pytest.fixture
def network() -> LlFlow:
    built = shaken(LlFlow(8, 1, 1, (0,), hidden=4), spread=0.05)
    assert isinstance(built, LlFlow)
    return built


def test_bits_are_those_of_a_normal_distribution_of_the_latent(network: LlFlow) -> None:
    dark, bright = values(2, 3, 16, 24) * 0.2, values(2, 3, 16, 24, seed=2)
    told = torch.tensor([True, False])
    condition = network.RRDB(dark)
    latent, logarithm = network.flowUpsamplerNet(bright, condition.levels)
    colours = condition.colours.clone()
    colours[0] = bright[0] / (bright[0].sum(0) + 1e-4)
    mean = functional.pixel_unshuffle(colours, 8)
    density = torch.distributions.Normal(mean, 1.0).log_prob(latent).sum((1, 2, 3))
    expected = -(density + logarithm) / (16 * 24 * math.log(2))
    torch.testing.assert_close(network.bits(dark, bright, told), expected)
    # sides that 8 does not divide are continued, and counted
    odd = network.bits(dark[..., :13, :19], bright[..., :13, :19], told)
    assert odd.isfinite().all()


def test_the_most_likely_picture_is_more_likely_than_its_neighbours(network: LlFlow) -> None:
    """Of all latents the mean is the likeliest; the picture is what the flow makes of it."""
    dark = values(1, 3, 16, 16) * 0.2
    condition = network.RRDB(dark)
    mean = functional.pixel_unshuffle(condition.colours, 8)
    picture = network.flowUpsamplerNet.inverse(mean, condition.levels)
    latent = network.flowUpsamplerNet(picture, condition.levels)[0]
    torch.testing.assert_close(latent, mean, rtol=0, atol=1e-7)


def test_the_reference_is_no_argument_of_the_network(network: LlFlow) -> None:
    """The authors' test scales each output to its reference's mean; ours cannot."""
    dark = values(1, 3, 16, 16) * 0.2
    assert torch.equal(network(dark), network(dark))
    with pytest.raises(TypeError):
        network(dark, values(1, 3, 16, 16, seed=2))


def test_the_condition_sees_colours_and_their_noise() -> None:
    dark = values(1, 3, 9, 7) * 0.3
    described = encoder.described(dark)[0].numpy()
    assert described.shape == (12, 9, 7)
    np.testing.assert_allclose(described[:3], np.log(dark[0].numpy() + 1e-3))
    shown = dark[0].numpy() + 1e-3
    colours = shown / (shown.sum(0) + 1e-4)
    np.testing.assert_allclose(described[6:9], colours)
    padded = np.pad(colours, ((0, 0), (1, 1), (1, 1)))
    down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
    across = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    np.testing.assert_allclose(described[9:], np.maximum(abs(down), abs(across)), atol=1e-12)
    # light that is all one brighter changes no colour
    brighter = encoder.colour_map(torch.from_numpy(shown * 3)[None])[0]
    np.testing.assert_allclose(brighter, colours, atol=1e-3)


def test_the_condition_holds_what_the_next_convolution_sees(network: LlFlow) -> None:
    """The release activates the quarter-size features in place, after putting them by."""
    levels = network.RRDB(values(1, 3, 16, 16) * 0.2).levels
    halved = functional.avg_pool2d(levels[1][:, :8], 2)
    torch.testing.assert_close(network.RRDB.downconv2(halved), levels[2][:, :8])
