"""Published networks that a person brings the weights of: counts, sizes, strict loading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers import ENHANCERS
from benchmark.enhancers.contamination import SEEN
from benchmark.enhancers.hosts import HOSTS
from benchmark.enhancers.published import LINKED, Published, hwmnet, kind, snr
from benchmark.enhancers.published.borders import mirrored
from benchmark.enhancers.published.enhancer import Network, PublishedEnhancer, fill
from benchmark.enhancers.published.enlightengan import EnlightenGan
from benchmark.enhancers.published.hwmnet import HwmNet
from benchmark.enhancers.published.kind import Kind, KindPlusPlus
from benchmark.enhancers.published.llflow import LlFlow
from benchmark.enhancers.published.mirnet import Blur, MirNet
from benchmark.enhancers.published.snr import SnrNet
from benchmark.enhancers.published.tensorflow import convert, state_of
from benchmark.errors import WeightsError
from benchmark.weights import WEIGHTS, WeightStore

BY_NAME = {system.name: system for system in LINKED}
EVERY = pytest.mark.parametrize("system", [pytest.param(s, id=s.name) for s in LINKED])

#: Numbers that were counted in the authors' code (KinD: to four digits).
COUNTED = {
    "kind:Kind": 8.016e6,
    "enlightengan:EnlightenGan": 8_636_675,
    "mirnet:MirNet": 31_787_419,
    "hwmnet:HwmNet": 66_564_649,
    "snr:SnrNet": 39_124_099,
    "llflow:small": 5.43e6,
    "llflow:large": 38.86e6,
}

#: The same layers, few channels.
REDUCED: Mapping[str, Callable[[], Network]] = {
    "kind": lambda: Kind(4),
    "kind-pp": lambda: KindPlusPlus(4),
    "enlightengan": lambda: EnlightenGan(4),
    "mirnet": lambda: MirNet(8, groups=1, blocks=1),
    "hwmnet": lambda: HwmNet(8),
    "snr": lambda: SnrNet(4, inner=16, layers=2),
    "llflow": lambda: LlFlow(8, 2, 1, (1,), hidden=8),
}
EACH = pytest.mark.parametrize("name", list(REDUCED))


def images(count: int, height: int, width: int, *, seed: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 0.4


def reduced(name: str) -> Network:
    """Random weights, none of them at the zero or one it starts from."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = REDUCED[name]()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
    return network.eval()


# --- the catalogue -------------------------------------------------------------------------------


@EVERY
def test_the_registry_says_all_there_is_to_know(system: Published) -> None:
    entry = ENHANCERS.entry(system.name)
    assert entry.meta["kind"] == "published"
    assert entry.meta["parameters"] == system.parameters
    assert all(entry.meta[key] for key in ("citation", "source", "licence", "weights", "seen"))
    assert SEEN[system.name]
    weight = WEIGHTS.get(system.name)
    assert weight.licence == system.licence
    assert system.source in weight.note


@EVERY
def test_without_its_weights_a_system_says_which_file_where_and_how(
    system: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=f"weights add {system.name} FILE") as caught:
        ENHANCERS.get(system.name)()
    weight = WEIGHTS.get(system.name)
    assert weight.note in str(caught.value)
    assert str(tmp_path / weight.file) in str(caught.value)


def test_what_the_reference_would_give_away_is_said() -> None:
    for system in LINKED:
        blind = system.name.startswith(("llflow", "kind"))
        assert ("blind to the reference" in system.summary) is blind


@pytest.mark.parametrize("network", sorted({system.network for system in LINKED}))
def test_has_as_many_parameters_as_the_authors_code(network: str) -> None:
    system = next(s for s in LINKED if s.network == network)
    with torch.device("meta"):
        built = system.build()
    assert isinstance(built, Network)
    assert sum(parameter.numel() for parameter in built.parameters()) == system.parameters
    if network in COUNTED:
        assert system.parameters == pytest.approx(COUNTED[network], rel=1e-3)


