"""Which contexts there are, and what predicts them from an image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, TypeVar

from benchmark.errors import UnknownNameError, WeightsError
from benchmark.registry import Entry, Registry

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

#: The contexts, in the order of every context axis (methods, section 1.2). The only definition.
CONTEXTS: tuple[str, ...] = ("generic", "medical", "face", "lowlight")


class ContextPredictor(ABC):
    """p(c|x): how much an image belongs to each context.

    Vectors are computed once for a training set and cached, so that every arm sees the same; no
    gradient flows through them. The input is the degraded image, as it would be in deployment.
    """

    #: True only where the answer is the label itself.
    needs_labels: ClassVar[bool] = False

    @property
    def knows(self) -> tuple[str, ...]:
        """The contexts that can get probability; every other column is exactly zero."""
        return CONTEXTS

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """What the vectors depend on besides the images: name, weight digest, seed."""

    @abstractmethod
    def predict(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Context vectors.

        Args:
            images: ``[B, 3, H, W]`` float32, sRGB, in [0, 1], degraded; any device.
            labels: ``[B]`` int64, index into :data:`CONTEXTS`; only where :attr:`needs_labels`.

        Returns:
            ``[B, K]`` float32 on the device of ``images``, rows at least 0 and of sum 1,
            columns in the order of :data:`CONTEXTS`.
        """


#: Called without arguments; those with ``needs_model`` with a model's name (:func:`built`).
PREDICTORS: Registry[type[ContextPredictor]] = Registry(
    "context predictor", group="equilux.contexts"
)


def make_predictor(name: str) -> ContextPredictor:
    """The predictor that ``name`` or ``name:MODEL`` stands for; see :func:`built`."""
    return built(PREDICTORS, name)


def built(registry: Registry[type[T]], name: str) -> T:
    """The thing that ``name`` or ``name:MODEL`` stands for, such as ``clip:FOLDER``.

    Raises:
        UnknownNameError: as :func:`named`.
        WeightsError: as :func:`named`, or if a model is not on this machine or refused.
    """
    entry, model = named(registry, name)
    factory = registry.get(entry.name)
    return factory(model) if model else factory()  # type: ignore[call-arg]


def named(registry: Registry[type[T]], name: str) -> tuple[Entry[type[T]], str]:
    """The entry and the model that ``name`` or ``name:MODEL`` names; nothing is loaded.

    Args:
        registry: where to look; entries say with ``needs_model`` that they want a model.
        name: of the entry and, after a colon, of the model: a folder or
            ``hub:owner/name@COMMIT``.

    Raises:
        UnknownNameError: if there is no such entry, or it takes no model.
        WeightsError: if it needs a model and none is named.
    """
    kind, _, model = name.partition(":")
    entry = registry.entry(kind)
    needed = entry.meta.get("needs_model", False)
    if needed and not model:
        raise WeightsError(
            f"the {registry.kind} {kind!r} needs a model",
            mend=f"write {kind}:FOLDER or {kind}:hub:owner/name@COMMIT",
        )
    if model and not needed:
        raise UnknownNameError(
            f"the {registry.kind} {kind!r} takes no model", where=name, mend=f"write {kind}"
        )
    return entry, model
