"""Knowledge banks: the suite's own, HRNet's architecture, and segmenters of other people."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmark.assets import asset_names, load_record
from benchmark.assets.fitting import initialised
from benchmark.errors import UnknownNameError, WeightsError
from benchmark.judges import hrnet
from benchmark.judges.hrnet import HighResolutionNet, read_hrnet
from benchmark.judges.outside_segmenters import (
    TorchvisionBank,
    TransformersBank,
    load_transformers,
)
from benchmark.judges.semantics import (
    ASSET,
    CLASSES,
    KnowledgeBank,
    SceneBank,
    SceneNet,
    load_bank,
)
from benchmark.judges.semantics_training import SceneSettings, fit_scenes, scene_card, scenes
from benchmark.progress import Reporter


def conforms(bank: KnowledgeBank, side: int = 128) -> None:
    """What every bank must do; strides of about 16, 8 and 4, frozen, alone and in a batch."""
    images = torch.rand(2, 3, side, side + 32, generator=torch.Generator().manual_seed(0))
    found = bank.train()(images)
    assert found.logits.shape == (2, len(bank.classes), side, side + 32)
    assert tuple(f.shape[1] for f in found.features) == bank.widths
    assert all(f.shape[0] == 2 for f in found.features)
    for features, stride in zip(found.features[1:], (8, 4), strict=True):
        assert features.shape[2] == side // stride
    assert not found.logits.requires_grad
    assert not any(module.training for module in bank.modules())
    assert not any(p.requires_grad for p in bank.parameters())
    alone = bank(images[:1])
    torch.testing.assert_close(alone.logits, found.logits[:1], rtol=1e-3, atol=1e-4)
    for one, other in zip(alone.features, found.features, strict=True):
        torch.testing.assert_close(one, other[:1], rtol=1e-3, atol=1e-4)
    assert len(bytes.fromhex(bank.digest)) == 32


def test_the_suite_s_own_bank_conforms_and_ignores_exposure() -> None:
    bank = SceneBank(initialised(SceneNet, 1), "ab" * 32)
    conforms(bank)
    images = torch.rand(1, 3, 33, 47, generator=torch.Generator().manual_seed(0))
    bright, dim = bank(images), bank(images * 0.3)
    torch.testing.assert_close(bright.logits, dim.logits, rtol=1e-2, atol=1e-3)
    assert bright.logits.shape[-2:] == (33, 47)


def test_the_committed_bank_finds_what_its_card_says() -> None:
    bank = load_bank()
    assert isinstance(bank, SceneBank)
    assert ASSET in asset_names()
    assert load_record(ASSET).parameters == sum(p.numel() for p in bank.parameters())
    unseen = scenes(12, size=96, split="validation", seed=3, reporter=Reporter())
    iou = {
        (r["kind"], r["class"]): r["iou"]
        for r in scene_card(bank.network, unseen, seed=3)
        if r["condition"] == "clean" and not r["group"]
    }
    assert iou["face", "skin"] > 0.5
    assert iou["medical", "retina"] > 0.7
    assert iou["lowlight", "sign"] > 0.4
    assert iou["generic", "background"] > 0.6
    groups = {r["group"] for r in load_record(ASSET).card["segmentation"]}
    assert {"light", "medium", "dark"} <= groups


def test_labels_are_where_the_probes_put_things() -> None:
    made = scenes(4, size=64, split="train", seed=0, reporter=Reporter())
    assert {name: len(part.labels) for name, part in made.items()} == dict.fromkeys(made, 4)
    assert (made["generic"].labels == 0).all()
    sign = made["lowlight"].labels == CLASSES.index("sign")
    assert 0.02 < sign.mean() < 0.7
    eye = made["medical"]
    vessels, valid = eye.views.masks["vessels"], eye.views.masks["valid"]
    lesions = eye.views.masks["microaneurysms"] | eye.views.masks["exudates"]
    assert (eye.labels[vessels & ~lesions] == CLASSES.index("vessels")).all()
    assert (eye.labels[~valid & ~vessels & ~lesions] == 0).all()


def test_training_is_reproducible() -> None:
    made = scenes(4, size=32, split="train", seed=0, reporter=Reporter())
    settings = SceneSettings(steps=2, batch=4)
    one, same = (fit_scenes(made, settings).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], same[name]) for name in one)


def test_hrnet_has_the_published_size_and_depth() -> None:
    with torch.device("meta"):
        network = HighResolutionNet(19)
    # as the authors' log prints it for Cityscapes
    assert sum(p.numel() for p in network.parameters()) == 65_859_379
    kinds = [type(module).__name__ for module in network.modules()]
    assert kinds.count("Conv2d") == 307
    assert kinds.count("BatchNorm2d") == 306
    assert kinds.count("_Bottleneck") == 4
    assert kinds.count("_Basic") == 104
    assert kinds.count("_Exchange") == 8
    names = set(network.state_dict())
    assert {
        *("stage4.2.fuse_layers.3.0.2.0.weight", "transition3.3.0.0.weight"),
        *("layer1.0.downsample.1.bias", "last_layer.3.weight", "stage2.0.branches.1.3.bn2.bias"),
    } <= names


def test_hrnet_reads_files_of_the_authors_form_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hrnet, "_WIDTHS", (4, 6, 8, 10))
    monkeypatch.setattr(hrnet, "_STEM", 4)
    monkeypatch.setattr(hrnet.HrnetBank, "widths", (8, 6, 4))
    network = initialised(HighResolutionNet, 0)
    state = {f"model.{name}": value for name, value in network.state_dict().items()}
    path = tmp_path / "weights.pth"
    torch.save(state | {"loss.criterion.weight": torch.ones(59)}, path)
    bank = read_hrnet(path)
    conforms(bank, side=64)
    # the release feeds raw [0, 1]; we feed what HRNet was trained on
    images = torch.rand(1, 3, 64, 64)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    spread = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    expected, _ = network.eval()((images - mean) / spread)
    torch.testing.assert_close(bank(images).logits, expected)
    del state["model.stage2.0.branches.0.0.conv1.weight"]
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"stage2\.0\.branches\.0\.0\.conv1\.weight"):
        read_hrnet(path)


def test_absent_weights_and_unknown_names_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="weights add"):
        load_bank("hrnet-w48-pascal")
    with pytest.raises(WeightsError, match="not on this machine"):
        load_bank("torchvision:lraspp_mobilenet_v3_large")
    with pytest.raises(UnknownNameError, match="known: deeplabv3_resnet50"):
        load_bank("torchvision:nonesuch")
    with pytest.raises(UnknownNameError, match="torchvision:NAME"):
        load_bank("keras:unet")
    with pytest.raises(UnknownNameError, match="did you mean"):
        load_bank("probe-scene")
    with pytest.raises(WeightsError, match="nothing is downloaded"):
        load_bank(f"transformers:{tmp_path / 'nowhere'}")


@pytest.mark.parametrize(
    ("name", "layers", "widths"),
    [
        ("lraspp_mobilenet_v3_large", ("16", "6", "3"), (960, 40, 24)),
        pytest.param(
            "deeplabv3_resnet50",
            ("layer4", "layer2", "layer1"),
            (2048, 512, 256),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_torchvision_segmenters_conform(
    name: str, layers: tuple[str, str, str], widths: tuple[int, int, int]
) -> None:
    segmentation = pytest.importorskip("torchvision.models.segmentation")

    def build() -> nn.Module:
        network: nn.Module = getattr(segmentation, name)(weights=None, weights_backbone=None)
        return network

    classes = tuple(map(str, range(21)))
    bank = TorchvisionBank(
        initialised(build, 0), layers=layers, widths=widths, classes=classes, digest="ab" * 32
    )
    conforms(bank)


def test_transformers_segmenters_conform_and_are_read_from_a_folder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.SegformerConfig(
        num_encoder_blocks=4,
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 12, 16, 20],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        num_labels=3,
    )
    network = initialised(lambda: transformers.SegformerForSemanticSegmentation(config), 0)
    bank = TransformersBank(network.eval(), classes=("a", "b", "c"))
    assert bank.widths == (16, 12, 8)
    conforms(bank)
    network.save_pretrained(tmp_path)
    again = load_transformers(str(tmp_path))
    assert again.digest == bank.digest
    assert len(again.classes) == 3
