"""Pictures that authors published in place of weights, known by their digest wherever they lie."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedOutputs:
    """A folder of published outputs.

    Attributes:
        name: in tables; also the key of what the system has seen (``contamination.SEEN``).
        summary: one line for people.
        sha256: as ``OutputFolder.digest`` counts it.
        licence: of the pictures.
        source: GitHub repository.
        caution: what a reader of its scores must know; empty if nothing.
    """

    name: str
    summary: str
    sha256: str
    licence: str
    source: str
    caution: str = ""


_SKF = "langmanbusi/Semantic-Aware-Low-Light-Image-Enhancement"

PUBLISHED_OUTPUTS: tuple[PublishedOutputs, ...] = (
    PublishedOutputs(
        name="llflow-s-skf",
        summary="LLFlow-S with semantic guidance, the authors' pictures of LOL v1 eval15",
        sha256="e1c44ec0cba5e97ccbc06364f86f8e10a8a483e40fc4385efd51da430ae840a5",
        licence="MIT",
        source=_SKF,
        caution="its printed scores use the brightness of the ground truth at test time "
        "(SKF: LLFlow_SKF/code/test.py; the author in issue 11)",
    ),
    PublishedOutputs(
        name="drbn-skf",
        summary="DRBN with semantic guidance, the authors' pictures of LOL v1 eval15",
        sha256="b1dddf2562cecc92569035a1f5cf1dfec9684e5b8327835b50318b4bdbcd896b",
        licence="MIT",
        source=_SKF,
    ),
)


def published_outputs(sha256: str) -> PublishedOutputs | None:
    """The published folder with this digest, if there is one."""
    return next((each for each in PUBLISHED_OUTPUTS if each.sha256 == sha256), None)
