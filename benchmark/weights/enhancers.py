"""The published enhancers' weight files, in the order of the papers.

Repositories call them all ``Epoch99.pth`` or ``best.pt``; in the store each has a name of its own.
Digests are of the published files, bit by bit. Where a repository states no licence, nobody has
been given the right to pass the file on: compare with it, and do no more.
"""

from __future__ import annotations

from benchmark.weights.base import WeightFile

NONE_STATED = "LicenseRef-none-stated"


def _file(
    name: str, suffix: str, sha256: str, size: int, licence: str, source: str, note: str = ""
) -> WeightFile:
    return WeightFile(
        name=name,
        file=f"{name}{suffix}",
        sha256=(sha256,),
        size=size,
        licence=licence,
        used_for=f"the enhancer {name}",
        note=f"from {source}" + (f"; {note}" if note else ""),
    )


ENHANCER_FILES: tuple[WeightFile, ...] = (
    _file(
        "zero-dce",
        ".pth",
        "a4395acb874f320375d9704997cef874eaaaaa26a1777ceb29a92b70f74c3612",
        320_017,
        "CC-BY-NC-4.0",
        "Li-Chongyi/Zero-DCE, snapshots/Epoch99.pth",
    ),
)
