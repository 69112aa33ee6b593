"""Degradation classifiers of other people: CLIP and SigLIP, vision-language models."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.contexts.clip import ClipEncoder, ZeroShot
from benchmark.contexts.router.base import DegradationClassifier
from benchmark.contexts.router.probe import Trunk
from benchmark.contexts.vlm import LanguageModel, LetterClassifier, Question

#: In the order of ``CLASSES``; our words.
QUESTION = Question(
    task="You inspect photos for technical defects.",
    ask="Which one description fits best?",
    options=(
        "detail lost through noise, softness or compression blocks.",
        "a see-through reflection from glass.",
        "streaks from camera or object movement.",
        "no visible defect.",
        "under-exposed.",
    ),
)

#: In the order of ``CLASSES``.
PROMPTS: tuple[tuple[str, ...], ...] = (
    (
        "a noisy photo.",
        "a soft, blurry photo of low resolution.",
        "a photo with JPEG compression artefacts.",
        "a grainy photo of poor quality.",
        "a pixelated photo with blocks.",
    ),
    (
        "a photo taken through a window with reflections.",
        "a see-through reflection in glass over the picture.",
        "a ghost image of another scene overlaid on a photo.",
        "a photo through a glass pane that mirrors something.",
        "a photo spoilt by a reflection.",
    ),
    (
        "a photo with motion blur.",
        "a photo with streaks from camera shake.",
        "a photo of something moving fast, smeared in one direction.",
        "a picture taken with a shaking hand.",
        "a photo smeared by movement.",
    ),
    (
        "a sharp, clean photo.",
        "a photo of high quality.",
        "a clear, well-lit photo without defects.",
        "a crisp photo in good light.",
        "a perfect photo.",
    ),
    (
        "an under-exposed photo.",
        "a very dark photo.",
        "a photo taken at night without flash.",
        "a photo with too little light.",
        "a dim photo in which little can be seen.",
    ),
)


class VlmClassifier(DegradationClassifier):
    """Zero-shot by next-token letters, averaged over orders, minus habits.

    Args:
        model: a folder or ``hub:owner/name@COMMIT``.
    """

    def __init__(self, model: str) -> None:
        self._classifier = LetterClassifier(LanguageModel(model), QUESTION)

    def identity(self) -> dict[str, str]:
        """Model, weights, question."""
        return {"classifier": "vlm", **self._classifier.identity()}

    def predict(self, images: Tensor) -> Tensor:
        """``[B, 5]``, NaN where the model answered with something that is no letter."""
        return self._classifier.answers(images)


class ClipClassifier(DegradationClassifier):
    """Zero-shot by descriptions.

    Args:
        model: a folder or ``hub:owner/name@COMMIT``.
    """

    def __init__(self, model: str) -> None:
        self._zero_shot = ZeroShot(ClipEncoder(model), PROMPTS)

    def identity(self) -> dict[str, str]:
        """Model, weights, descriptions."""
        return {"classifier": "clip", **self._zero_shot.identity()}

    @torch.inference_mode()
    def predict(self, images: Tensor) -> Tensor:
        """``[B, 5]``."""
        return self._zero_shot.predict(images)


class ClipTrunk(Trunk):
    """Frozen image embeddings for a linear probe.

    Args:
        model: a folder or ``hub:owner/name@COMMIT``.
    """

    def __init__(self, model: str) -> None:
        self._encoder = ClipEncoder(model)

    def identity(self) -> dict[str, str]:
        """The model."""
        return {f"trunk_{key}": value for key, value in self._encoder.identity().items()}

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """Unit embeddings ``[B, D]``."""
        return self._encoder.images(images)
