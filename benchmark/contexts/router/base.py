"""The classes of degradation, what recognises them, and the rule that turns p into a route."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmark.contexts.base import built
from benchmark.registry import Registry

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

#: In the order of every class axis, the papers' letters A to D and our E. The only definition.
CLASSES: tuple[str, ...] = ("soft", "reflection", "motion", "none", "dark")
#: Where a picture goes that nobody is sure about: it is left as it is.
NONE = CLASSES.index("none")
#: Largest probability below which a classifier is not believed.
THRESHOLD = 0.5

#: Why a picture was routed as it was.
CONFIDENT, UNSURE, NO_ANSWER, SPARED = "confident", "unsure", "no_answer", "spared"


class DegradationClassifier(ABC):
    """p(class|image): which of :data:`CLASSES` describes an image best."""

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """What the probabilities depend on besides the images: name, weight digest, prompts."""

    @abstractmethod
    def predict(self, images: Tensor) -> Tensor:
        """Class probabilities.

        Args:
            images: ``[B, 3, H, W]`` float32, sRGB, in [0, 1]; any device.

        Returns:
            ``[B, 5]`` float32 on the device of ``images``, columns in the order of
            :data:`CLASSES`. Rows are at least 0 and sum to 1, or are NaN where the classifier gave
            no answer at all.
        """


@dataclass(frozen=True)
class Decision:
    """Where a batch goes and why.

    Attributes:
        probabilities: ``[B, 5]``, NaN where there was no answer.
        routes: ``[B]`` index into :data:`CLASSES`.
        status: ``[B]`` ``confident``, ``unsure`` (no class reaches the threshold), ``no_answer``
            or ``spared`` (a face that a generative restorer was kept from); all but the first go
            to ``none``.
    """

    probabilities: NDArray[np.float64]
    routes: NDArray[np.int64]
    status: NDArray[np.str_]

    @property
    def abstained(self) -> NDArray[np.bool_]:
        """``[B]`` whether no class was believed."""
        return np.isin(self.status, (UNSURE, NO_ANSWER))


def decide(probabilities: NDArray[np.floating], *, threshold: float = THRESHOLD) -> Decision:
    """The most probable class where its probability reaches ``threshold``, else ``none``.

    Args:
        probabilities: ``[B, 5]``; a row with a NaN is no answer.
        threshold: in [0, 1].
    """
    p = np.asarray(probabilities, dtype=np.float64)
    answered = np.asarray(np.isfinite(p).all(1))
    known = np.where(answered[:, None], p, 0.0)
    sure = answered & (known.max(1, initial=0.0) >= threshold)
    status = np.where(sure, CONFIDENT, np.where(answered, UNSURE, NO_ANSWER))
    return Decision(p, np.where(sure, known.argmax(1), NONE).astype(np.int64), status)


#: Called without arguments; those with ``needs_model`` with a model's name.
CLASSIFIERS: Registry[type[DegradationClassifier]] = Registry(
    "degradation classifier", group="equilux.degradation_classifiers"
)


def make_classifier(name: str) -> DegradationClassifier:
    """The classifier that ``name`` or ``name:MODEL`` stands for (``clip:FOLDER``).

    Raises:
        UnknownNameError: if there is none of that name.
        WeightsError: if its weights are absent or are not what they should be.
    """
    return built(CLASSIFIERS, name)