def test_the_parts_of_kind_plus_plus_are_those_of_its_code() -> None:
    """By hand from the layers of the released program (model.py and msia_BN_3_M.py of KinD_plus).

    SKF's Table 1 prints 9.63 M, and the repository of SKF has no code of this host: what is counted
    is the program that loads the authors' weights, and the other 1.36 M stay unexplained.
    """
    pairs = [(3, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 8), (8, 4), (4, 2), (2, 1)]
    convolutions = [(a if a == 3 else 32 * a, 32 * b) for a, b in pairs] + [(32, 3)]
    stack = sum(9 * before * after + after for before, after in convolutions)
    attention = sum(35 * c * c + 13 * c + 9 for c in (64, 256, 256, 64))
    with torch.device("meta"):
        restoration = KindPlusPlus().Denoise_Net
    assert sum(p.numel() for p in restoration.parameters()) == stack + attention == 8_019_239
    assert BY_NAME["kind-pp"].parameters == 8_019_239 + 235_876 + 19_393


# --- forward -------------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (13, 2), (37, 50), (48, 32)])
def test_any_size_keeps_its_shape(name: str, size: tuple[int, int]) -> None:
    output = PublishedEnhancer(reduced(name)).enhance(images(2, *size))
    assert output.shape == (2, 3, *size)
    assert output.dtype == torch.float32
    assert output.isfinite().all()


@EACH
def test_does_not_depend_on_the_batch_and_leaves_its_argument_alone(name: str) -> None:
    enhancer = PublishedEnhancer(reduced(name))
    batch = images(3, 33, 46)
    before = batch.clone()
    together = enhancer.enhance(batch)
    alone = torch.cat([enhancer.enhance(image[None]) for image in batch])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    assert torch.equal(batch, before)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


