"""A vision-language model of transformers as a classifier that answers with one letter.

No text is generated: the logits of the next token are read at the letters (methods, section 4.2).
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from benchmark.contexts.base import CONTEXTS, ContextPredictor
from benchmark.contexts.letters import MIN_MASS, calibrated, content_free, letter_orders, mass
from benchmark.errors import WeightsError
from benchmark.files import content_key
from benchmark.weights.models import find_model, load_pretrained

#: Pictures that go through a model at once.
_BATCH = 4
#: What tokenizers put for the blank before a word.
_BLANKS = " \u0120\u2581\u010a"


@dataclass(frozen=True)
class Question:
    """A multiple choice about a picture.

    Attributes:
        task: what the model is for.
        ask: the question itself.
        options: one description a class, in the order of the classes.
    """

    task: str
    ask: str
    options: tuple[str, ...]

    def text(self, letters: Sequence[int]) -> str:
        """The prompt in which class ``c`` has letter number ``letters[c]``."""
        by_letter = sorted(zip(letters, self.options, strict=True))
        listed = " ".join(f"{string.ascii_uppercase[n]}: {option}" for n, option in by_letter)
        return f"{self.task} {self.ask} {listed} Reply with the letter."


class Answerer(Protocol):
    """Something that is shown a picture and asked a question."""

    def identity(self) -> dict[str, str]:
        """Name and digest of the weights."""

    def letters(self, images: Tensor, prompt: str, count: int) -> Tensor:
        """Log-probabilities ``[B, count]`` of the letters A, B ... as the next token.

        Args:
            images: ``[B, 3, H, W]`` in [0, 1].
            prompt: asked about each of them.
            count: number of letters.
        """


class LanguageModel:
    """A vision-language model with its processor and chat template.

    Args:
        name: a folder or ``hub:owner/name@COMMIT``.

    Raises:
        WeightsError: if it is absent, a pickle, of another kind, has no chat template or no token
            for a letter.
    """

    def __init__(self, name: str) -> None:
        found = find_model(name)
        self._processor = load_pretrained("AutoProcessor", found)
        self._network = load_pretrained("AutoModelForImageTextToText", found)
        self._identity = {"model": name, "sha256": found.digest}
        if not getattr(self._processor, "chat_template", None):
            raise WeightsError(
                "this model has no chat template, so a question cannot be put to it as in training",
                where=name,
                mend="choose a model that was tuned to follow instructions",
            )
        self._tokens = letter_tokens(self._processor.tokenizer.get_vocab())
        if not all(self._tokens):
            raise WeightsError(
                "the tokenizer has no token of its own for some capital letter", where=name
            )

    def identity(self) -> dict[str, str]:
        """Name and digest of everything that was loaded."""
        return self._identity

    @torch.inference_mode()
    def letters(self, images: Tensor, prompt: str, count: int) -> Tensor:
        """See :class:`Answerer`; a letter with and without a blank before it is one letter."""
        network = self._network.to(images.device)
        rows = []
        for piece in torch.split(images, _BATCH):
            inputs = self._inputs(piece, prompt).to(images.device)
            logits = network(**inputs, logits_to_keep=1).logits[:, -1].double().log_softmax(1)
            rows.append(
                torch.stack([logits[:, ids].logsumexp(1) for ids in self._tokens[:count]], 1)
            )
        return torch.cat(rows) if rows else images.new_empty(0, count)

    def _inputs(self, images: Tensor, prompt: str) -> Any:
        pixels = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        conversations = [
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "image": Image.fromarray(picture)},
                        {"type": "text", "text": prompt},
                    ],
                }
            ]
            for picture in pixels
        ]
        return self._processor.apply_chat_template(
            conversations,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )


def letter_tokens(vocabulary: dict[str, int]) -> list[list[int]]:
    """The tokens of each capital letter, alone or after a blank, in alphabetical order."""
    found: dict[str, list[int]] = {letter: [] for letter in string.ascii_uppercase}
    for token, number in vocabulary.items():
        letter = token.lstrip(_BLANKS)
        if letter in found:
            found[letter].append(number)
    return [sorted(numbers) for numbers in found.values()]


class LetterClassifier:
    """Probabilities of classes from an answerer, a question and several orders of its options.

    Args:
        answerer: the model.
        question: its options are the classes.
        orders: how many orders; a multiple of the number of classes is balanced.
        seed: of the orders.
    """

    def __init__(
        self, answerer: Answerer, question: Question, *, orders: int | None = None, seed: int = 0
    ) -> None:
        classes = len(question.options)
        self._answerer, self._question = answerer, question
        self._orders = letter_orders(classes, max(orders or classes, 4), seed=seed)
        self._habits: dict[tuple[int, int], Tensor] = {}

    def identity(self) -> dict[str, str]:
        """The model, and a digest of prompts and orders."""
        asked = content_key(asdict(self._question), self._orders.tolist())
        return {**self._answerer.identity(), "question": asked}

    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities ``[B, C]`` and the letters' mean probability ``[B]``."""
        size = (images.shape[-2], images.shape[-1])
        if size not in self._habits:
            self._habits[size] = self._asked(content_free(*size).to(images))
        letters = self._asked(images)
        return calibrated(letters, self._habits[size], self._orders), mass(letters)

    def answers(self, images: Tensor) -> Tensor:
        """Probabilities ``[B, C]``, NaN where the letters hold next to no probability."""
        probabilities, held = self.predict(images)
        return torch.where((held >= MIN_MASS)[:, None], probabilities, torch.nan)

    def _asked(self, images: Tensor) -> Tensor:
        """``[orders, B, C]``."""
        count = len(self._question.options)
        return torch.stack(
            [
                self._answerer.letters(images, self._question.text(order.tolist()), count)
                for order in self._orders
            ]
        )


CONTEXT_QUESTION = Question(
    task="You sort photos by what they show.",
    ask="Which one description fits best?",
    options=(
        "something else: an object, an animal, a landscape, a texture.",
        "a medical image: a scan, a radiograph, a retina, skin under a dermatoscope.",
        "the face of a person.",
        "a scene that has to be recognised at night: a road sign, a number plate, traffic.",
    ),
)


class VlmPredictor(ContextPredictor):
    """Contexts by asking a vision-language model (methods, section 1.3, P3).

    A picture that it has no letter for gets the same probability in every context: nothing is
    known about it, and no context loses all of its weight.

    Args:
        model: a folder or ``hub:owner/name@COMMIT``.
    """

    def __init__(self, model: str) -> None:
        self._classifier = LetterClassifier(LanguageModel(model), CONTEXT_QUESTION)

    def identity(self) -> dict[str, str]:
        """Model, weights, question."""
        return {"predictor": "vlm", **self._classifier.identity()}

    def predict(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Vectors of :class:`LetterClassifier`, uniform where there is no answer."""
        del labels
        with torch.no_grad():  # losses multiply by these vectors and go backward
            return self._classifier.answers(images).nan_to_num(nan=1 / len(CONTEXTS))
