"""One system of several restorers: a classifier says what is wrong, and that decides who mends it.

After Cai et al. 2025 (arXiv 2506.05450), whose routes are diffusion super-resolution, inpainting of
reflections and NAFNet; here every route is any enhancer of the suite, and a picture about which
nobody is sure is left alone. Probabilities are always logged, one JSON line a picture, to the
logger ``benchmark.router`` and in :attr:`Router.log`.

A generative restorer invents. It runs only where its use was allowed by name; on a picture that
shows a face it does not run even then, unless that was allowed too: an invented face is no
evidence of anybody's identity.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from benchmark.contexts import CONTEXTS, ContextPredictor, make_predictor
from benchmark.contexts.router import CLASSES, make_classifier
from benchmark.contexts.router.base import NONE, SPARED, THRESHOLD, Decision, decide
from benchmark.enhancers.base import ENHANCERS, Enhancer
from benchmark.errors import SpecError
from benchmark.spec.origin import parse_origin
from benchmark.spec.yamlfile import Spec, read_spec

_LOGGER = logging.getLogger("benchmark.router")
_FACE = CONTEXTS.index("face")
#: What spandrel says of networks that draw faces anew (GFPGAN, RestoreFormer, CodeFormer).
_FACE_MAKER = "FaceSR"

System = Annotated[str, Field(min_length=1)]


class GenerativeWarning(UserWarning):
    """A restorer that invents is in use."""


class Routes(Spec):
    """Who mends what; each route is written as enhancers are on the command line.

    Attributes:
        classifier: ``cnn``, ``probe``, ``clip:MODEL``, ``vlm:MODEL``.
        threshold: largest probability below which a picture is left alone.
        soft, reflection, motion, none, dark: an enhancer each (``spec.origin``), such as
            ``lime`` or ``spandrel:weights.safetensors``; ``input`` leaves pictures as they are.
        generative: classes whose restorer invents; face restorers that spandrel knows count in
            any case.
        allow_generative: that generative restorers may run at all.
        allow_generative_faces: that they may run on faces too.
        contexts: context predictor that says what a face is.
    """

    classifier: System = "cnn"
    threshold: Annotated[float, Field(ge=0.0, le=1.0)] = THRESHOLD
    soft: System = "input"
    # no reflection remover is trained here: left as it is, which the documentation says
    reflection: System = "input"
    motion: System = "input"
    none: System = "input"
    dark: System = "lime"
    generative: list[str] = []
    allow_generative: bool = False
    allow_generative_faces: bool = False
    contexts: System = "cnn"

    @field_validator("generative")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        if unknown := sorted(set(value) - set(CLASSES)):
            raise ValueError(f"{unknown[0]!r} is no class; they are {', '.join(CLASSES)}")
        return value

    def systems(self) -> dict[str, str]:
        """The enhancer of each class."""
        return {name: getattr(self, name) for name in CLASSES}

    @classmethod
    def read(cls, path: Path) -> Routes:
        """Routes of a YAML file.

        Raises:
            SpecError: naming file, line and key.
        """
        return read_spec(path, cls)


class Router(Enhancer):
    """Classify, then restore with the route's system.

    Args:
        routes: who mends what; the suite's own by default.

    Raises:
        SpecError: for a route to itself or to a system that is shown the reference, and for a
            generative restorer that was not allowed.
        EquiluxError: if a route's weights or a classifier's are not at hand.
    """

    def __init__(self, routes: Routes | None = None) -> None:
        self.routes = routes or Routes()
        self._classifier = make_classifier(self.routes.classifier)
        self.systems = build_systems(self.routes)
        self._generative = _generative(self.routes, self.systems)
        self.log: list[Decision] = []

    @torch.inference_mode()
    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """Every picture from its route's system, in the order of ``images``."""
        probabilities = self._classifier.predict(images)
        decision = decide(probabilities.cpu().numpy(), threshold=self.routes.threshold)
        if self._generative and not self.routes.allow_generative_faces:
            decision = self._sparing_faces(decision, images)
        self._note(decision)
        outputs, routes = images.clone(), torch.from_numpy(decision.routes).to(images.device)
        for number in torch.unique(routes).tolist():
            rows = routes == number
            outputs[rows] = self.systems[CLASSES[number]].enhance(images[rows])
        return outputs

    def _sparing_faces(self, decision: Decision, images: Tensor) -> Decision:
        """The decision with faces kept from generative restorers."""
        faces = (self._contexts.predict(images).argmax(1) == _FACE).cpu().numpy()
        spared = faces & np.isin(decision.routes, self._generative)
        return replace(
            decision,
            routes=np.where(spared, NONE, decision.routes),
            status=np.where(spared, SPARED, decision.status),
        )

    @cached_property
    def _contexts(self) -> ContextPredictor:
        return make_predictor(self.routes.contexts)

    def _note(self, decision: Decision) -> None:
        self.log.append(decision)
        for p, route, status in zip(
            decision.probabilities.tolist(), decision.routes, decision.status, strict=True
        ):
            line = {
                "p": {
                    c: round(v, 6) if isfinite(v) else None for c, v in zip(CLASSES, p, strict=True)
                },
                "route": CLASSES[route],
                "status": str(status),
            }
            _LOGGER.info(json.dumps(line))


def build_systems(routes: Routes) -> dict[str, Enhancer]:
    """The enhancer of each class; one object where two classes share one.

    Raises:
        SpecError: for a route to the router or to a system that is shown the reference.
        EquiluxError: if there is no such enhancer, or its weights are not at hand.
    """
    names = routes.systems()
    made = {system: _built(system) for system in dict.fromkeys(names.values())}
    return {name: made[system] for name, system in names.items()}


def _built(system: str) -> Enhancer:
    from benchmark.enhancers.adapters.outside import build, locate

    origin = parse_origin(system)
    if system == "router" or origin.form == "outputs":
        raise SpecError(f"{system!r} cannot be a route", mend="name an enhancer of pictures")
    if origin.form != "registered":
        found = locate(origin)
        return build(origin.reader, found.path, factory=origin.target)
    enhancer = ENHANCERS.get(system)()
    if enhancer.needs_reference:
        raise SpecError(
            f"{system!r} is shown the clean picture and cannot be a route",
            mend="name an enhancer that works without it",
        )
    return enhancer


def _generative(routes: Routes, systems: Mapping[str, Enhancer]) -> list[int]:
    """Numbers of the classes whose restorer invents.

    Raises:
        SpecError: if there are some and they were not allowed.
    """
    found = [
        name
        for name, system in systems.items()
        if name in routes.generative or getattr(system, "purpose", "") == _FACE_MAKER
    ]
    if not found:
        return []
    who = ", ".join(f"{name} ({routes.systems()[name]})" for name in found)
    if not routes.allow_generative:
        raise SpecError(
            f"a generative restorer would draw what the camera did not see: {who}",
            mend="choose another restorer, or set allow_generative: true",
        )
    where = "also on faces" if routes.allow_generative_faces else "not on faces"
    warnings.warn(
        f"generative restorers are in use, {where}: {who}; what they draw is no evidence",
        GenerativeWarning,
        stacklevel=3,
    )
    return [CLASSES.index(name) for name in found]