@pytest.mark.parametrize("name", ["enlightengan", "snr-lol-v1", "llflow-s"])
def test_the_published_width_runs(name: str) -> None:
    system = BY_NAME[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        enhancer = PublishedEnhancer(system.build())
    output = enhancer.enhance(images(1, 32, 48))
    assert output.shape == (1, 3, 32, 48)
    assert output.isfinite().all()


def test_continues_pictures_as_numpy_does() -> None:
    picture = images(1, 5, 4)
    for repeat, mode in ((False, "reflect"), (True, "symmetric")):
        ours = mirrored(picture, left=9, right=2, top=11, bottom=7, repeat_edge=repeat)
        expected = np.pad(picture.numpy(), ((0, 0), (0, 0), (11, 7), (9, 2)), mode=mode)
        np.testing.assert_array_equal(ours.numpy(), expected)


def test_wavelets_are_orthonormal_and_reverse() -> None:
    picture = images(2, 6, 8).double()
    bands = hwmnet.wavelets(picture)
    assert bands.square().sum() == pytest.approx(float(picture.square().sum()))
    torch.testing.assert_close(hwmnet.from_wavelets(bands), picture)
    torch.testing.assert_close(bands[:, :3], functional.avg_pool2d(picture, 2) * 2)


def test_halving_blurs_with_a_binomial() -> None:
    picture = images(1, 9, 7)
    ours = Blur(3)(picture)[0, 1].numpy()
    from scipy import ndimage

    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    expected = ndimage.correlate(picture[0, 1].numpy(), kernel, mode="mirror")[::2, ::2]
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_noise_is_what_a_box_takes_away() -> None:
    picture = images(2, 12, 9)
    from scipy import ndimage

    grey = np.tensordot(picture.numpy(), [0.299, 0.587, 0.114], axes=(1, 0))
    signal = ndimage.uniform_filter(grey, (0, 5, 5), mode="mirror")
    ratio = signal / (abs(grey - signal) + 1e-4)
    expected = (ratio / (ratio.max((1, 2), keepdims=True) + 1e-4)).clip(0, 1)
    np.testing.assert_allclose(snr.noise_map(picture)[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_patches_without_a_trusted_one_look_at_all_alike() -> None:
    layer = snr.Attention(8)
    tokens = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(3))
    seen = layer(tokens, torch.ones(1, 5, dtype=torch.bool)) - tokens
    torch.testing.assert_close(seen, seen[:, :1].expand_as(seen))
    one = layer(tokens, torch.tensor([[False, True, True, True, True]])) - tokens
    only = layer.fc(layer.w_vs(layer.layer_norm(tokens[:, :1])))
    torch.testing.assert_close(one, only.expand_as(one))


def test_the_residual_is_added_where_it_is_dark() -> None:
    network = reduced("enlightengan")
    nn.init.zeros_(network.get_parameter("conv10.weight"))
    network.get_parameter("conv10.bias").data.copy_(torch.tensor([0.5, 0.25, -0.5]))
    picture = images(1, 20, 20)
    luma = (picture * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    residual = torch.tensor([0.25, 0.125, -0.25])[:, None, None] * (1 - luma)
    torch.testing.assert_close(network(picture), picture + residual)


def test_kind_blurs_as_scikit_image_does() -> None:
    from skimage import color, filters

    picture = images(1, 30, 22)
    ours = kind._blurred(kind._grey(picture))[0, 0].numpy()
    grey = color.rgb2gray(picture[0].permute(1, 2, 0).numpy())
    np.testing.assert_allclose(ours, filters.gaussian(grey, 3), atol=1e-5)


# --- loading -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reduced(Published):
    """A system with few channels."""

    def build(self) -> nn.Module:
        return next(build() for name, build in REDUCED.items() if self.name.startswith(name))


SMALL = {
    name: _Reduced(**{**vars(BY_NAME[name])})
    for name in ("enlightengan", "mirnet-lol", "hwmnet-fivek", "snr-lol-v1", "llflow-s", "kind")
}


def stored(tmp_path: Path, name: str, content: object) -> WeightStore:
    """A store to which a person has added a file."""
    store = WeightStore(tmp_path / "store")
    source = tmp_path / "downloaded"
    if isinstance(content, bytes):
        source.write_bytes(content)
    elif WEIGHTS.get(name).file.endswith(".safetensors"):
        from safetensors.torch import save_file

        assert isinstance(content, dict)
        save_file({key: value.clone() for key, value in content.items()}, source)
    else:
        torch.save(content, source)
    store.add(name, source)
    return store


@pytest.mark.parametrize("name", list(SMALL))
def test_a_published_file_is_loaded_whole(name: str, tmp_path: Path) -> None:
    network = SMALL[name].build()
    state = dict(network.state_dict())
    if name != "kind":
        state = {"state_dict": {f"module.{key}": value for key, value in state.items()}}
    enhancer = SMALL[name](stored(tmp_path, name, state))
    batch = images(1, 20, 30)
    with torch.inference_mode():
        torch.testing.assert_close(enhancer.enhance(batch), network.eval()(batch))


@pytest.mark.parametrize("name", ["mirnet-lol", "llflow-s"])
def test_weights_of_another_architecture_are_refused_with_the_keys(
    name: str, tmp_path: Path
) -> None:
    state = SMALL["hwmnet-fivek"].build().state_dict()
    with pytest.raises(WeightsError, match="another architecture") as caught:
        SMALL[name](stored(tmp_path, name, state))
    assert "missing: " in str(caught.value)
    assert "left over: bottom_conv.bias" in str(caught.value)


def test_the_other_size_of_a_network_is_refused_with_both_shapes(tmp_path: Path) -> None:
    state = HwmNet(16).state_dict()
    with pytest.raises(WeightsError, match=r"another shape: .* instead of"):
        SMALL["hwmnet-fivek"](stored(tmp_path, "hwmnet-fivek", state))


def test_a_truncated_file_and_one_with_code_are_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    torch.save(SMALL["snr-lol-v1"].build().state_dict(), whole)
    with pytest.raises(WeightsError, match="cannot read weights"):
        SMALL["snr-lol-v1"](stored(tmp_path, "snr-lol-v1", whole.read_bytes()[:-999]))
    import pickle

    bomb = pickle.dumps(_Bomb(tmp_path / "touched"))
    with pytest.raises(WeightsError, match="could run its code"):
        SMALL["mirnet-lol"](stored(tmp_path, "mirnet-lol", bomb))
    assert not (tmp_path / "touched").exists()


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_files_that_do_not_count_batches_are_whole() -> None:
    state = reduced("enlightengan").state_dict()
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    assert len(old) < len(state)
    network = REDUCED["enlightengan"]()
    fill(network, old, where="old.pth")
    picture = images(1, 16, 16)
    torch.testing.assert_close(network.eval()(picture), reduced("enlightengan")(picture))


# --- from TensorFlow -----------------------------------------------------------------------------


def test_tensorflow_kernels_take_their_place_in_the_right_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    kernel, bias = rng.normal(size=(3, 3, 2, 4)), rng.normal(size=4)
    enlarging = rng.normal(size=(2, 2, 5, 4))
    archive = tmp_path / "a.npz"
    np.savez(
        archive, **{"N/conv/weights": kernel, "N/conv/biases": bias, "N/up/weights": enlarging}
    )
    out = tmp_path / "a.safetensors"
    convert([archive], out)
    from benchmark.weights import load_tensors

    state = load_tensors(out)
    assert set(state) == {"N.conv.weight", "N.conv.bias", "N.up.weight"}
    picture = rng.normal(size=(5, 6, 2))
    padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)))
    # what TensorFlow calls a convolution: at every place, sum over window and input channels
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    expected = np.einsum("hwcij,ijco->hwo", windows, kernel) + bias
    given = torch.from_numpy(picture).permute(2, 0, 1)[None]
    ours = functional.conv2d(given, state["N.conv.weight"], state["N.conv.bias"], padding=1)
    np.testing.assert_allclose(ours[0].permute(1, 2, 0), expected)
    # and transposed with stride 2: every pixel paints a block
    blocks = np.einsum("hwc,ijoc->hiwjo", expected, enlarging).reshape(10, 12, 5)
    larger = functional.conv_transpose2d(ours, state["N.up.weight"], stride=2)
    np.testing.assert_allclose(larger[0].permute(1, 2, 0), blocks)


