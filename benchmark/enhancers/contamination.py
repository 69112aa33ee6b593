"""What a published system has seen of the data it may be measured on.

A result on data that a system was trained on, or on scenes that its training data share, is no
measure of how it does elsewhere. Nothing here is guessed: each line says where it is written, and
what nobody has written down is ``unknown``, which is not ``none``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from benchmark.spec.datasets import DATASETS, OTHER, shared
from benchmark.spec.submission import Learned

How = Literal["trained", "unpaired", "overlaps", "none", "unknown"]

_MEANING: Mapping[How, str] = {
    "trained": "trained on its pairs",
    "unpaired": "saw its images without references",
    "overlaps": "trained on data that share images or scenes with it",
    "none": "is said not to have seen it",
    "unknown": "nobody says whether it has seen it",
}

_LEARNED = frozenset({"trained", "unpaired"})


@dataclass(frozen=True)
class Seen:
    """What one system has seen of one dataset.

    Attributes:
        dataset: key, for example ``"lol-v1"``; the whole of it, not a split.
        how: see :data:`How`.
        evidence: who says so.
    """

    dataset: str
    how: How
    evidence: str

    def sentence(self) -> str:
        """For a footnote: what, and by whose word."""
        return f"{_MEANING[self.how]} ({self.evidence})"


@dataclass(frozen=True)
class Leak:
    """Training and test parts of one dataset that show the same scenes.

    Attributes:
        dataset: key.
        statement: to be shown wherever results on it are.
        short: the same in a row of a table.
        shared: test images mapped to training images of the same scene.
        clean: test images whose scene is in no training image.
    """

    dataset: str
    statement: str
    short: str
    shared: Mapping[str, tuple[str, ...]]
    clean: tuple[str, ...]


_SICE = Seen("sice", "unpaired", "paper: exposure sequences of SICE part 1, no references")
_SAME_IMAGES = Seen("sice", "unpaired", "README: the training images of Zero-DCE")
_NO_LOL = Seen("lol-v1", "none", "training data named in paper and repository hold no LOL")
_FIVEK = Seen("mit-adobe-5k", "trained", "README: the model trained on FiveK")
_LOL_PAIRS = Seen("lol-v1", "trained", "README: the model trained on LOL")
_SKF_LOL = Seen("lol-v1", "trained", "paper: its 485 training pairs")

#: Per system, everything that somebody says; what is not listed is unknown, unless it shares
#: pictures with what is (:func:`all_seen`).
SEEN: Mapping[str, tuple[Seen, ...]] = MappingProxyType(
    {
        "zero-dce": (_SICE, _NO_LOL),
        "zero-dce-sdag": (Seen("lol-v1", "unknown", "the repository names no training data"),),
        "zero-dce-pp": (_SICE, _NO_LOL),
        "sgz": (_SAME_IMAGES, _NO_LOL),
        "sci-easy": (
            Seen("mit-adobe-5k", "unpaired", "README: mainly MIT"),
            Seen("lol-v1", "unknown", "README says 'mainly'"),
        ),
        "sci-medium": (
            Seen("lol-v1", "unpaired", "README: mainly LOL and LSRW"),
            Seen("lsrw", "unpaired", "README: mainly LOL and LSRW"),
        ),
        "sci-difficult": (
            Seen("dark-face", "unpaired", "README: mainly DARK FACE"),
            Seen("lol-v1", "unknown", "README says 'mainly'"),
        ),
        "ruas-lol": (Seen("lol-v1", "unpaired", "README: LOL, low-light images only"),),
        "ruas-upe": (Seen("mit-adobe-5k", "unpaired", "README: trained from MIT5K"), _NO_LOL),
        "ruas-dark": (Seen("dark-face", "unpaired", "README: trained from DarkFace"), _NO_LOL),
        "iat-lol-v1": (
            Seen(
                "lol-v1",
                "trained",
                "README: its 485 training pairs; the best epoch was chosen on the 15 test pairs",
            ),
        ),
        "iat-lol-v2": (Seen("lol-v2", "trained", "README: LOL-v2-real"),),
        "iat-exposure": (Seen("msec", "trained", "README: the exposure dataset"), _NO_LOL),
        "retinexnet": (
            Seen("lol-v1", "trained", "README: train on LOL; it does not name this file's data"),
        ),
        "drbn": (Seen("lol-v2", "trained", "README: 'we use LOL-v2'"),),
        "llflow-s-skf": (_SKF_LOL,),
        "drbn-skf": (_SKF_LOL,),
        "kind": (Seen("lol-v1", "trained", "training code: our485 of LOL"),),
        "kind-pp": (
            Seen("lol-v1", "trained", "training code: our485 of LOL, and 260 synthetic pairs"),
        ),
        "enlightengan": (
            Seen("lol-v1", "unknown", "README: unpaired images 'collected from multiple datasets'"),
        ),
        "mirnet-lol": (_LOL_PAIRS,),
        "mirnet-fivek": (_FIVEK, _NO_LOL),
        "hwmnet-lol": (_LOL_PAIRS,),
        "hwmnet-fivek": (_FIVEK, _NO_LOL),
        "snr-lol-v1": (_LOL_PAIRS,),
        "snr-lol-v2-real": (Seen("lol-v2", "trained", "README: LOL-v2-real"),),
        "snr-lol-v2-synthetic": (
            Seen("lol-v2-synthetic", "trained", "README: LOL-v2-synthetic"),
            Seen("lol-v1", "unknown", "nobody says what LOL-v2-synthetic shares with it"),
        ),
        "llflow-s": (_LOL_PAIRS,),
        "llflow-l": (_LOL_PAIRS,),
        "llflow-l-lol-v2": (Seen("lol-v2", "trained", "training code: both parts of LOL v2"),),
    }
)

_SHARED = {
    "1": ("2",),
    "22": ("21", "24"),
    "23": ("24", "21"),
    "55": ("53", "54", "56"),
    "79": ("80", "81", "82"),
    "111": ("112", "113", "114"),
    "146": ("143", "144", "145"),
    "493": ("494",),
    "547": ("546",),
    "665": ("664",),
    "669": ("668",),
    "748": ("747",),
    "778": ("775", "776", "777"),
    "780": ("779",),
}

LEAKS: Mapping[str, Leak] = MappingProxyType(
    {
        "lol-v1": Leak(
            dataset="lol-v1",
            statement=(
                "14 of the 15 test scenes of LOL v1 are also among its 485 training references "
                "(399 distinct files); only 179 is not. The training reference of the same scene, "
                "chosen by looking at the test reference, scores 25.9 dB on average: much of the "
                "answer is in the training set."
            ),
            short="14 of its 15 test scenes are also in its training set",
            shared=MappingProxyType(_SHARED),
            clean=("179",),
        )
    }
)


def seen(system: str, dataset: str) -> Seen:
    """What ``system`` has seen of ``dataset``; ``unknown`` where nothing is recorded."""
    lines = SEEN.get(system, ())
    found = _line(dataset, [(line.dataset, line.how, line.evidence) for line in lines])
    return found or Seen(dataset, "unknown", "not recorded")


def all_seen(system: str) -> tuple[Seen, ...]:
    """What is known of ``system``: what is recorded, and what shares pictures with that."""
    named = [line.dataset for line in SEEN.get(system, ())]
    found = (seen(system, name) for name in dict.fromkeys([*named, *DATASETS]))
    return tuple(each for each in found if each.how != "unknown" or each.dataset in named)


def declared(lines: Sequence[Learned], dataset: str) -> Seen:
    """What a submission says that it has seen of ``dataset``; what it lists is all of it."""
    said = [(line.dataset, line.how, f"submission: {line.evidence}") for line in lines]
    found = _line(dataset, said)
    if found:
        return found
    if any(line.dataset == OTHER or line.how == "unknown" for line in lines):
        return Seen(dataset, "unknown", "the submission names data that have no name here")
    return Seen(dataset, "none", "the submission lists all its training data")


def _line(dataset: str, lines: Sequence[tuple[str, How, str]]) -> Seen | None:
    """What is said of ``dataset``, else of data that share pictures with it."""
    for name, how, evidence in lines:
        if name == dataset:
            return Seen(dataset, how, evidence)
    for name, how, evidence in lines:
        common = shared(name, dataset)
        if common and how in {*_LEARNED, "overlaps"}:
            return Seen(dataset, "overlaps", f"it learned from {name}, {evidence}; {common}")
    return None


def remark(found: Seen) -> str:
    """For the row of a system in a run on ``found.dataset``: what it has seen, and what leaks."""
    leak = LEAKS.get(found.dataset) if found.how != "none" else None
    return f"{found.dataset}: {found.sentence()}" + (f"; {leak.short}" if leak else "")


def trained_on(system: str) -> tuple[str, ...]:
    """Datasets that a system has learned from, with or without references."""
    return tuple(s.dataset for s in SEEN.get(system, ()) if s.how in _LEARNED)
