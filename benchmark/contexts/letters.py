"""Multiple choice by next-token letters: what a model prefers, apart from what it always says.

A language model asked for a letter has habits: it likes the first option, or the letter C. Each
question is asked in several orders of the options, and with pictures without content; what it then
answers is its habit. With z the log-probability of a letter,

    log p(c | x) = mean over orders o of [ z(letter of c in o | x) - z(letter of c in o | nothing) ]

up to a constant (contextual calibration, Zhao et al. 2021, applied order by order). A bias that is
added to a letter's logit, whatever the picture, vanishes exactly; without the second term it still
does if every class has had every letter equally often, which :func:`letter_orders` arranges.
"""

from __future__ import annotations

import string

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: Mean probability of all letters together below which the answer was something else.
MIN_MASS = 0.01
#: Fewest orders of the options.
MIN_ORDERS = 4


def letter_orders(classes: int, count: int, *, seed: int) -> NDArray[np.int64]:
    """Which letter each class has in each order.

    Args:
        classes: number of options, at most 26.
        count: number of orders, at least 4.
        seed: of the orders.

    Returns:
        ``[count, classes]``, permutations of ``range(classes)``: cyclic shifts of random ones, so
        that every ``classes`` orders in turn give each class each letter once.

    Raises:
        ValueError: for fewer orders or more options.
    """
    if count < MIN_ORDERS or not 2 <= classes <= len(string.ascii_uppercase):
        raise ValueError(f"need at least {MIN_ORDERS} orders and 2 to 26 options")
    rng = np.random.default_rng([seed, classes])
    rows: list[NDArray[np.int64]] = []
    while len(rows) < count:
        base = rng.permutation(classes)
        rows += [(base + shift) % classes for shift in rng.permutation(classes)]
    return np.stack(rows[:count]).astype(np.int64)


def calibrated(letters: Tensor, habits: Tensor, orders: NDArray[np.int64]) -> Tensor:
    """Class probabilities without the habits.

    Args:
        letters: ``[O, B, L]`` logits or log-probabilities of the letters.
        habits: ``[O, N, L]`` the same for ``N`` pictures without content.
        orders: ``[O, C]`` from :func:`letter_orders`, ``C <= L``.

    Returns:
        ``[B, C]``, rows sum to 1.
    """
    asked = orders.shape[1]
    prior = habits[..., :asked].double().log_softmax(2).mean(1, keepdim=True)
    apart = letters[..., :asked].double().log_softmax(2) - prior
    index = torch.as_tensor(orders, device=letters.device)[:, None].expand(-1, apart.shape[1], -1)
    return apart.gather(2, index).mean(0).softmax(1).float()


def mass(letters: Tensor) -> Tensor:
    """Probability that the letters hold together, mean over orders: ``[B]`` of ``[O, B, L]``.

    Args:
        letters: log-probabilities over the whole vocabulary, at the letters.
    """
    return letters.double().exp().sum(2).mean(0).float()


def content_free(height: int, width: int) -> Tensor:
    """Pictures that show nothing: three greys, coarse and fine noise; ``[5, 3, H, W]``."""
    greys = torch.tensor([0.25, 0.5, 0.75])[:, None, None, None].expand(3, 3, height, width)
    generator = torch.Generator().manual_seed(0)
    fine = torch.rand(1, 3, height, width, generator=generator)
    coarse = torch.rand(1, 3, -(-height // 8), -(-width // 8), generator=generator)
    coarse = coarse.repeat_interleave(8, 2).repeat_interleave(8, 3)[..., :height, :width]
    return torch.cat([greys, coarse, fine])