def test_variables_of_kind_have_a_layer_each_and_others_are_refused() -> None:
    """The names that the released program gives: scopes by slashes, slim's and layers' leaves."""
    network = KindPlusPlus(4)
    variables = {}
    for key, value in network.state_dict().items():
        *path, leaf = key.split(".")
        if leaf == "num_batches_tracked":
            continue
        slim = {"weight": "weights", "bias": "biases"}
        norm = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean"}
        norm["running_var"] = "moving_variance"
        name = (norm if path[-1] == "batch_normalization" else slim)[leaf]
        array = value.permute(2, 3, 1, 0) if value.ndim == 4 else value
        variables["/".join([*path, name])] = array.numpy()
    assert "Denoise_Net/de_conv1pu4/conv_up_1/weights" in variables
    assert "Denoise_Net/de_conv2/conv/weights" in variables
    assert "I_enhance_Net/conv_4/biases" in variables
    other = KindPlusPlus(4)
    fill(other, state_of(variables), where="kind.npz")
    picture = images(1, 8, 8)
    torch.testing.assert_close(other.eval()(picture), network.eval()(picture))
    with pytest.raises(WeightsError, match="Adam_1"):
        state_of({"DecomNet/g_conv1_1/weights/Adam_1": np.zeros(1)})


def test_an_archive_with_code_or_without_arrays_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **{"a/weights": np.array([_Bomb(tmp_path / "touched")], dtype=object)})
    with pytest.raises(WeightsError, match="cannot read an archive"):
        convert([path], tmp_path / "out.safetensors")
    assert not (tmp_path / "touched").exists()
    path.write_bytes(b"no archive")
    with pytest.raises(WeightsError, match="cannot read an archive"):
        convert([path], tmp_path / "out.safetensors")


# --- as hosts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["kind", "kind-pp", "enlightengan", "snr", "llflow-s"])
def test_every_parameter_of_a_host_has_a_part_in_its_output(name: str) -> None:
    """Arms calibrate their terms on the gradient of all of them."""
    host = HOSTS.get(name)
    network = host.factory(0).eval()
    parameters = list(network.parameters())
    assert sum(parameter.numel() for parameter in parameters) == host.parameters
    torch.autograd.grad(network(images(1, 16, 16)).sum(), parameters)


def test_a_large_flow_is_trained_without_its_spare_layers() -> None:
    host = HOSTS.get("llflow-l")
    with torch.device("meta"):
        network = host.factory(0)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == host.parameters < BY_NAME["llflow-l"].parameters
