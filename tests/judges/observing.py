"""A small evaluation set of rendered faces for judges that observe."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.probes.faces import FaceProbe


def rendered_faces(*, people: int = 6, tones: str = "levels") -> EvalSet:
    """Clean faces as inputs and as references; three tones or ten of every person."""
    probe = FaceProbe(
        split="test",
        identities=people,
        views=1,
        tones=tones,
        size=96,
        supersample=1,  # type: ignore[arg-type]
    )
    faces = probe.render()
    frame = faces.frame.rename(columns={"identity": "cluster"}).assign(status="ok")
    return EvalSet(
        frame,
        faces.images,
        faces.images,
        "faces",
        landmarks=faces.landmarks.copy(),
        masks={"skin": faces.skin.copy()},
    )


def clean(evalset: EvalSet) -> Tensor:
    """Its references as ``[N, 3, H, W]`` in [0, 1]."""
    return torch.tensor(evalset.references).permute(0, 3, 1, 2).float() / 255
