"""Names of datasets that networks learn from or are measured on, and which share pictures.

One vocabulary, so that "trained on" in a submission and "measured on" in a run can meet. A name
that is not here is a spelling mistake until somebody adds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: For data that have no name here; the evidence has to say what they are.
OTHER = "other"

_CODAN = "(Attila94/CODaN, README, dataset composition)"
_CODAN_DAY = "CODaN's pictures by day are COCO's and ImageNet's"

DATASETS: Mapping[str, str] = MappingProxyType(
    {
        "bdd100k": "BDD100K driving videos",
        "bfw": "Balanced Faces in the Wild",
        "celeba": "CelebA",
        "chasedb1": "CHASE_DB1 retinal vessels",
        "cifar10": "CIFAR-10",
        "cityscapes": "Cityscapes",
        "coco": "Microsoft COCO",
        "codan-day": "CODaN, day",
        "codan-night": "CODaN, night",
        "cxr": "chest radiographs of Hannover with lung masks",
        "dark-face": "DARK FACE",
        "div2k": "DIV2K",
        "drive": "DRIVE retinal vessels",
        "equilux-mixture": "the training mixture of this suite: its probes, other subjects",
        "exdark": "ExDark",
        "fairface": "FairFace",
        "ffhq": "FFHQ",
        "flickr2k": "Flickr2K",
        "gopro": "GoPro deblurring",
        "gtsrb": "German traffic signs (GTSRB)",
        "ham10000": "HAM10000 skin lesions",
        "imagenet": "ImageNet",
        "isic": "ISIC archive of skin lesions",
        "lol-v1": "LOL v1, all of it",
        "lol-v2": "LOL v2, real",
        "lol-v2-synthetic": "LOL v2, synthetic",
        "london": "Face Research Lab London Set",
        "lsrw": "LSRW",
        "mit-adobe-5k": "MIT-Adobe FiveK",
        "ms-celeb-1m": "MS-Celeb-1M and what is derived from it",
        "msec": "multiple-exposure correction set of Afifi et al.",
        "pad-ufes": "PAD-UFES-20 skin lesions",
        "places365": "Places365",
        "rfw": "Racial Faces in the Wild",
        "sice": "SICE",
        "sid": "See in the Dark",
        "sidd": "SIDD",
        "stare": "STARE retinal vessels",
        "unpaired-lowlight": "DICM, LIME, NPE, MEF",
        "utkface": "UTKFace",
        "vggface2": "VGGFace2",
        "yfcc100m": "YFCC100M",
    }
)

#: Pairs that share images, scenes or people, and where that is written; what is not here is not
#: known to. Sources were read on 2026-11-21.
OVERLAPS: Mapping[frozenset[str], str] = MappingProxyType(
    {
        frozenset({"lol-v1", "lol-v2"}): (
            "training and test parts of LOL v1 and of LOL v2, real, have pictures in common "
            "(jinnh/GSAD, issue 36; wyf0912/LLFlow, issue 35; jinyeying/night-enhancement, issue 8)"
        ),
        frozenset({"rfw", "ms-celeb-1m"}): (
            "RFW lists the people that it has in common with MS-Celeb-1M (README of its test data)"
        ),
        frozenset({"bfw", "vggface2"}): (
            "BFW was chosen from VGGFace2 alone (visionjo/facerec-bias-bfw, data/README.md)"
        ),
        frozenset({"fairface", "yfcc100m"}): (
            "FairFace was collected from YFCC100M (Karkkainen & Joo, arXiv:1908.04913, abstract)"
        ),
        frozenset({"isic", "ham10000"}): (
            "HAM10000 is published through the ISIC archive "
            "(Tschandl et al., Scientific Data 5:180161, 2018, abstract)"
        ),
        frozenset({"codan-day", "imagenet"}): f"{_CODAN_DAY} {_CODAN}",
        frozenset({"codan-day", "coco"}): f"{_CODAN_DAY} {_CODAN}",
        frozenset({"codan-night", "exdark"}): f"CODaN's pictures by night are ExDark's {_CODAN}",
    }
)


def shared(one: str, other: str) -> str:
    """What two datasets have in common, and who says so; empty if nothing is known."""
    return OVERLAPS.get(frozenset({one, other}), "")
