"""Views as a Hugging Face dataset, for people who want to look at a probe or use it elsewhere."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.views import Views

if TYPE_CHECKING:
    from datasets import Dataset


def views_dataset(views: Views) -> Dataset:
    """The frame's columns, ``image`` and ``<name>_mask`` as PNG, ``landmarks`` as (x, y) pairs."""
    import datasets

    columns: dict[str, list[Any]] = {
        str(name): values.tolist() for name, values in views.frame.items()
    }
    columns["image"] = [_png(image) for image in views.images]
    features: dict[str, Any] = {"image": datasets.Image()}
    for name, masks in views.masks.items():
        columns[f"{name}_mask"] = [_png(mask.astype(np.uint8) * 255) for mask in masks]
        features[f"{name}_mask"] = datasets.Image()
    if views.landmarks is not None:
        columns["landmarks"] = views.landmarks.tolist()
        features["landmarks"] = datasets.Array2D((views.landmarks.shape[1], 2), "float32")
    plain = datasets.Dataset.from_dict({name: columns[name] for name in map(str, views.frame)})
    types = datasets.Features({**plain.features, **features})
    return datasets.Dataset.from_dict(columns, features=types)


def _png(image: NDArray[np.uint8]) -> dict[str, bytes]:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=1)
    return {"bytes": stream.getvalue()}
