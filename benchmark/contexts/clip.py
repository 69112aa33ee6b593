"""Zero-shot classification by CLIP and SigLIP: the nearest of several descriptions.

Each class has at least five descriptions; their unit embeddings are averaged and brought to unit
length again (Radford et al. 2021, section 3.1.4). The classes exclude each other, so SigLIP's
scaled similarities go through a softmax too, in which its bias cancels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from benchmark.contexts.base import ContextPredictor
from benchmark.errors import WeightsError
from benchmark.files import content_key
from benchmark.weights.models import find_model, load_pretrained

_BATCH = 32
#: Fewest descriptions of a class.
MIN_PROMPTS = 5

#: In the order of ``CONTEXTS``.
CONTEXT_PROMPTS: tuple[tuple[str, ...], ...] = (
    (
        "a photo of an object.",
        "a photo of an animal.",
        "a photo of a landscape.",
        "an everyday photo without people.",
        "a picture of a texture or a pattern.",
    ),
    (
        "a medical image.",
        "a fundus photograph of a retina.",
        "a chest radiograph.",
        "a dermatoscopic image of a skin lesion.",
        "an image made for a medical diagnosis.",
    ),
    (
        "a photo of a face.",
        "a portrait of a person.",
        "a close-up of somebody's face.",
        "a passport photo.",
        "a dark photo of a person's face.",
    ),
    (
        "a photo of a traffic sign.",
        "a photo of a number plate.",
        "a street sign at night.",
        "a road scene under street lamps.",
        "a sign with letters on it, seen in poor light.",
    ),
)


class ClipEncoder:
    """Image and text towers of a CLIP or SigLIP model.

    Args:
        name: a folder or ``hub:owner/name@COMMIT``.

    Raises:
        WeightsError: if it is absent, a pickle, or has not both towers.
    """

    def __init__(self, name: str) -> None:
        found = find_model(name)
        self._network = load_pretrained("AutoModel", found)
        if not hasattr(self._network, "get_image_features") or not hasattr(
            self._network, "logit_scale"
        ):
            raise WeightsError(
                f"{type(self._network).__name__} does not compare pictures with text",
                where=name,
                mend="name a CLIP or SigLIP model",
            )
        self._processor = load_pretrained("AutoImageProcessor", found)
        self._tokenizer = load_pretrained("AutoTokenizer", found)
        self.scale = float(self._network.logit_scale.exp())
        self._identity = {"model": name, "sha256": found.digest}

    def identity(self) -> dict[str, str]:
        """Name and digest of everything that was loaded."""
        return self._identity

    @torch.no_grad()
    def images(self, images: Tensor) -> Tensor:
        """Unit embeddings ``[B, D]`` of ``[B, 3, H, W]`` in [0, 1], on their device."""
        network = self._network.to(images.device)
        width = self.texts(["nothing"], device=images.device).shape[1]
        pixels = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        rows = [images.new_empty(0, width)]
        for start in range(0, len(pixels), _BATCH):
            pictures = [Image.fromarray(picture) for picture in pixels[start : start + _BATCH]]
            inputs = self._processor(images=pictures, return_tensors="pt").to(images.device)
            rows.append(_unit(network.get_image_features(pixel_values=inputs["pixel_values"])))
        return torch.cat(rows)

    @torch.no_grad()
    def texts(self, prompts: Sequence[str], *, device: torch.device | str = "cpu") -> Tensor:
        """Unit embeddings ``[P, D]``; padded to full length, as SigLIP was trained."""
        tokens = self._tokenizer(
            list(prompts),
            padding="max_length",
            truncation=True,
            max_length=self._network.config.text_config.max_position_embeddings,
            return_tensors="pt",
        )
        return _unit(self._network.to(device).get_text_features(**tokens.to(device)))


class ZeroShot:
    """Classes by their descriptions.

    Args:
        encoder: the model.
        prompts: of each class, at least five.

    Raises:
        ValueError: for fewer.
    """

    def __init__(self, encoder: ClipEncoder, prompts: Sequence[Sequence[str]]) -> None:
        if min(map(len, prompts)) < MIN_PROMPTS:
            raise ValueError(f"every class needs at least {MIN_PROMPTS} descriptions")
        self._encoder, self._prompts = encoder, [list(texts) for texts in prompts]
        means = [encoder.texts(texts).mean(0) for texts in self._prompts]
        self._classes = functional.normalize(torch.stack(means), dim=1)

    def identity(self) -> dict[str, str]:
        """The model, and a digest of the descriptions."""
        return {**self._encoder.identity(), "prompts": content_key(self._prompts)}

    def predict(self, images: Tensor) -> Tensor:
        """``[B, C]``: softmax of the scaled similarities."""
        similarity = self._encoder.images(images) @ self._classes.to(images.device).T
        return (self._encoder.scale * similarity).softmax(1)


class ClipPredictor(ContextPredictor):
    """Contexts by CLIP or SigLIP (methods, section 1.3, P2).

    Args:
        model: a folder or ``hub:owner/name@COMMIT``.
    """

    def __init__(self, model: str) -> None:
        self._zero_shot = ZeroShot(ClipEncoder(model), CONTEXT_PROMPTS)

    def identity(self) -> dict[str, str]:
        """Model, weights, descriptions."""
        return {"predictor": "clip", **self._zero_shot.identity()}

    def predict(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Vectors of :class:`ZeroShot`."""
        del labels
        return self._zero_shot.predict(images)


def _unit(found: object) -> Tensor:
    """Embeddings of unit length; newer releases of transformers wrap them."""
    features = getattr(found, "pooler_output", found)
    if not isinstance(features, Tensor):
        raise TypeError(f"expected embeddings, not {type(features).__name__}")
    return functional.normalize(features, dim=1)
