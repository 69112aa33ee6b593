"""Letters: balanced orders, habits that vanish, abstention, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.contexts.letters import calibrated, content_free, letter_orders, mass
from benchmark.contexts.vlm import LetterClassifier, Question, letter_tokens

QUESTION = Question("Look.", "Which?", ("red.", "green.", "blue.", "grey.", "dark."))


class Planted:
    """Knows a score of every class of a picture, likes some letters, may mumble.

    Scores are means of the picture's colours; the letter of an option is read from the prompt.
    """

    def __init__(self, bias: list[float], *, mumbles: float = 0.0) -> None:
        self.bias, self.mumbles = torch.tensor(bias), mumbles

    def identity(self) -> dict[str, str]:
        return {"model": "planted"}

    def letters(self, images: Tensor, prompt: str, count: int) -> Tensor:
        scores = scores_of(images)
        logits = torch.empty(len(images), count)
        for number, option in enumerate(QUESTION.options):
            letter = ord(prompt[prompt.index(option) - 3]) - ord("A")
            logits[:, letter] = scores[:, number] + self.bias[letter]
        other = torch.full((len(images), 1), self.mumbles)
        return torch.cat([logits, other], 1).double().log_softmax(1)[:, :count]


def scores_of(images: Tensor) -> Tensor:
    red, green, blue = images.mean((2, 3)).unbind(1)
    return 4 * torch.stack([red, green, blue, (red + green + blue) / 3, 1 - red], 1)


def pictures(count: int = 6) -> Tensor:
    return torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(1)) ** 2


@pytest.mark.parametrize(("classes", "count"), [(5, 5), (5, 10), (4, 4), (3, 7), (26, 26)])
def test_orders_are_permutations_and_balanced(classes: int, count: int) -> None:
    orders = letter_orders(classes, count, seed=3)
    assert orders.shape == (count, classes)
    assert (np.sort(orders, 1) == np.arange(classes)).all()
    for start in range(0, count - classes + 1, classes):
        block = orders[start : start + classes]
        assert (np.sort(block, 0) == np.arange(classes)[:, None]).all()
    assert (orders == letter_orders(classes, count, seed=3)).all()
    assert (orders != letter_orders(classes, count, seed=4)).any()


@pytest.mark.parametrize(("classes", "count"), [(5, 3), (1, 4), (27, 27)])
def test_too_few_orders_or_too_many_options_are_refused(classes: int, count: int) -> None:
    with pytest.raises(ValueError, match="orders"):
        letter_orders(classes, count, seed=0)


@pytest.mark.parametrize("orders", [4, 5, 7])
def test_a_planted_position_bias_vanishes(orders: int) -> None:
    fair = LetterClassifier(Planted([0.0] * 5), QUESTION, orders=orders)
    biased = LetterClassifier(Planted([3.0, 0.0, -2.0, 1.0, 0.5]), QUESTION, orders=orders)
    images = pictures()
    habit = scores_of(content_free(4, 4)).double().log_softmax(1).mean(0)
    expected = (scores_of(images).double().log_softmax(1) - habit).softmax(1).float()
    torch.testing.assert_close(fair.answers(images), expected)
    torch.testing.assert_close(biased.answers(images), expected)


def test_balanced_orders_alone_cancel_a_bias() -> None:
    bias, scores = torch.tensor([2.0, -1.0, 0.0, 0.5, 3.0]), torch.randn(7, 5)
    orders = letter_orders(5, 5, seed=0)
    letters = torch.stack([scores[:, np.argsort(order)] + bias for order in orders])
    flat = torch.zeros(len(orders), 1, 5)
    torch.testing.assert_close(calibrated(letters, flat, orders), scores.softmax(1))


def test_one_order_without_correction_is_fooled() -> None:
    # the reason for all of this: a strong habit decides by itself
    scores, bias = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0]]), torch.tensor([0.0, 5, 0, 0, 0])
    assert (scores + bias).argmax() == 1


def test_who_answers_none_of_the_letters_gives_no_answer() -> None:
    images = pictures()
    mumbling = LetterClassifier(Planted([0.0] * 5, mumbles=20.0), QUESTION)
    _, held = mumbling.predict(images)
    scores = scores_of(images).exp().sum(1)
    torch.testing.assert_close(held, scores / (scores + np.exp(20.0)))
    assert mumbling.answers(images).isnan().all()
    assert LetterClassifier(Planted([0.0] * 5), QUESTION).answers(images).isfinite().all()


def test_mass_is_the_mean_over_orders() -> None:
    logs = torch.tensor([[[0.1, 0.2]], [[0.3, 0.4]]]).log()
    assert mass(logs).item() == pytest.approx((0.3 + 0.7) / 2)


def test_letters_with_and_without_a_blank_are_found() -> None:
    vocabulary = {"A": 5, "\u0120A": 9, "\u2581B": 2, "AB": 7, "a": 1, " C": 3}
    found = letter_tokens(vocabulary)
    assert found[:4] == [[5, 9], [2], [3], []]
    assert len(found) == 26


def test_content_free_pictures_fit_any_size() -> None:
    shown = content_free(13, 30)
    assert shown.shape == (5, 3, 13, 30)
    assert (shown >= 0).all()
    assert (shown <= 1).all()
    assert shown[:3].std((1, 2, 3)).max() == 0


def test_no_pictures_no_answers() -> None:
    assert LetterClassifier(Planted([0.0] * 5), QUESTION).answers(pictures(0)).shape == (0, 5)
