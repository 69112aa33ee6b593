"""The published enhancers' weight files, in the order of the papers.

Repositories call them all ``Epoch99.pth`` or ``best.pt``; in the store each has a name of its own.
Addresses name a commit, so that they cannot come to mean another file. Where a repository states
no licence, nobody has been given the right to pass the file on: compare with it, and do no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from benchmark.weights.base import WeightFile

NONE_STATED = "LicenseRef-none-stated"
_RAW = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class _Repository:
    """A public repository at one commit, and files in it: our name, path, SHA-256, bytes.

    ``enhancer`` is what the files are for, where it is not what each is called; ``loss`` is the
    loss term that they are for, where it is no enhancer.
    """

    name: str
    commit: str
    licence: str
    files: tuple[tuple[str, str, str, int], ...]
    enhancer: str = ""
    loss: str = ""

    def weight_files(self) -> Iterator[WeightFile]:
        """Catalogue entries."""
        for name, path, sha256, size in self.files:
            yield WeightFile(
                name=name,
                file=name + PurePosixPath(path).suffix,
                sha256=(sha256,),
                size=size,
                licence=self.licence,
                used_for=f"the loss {self.loss}"
                if self.loss
                else f"the enhancer {self.enhancer or name}",
                url=f"{_RAW}/{self.name}/{self.commit}/{quote(path)}",
                note=f"{path} in {self.name}",
            )


_REPOSITORIES = (
    _Repository(
        "Li-Chongyi/Zero-DCE",
        "43f9da935d55758d93b54a47ce5872c96b342668",
        "CC-BY-NC-4.0",
        (
            (
                "zero-dce",
                "Zero-DCE_code/snapshots/Epoch99.pth",
                "a4395acb874f320375d9704997cef874eaaaaa26a1777ceb29a92b70f74c3612",
                320_017,
            ),
        ),
    ),
    _Repository(
        "zheng980629/SDAG",
        "2bcab9d4699989b930b35dfcb29e6543661e9249",
        NONE_STATED,
        (
            (
                "zero-dce-sdag",
                "pretrained_model/ZeroDCE_SDAG.pth",
                "fe472f2e12afa9d05851f767c5a093514e59ce33b8854f063e3f690bca1fd32c",
                322_669,
            ),
        ),
    ),
    _Repository(
        "zheng980629/SDAG",
        "46816c8b3390d134e1cae2a94fdea8b39f975c1d",
        NONE_STATED,
        (
            (
                "sdag-reconstruction",
                "pretrained_model/SemanticAwareRecon.pth",
                "ba16ddefb4d25f964401eeab246f7427019f856e1af1d53b28c2484123133366",
                1_777_515,
            ),
        ),
        loss="sdag",
    ),
    _Repository(
        "Li-Chongyi/Zero-DCE_extension",
        "99ab5265054f685c874da58033ece00579514425",
        "CC-BY-NC-4.0",
        (
            (
                "zero-dce-pp",
                "Zero-DCE++/snapshots_Zero_DCE++/Epoch99.pth",
                "ca8855b90df9a80fa4195a831f33d3476b1964f787eb70602797c773067f3b84",
                52_395,
            ),
        ),
    ),
    _Repository(
        "ShenZheng2000/Semantic-Guided-Low-Light-Image-Enhancement",
        "6e1c840885a06f6937754e31cd31df6693e51099",
        "MIT",
        (
            (
                "sgz",
                "weight/Epoch99.pth",
                "54d87f6f3a2b5ee495abec7e714afcdf60eaa8d15370dd500792cd4f45f442f1",
                52_303,
            ),
        ),
    ),
    _Repository(
        "vis-opt-group/SCI",
        "9d28a3f1237df248bb765e7fee16f7c4ac7dbeee",
        "MIT",
        (
            (
                "sci-easy",
                "weights/easy.pt",
                "b17326a26a93bf187ecbab217f9d3c57467a8b56020d4d9ff600ba257bbffb36",
                43_967,
            ),
            (
                "sci-medium",
                "weights/medium.pt",
                "4ff1e7e66e8f18114f790e5085ca4c936f0858e329e7ad1cb65b8aa09a9c6916",
                43_967,
            ),
            (
                "sci-difficult",
                "weights/difficult.pt",
                "657fa1f280cae1035df0d5cbe628e91f2d0f28660df608a3fa3f7e9a71da5a13",
                43_967,
            ),
        ),
    ),
    _Repository(
        "KarelZhang/RUAS",
        "82cb37b368a4346be649268130f10dcbc7addc0e",
        NONE_STATED,
        (
            (
                "ruas-lol",
                "ckpt/lol.pt",
                "f45a881a9b836fff4a3172481f28c9eb4d91bc4df54ec064092f39ce40abcdcd",
                31_374,
            ),
            (
                "ruas-upe",
                "ckpt/upe.pt",
                "2252d3d909e346b547232c7015f034685aac75181171c6caf90ee12d87ca36c1",
                31_374,
            ),
            (
                "ruas-dark",
                "ckpt/dark.pt",
                "59083ec4dd4a2b7926c182a4add1519b9646a3aca6c39cfdb7d496fe885828e4",
                31_374,
            ),
        ),
    ),
    _Repository(
        "cuiziteng/Illumination-Adaptive-Transformer",
        "a559fda777fc83a6cd62af873410be03cfc0fa37",
        "Apache-2.0",
        (
            (
                "iat-lol-v1",
                "IAT_enhance/best_Epoch_lol_v1.pth",
                "6fb32236152283d3f3633ea1b79601c7e819efbf9d87d6b4767e1db0f1f3435b",
                427_160,
            ),
        ),
    ),
    _Repository(
        "cuiziteng/Illumination-Adaptive-Transformer",
        "21124d64c5976e2395ca01eab86dae077a1847b7",
        "Apache-2.0",
        (
            (
                "iat-lol-v2",
                "IAT_enhance/best_Epoch_lol.pth",
                "9564b7e10882e688ac817ae6fd164544d05b9f74232de56c33ed7f9dabf7bdc4",
                427_160,
            ),
            (
                "iat-exposure",
                "IAT_enhance/best_Epoch_exposure.pth",
                "15a9494582f028bef996d4af7145860eaa5d67799d2b0625ed93ff8c546ea3ee",
                427_160,
            ),
        ),
    ),
    _Repository(
        "aasharma90/RetinexNet_PyTorch",
        "d03dabc249166db4896c54aa2ea906f862959a8e",
        NONE_STATED,
        (
            (
                "retinexnet-decomposition",
                "ckpts/Decom/9200.tar",
                "40c090e3bb884e697f6b396fe7fddade67172b30b428daa316c68a0b9247d4b5",
                833_535,
            ),
            (
                "retinexnet-relighting",
                "ckpts/Relight/9200.tar",
                "513ae3a0bf503b9a6ecce1a46112135aefcfeb393cf61531e18cc3356701efde",
                1_392_856,
            ),
        ),
        enhancer="retinexnet",
    ),
    _Repository(
        "flyywh/CVPR-2020-Semi-Low-Light",
        "ab00bece3d98b77aad60317eed233b554e3e0f33",
        NONE_STATED,
        (
            (
                "drbn",
                "DRBL-stage2/src/pretrained/model_s1.pt",
                "6a61baf2d17a92468ada5e9d45049aee6f58dc52067174dca311f6042e1765a6",
                2_310_698,
            ),
        ),
    ),
)

ENHANCER_FILES: tuple[WeightFile, ...] = tuple(
    file for repository in _REPOSITORIES for file in repository.weight_files()
)
