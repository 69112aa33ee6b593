"""Weight files that authors link from a page but keep behind no stable address.

A person downloads them and hands them over: ``python -m benchmark weights add NAME FILE``. Nobody
publishes their digests, so the first copy is remembered, and loading is strict in any case.
"""

from __future__ import annotations

from typing import NamedTuple

from benchmark.weights.base import WeightFile
from benchmark.weights.enhancers import NONE_STATED

_DRIVE = "linked from its README to Google Drive"
_CONVERTED = "TensorFlow checkpoints, to be converted first (docs/published-enhancers.md)"
_ACADEMIC = "LicenseRef-academic-noncommercial"
_SHARE_ALIKE = "CC-BY-NC-SA-4.0"


class Linked(NamedTuple):
    """A file: our name, repository, licence, what it is called there, and how it is had."""

    name: str
    repository: str
    licence: str
    file: str
    how: str = _DRIVE

    def weight(self) -> WeightFile:
        """Its catalogue entry."""
        return WeightFile(
            name=self.name,
            file=self.name + (".safetensors" if self.how == _CONVERTED else ".pth"),
            sha256=(),
            size=0,
            licence=self.licence,
            used_for=f"the enhancer {self.name}",
            note=f"{self.file} of {self.repository}, {self.how}",
        )


_SNR = "dvlab-research/SNR-Aware-Low-Light-Enhance"

LINKED = (
    Linked("kind", "zhangyhuaee/KinD", NONE_STATED, "checkpoint/*", _CONVERTED),
    Linked("kind-pp", "zhangyhuaee/KinD_plus", NONE_STATED, "checkpoint/*", _CONVERTED),
    Linked("enlightengan", "VITA-Group/EnlightenGAN", "BSD-2-Clause", "200_net_G_A.pth"),
    Linked("mirnet-lol", "swz30/MIRNet", _ACADEMIC, "model_lol.pth"),
    Linked("mirnet-fivek", "swz30/MIRNet", _ACADEMIC, "model_fivek.pth"),
    Linked("hwmnet-lol", "FanChiMao/HWMNet", "Apache-2.0", "the model trained on LOL"),
    Linked("hwmnet-fivek", "FanChiMao/HWMNet", "Apache-2.0", "the model trained on FiveK"),
    Linked("snr-lol-v1", _SNR, NONE_STATED, "LOLv1.pth"),
    Linked("snr-lol-v2-real", _SNR, NONE_STATED, "LOLv2_real.pth"),
    Linked("snr-lol-v2-synthetic", _SNR, NONE_STATED, "LOLv2_synthetic.pth"),
    Linked("llflow-s", "wyf0912/LLFlow", _SHARE_ALIKE, "LOL_smallNet.pth"),
    Linked("llflow-l", "wyf0912/LLFlow", _SHARE_ALIKE, "the model of LOL-pc.yml"),
    Linked("llflow-l-lol-v2", "wyf0912/LLFlow", _SHARE_ALIKE, "the model of LOLv2-pc.yml"),
)

LINKED_FILES: tuple[WeightFile, ...] = tuple(file.weight() for file in LINKED)
