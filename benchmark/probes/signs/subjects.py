"""What hangs in a scene: which sign, or a plate with which text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from benchmark.data.degradations import noise_generator
from benchmark.probes.signs.artwork import PLATE_STYLES, SIGNS, Artwork, plate
from benchmark.probes.signs.strokes import ALPHABET, Points

SIGN, PLATE = "sign", "plate"
#: Characters on a plate: as few and as many as this.
SHORTEST, LONGEST = 5, 6
#: Texts fall into this many shares by a check number, and a split takes the texts of one share.
_SHARES = 61


@dataclass(frozen=True)
class Subject:
    """The thing to be recognised.

    Attributes:
        kind: ``sign`` or ``plate``.
        sign_class: name of the sign; ``plate`` for plates.
        label: the right answer: the name of the sign, or the text of the plate.
        artwork: what is painted.
        characters: ``[C, 2]`` centres of the characters in the units of the artwork; none on signs.
    """

    kind: str
    sign_class: str
    label: str
    artwork: Artwork
    characters: Points


def share_of(split: str) -> int:
    """The share of texts that a split takes."""
    return hashlib.sha256(split.encode()).digest()[0] % _SHARES


def share_of_text(places: np.ndarray) -> np.ndarray:
    """The share of texts, ``[..., L]`` places in the alphabet with -1 behind the end."""
    weights = np.arange(1, places.shape[-1] + 1) ** 2
    result: np.ndarray = ((places + 1) @ weights) % _SHARES
    return result


def subject(number: int, *, split: str, seed: int) -> Subject:
    """The subject of a scene; scenes alternate between signs, every class in turn, and plates."""
    rng = noise_generator(f"signs/{split}/{number}", seed=seed)
    if number % 2:
        text = _text(rng, split)
        style = int(rng.choice(len(PLATE_STYLES), p=(0.55, 0.25, 0.2)))
        artwork, characters = plate(text, style)
        return Subject(PLATE, PLATE, text, artwork, characters)
    names = sorted(SIGNS)
    rank = number // 2
    # a new order for every round through the classes
    order = noise_generator(f"signs/{split}/round{rank // len(names)}", seed=seed)
    name = names[int(order.permutation(len(names))[rank % len(names)])]
    return Subject(SIGN, name, name, _drawn(name), np.zeros((0, 2)))


@lru_cache(maxsize=len(SIGNS))
def _drawn(name: str) -> Artwork:
    return SIGNS[name]()


def _text(rng: np.random.Generator, split: str) -> str:
    """A text of the split's share: nobody else's plates."""
    length = int(rng.integers(SHORTEST, LONGEST + 1))
    wanted = share_of(split)
    while True:
        places = rng.integers(len(ALPHABET), size=(4 * _SHARES, LONGEST))
        places[:, length:] = -1
        found = np.flatnonzero(share_of_text(places) == wanted)
        if len(found):
            return "".join(ALPHABET[place] for place in places[found[0]] if place >= 0)
