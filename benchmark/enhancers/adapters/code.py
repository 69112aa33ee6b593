"""``module:factory``: somebody's code, run only when the user says that it may."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.enhancers.base import Enhancer
from benchmark.errors import EquiluxError


class CallableEnhancer(Enhancer):
    """A function or network from ``[B, 3, H, W]`` in [0, 1] to the same."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        if isinstance(function, nn.Module):
            function.eval().requires_grad_(False)
        self._function = function

    @torch.inference_mode()
    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """Whatever the function makes of ``images``."""
        if isinstance(self._function, nn.Module):
            self._function.to(images.device)
        return self._function(images)


def from_factory(reference: str, *, trusted: bool = False) -> Enhancer:
    """Import a module and call its factory.

    Args:
        reference: ``package.module:factory``; called without arguments, it returns an
            :class:`Enhancer`, a network or a function of a batch.
        trusted: that the user has agreed to run this code on this machine.

    Raises:
        EquiluxError: without that agreement; if the reference is malformed, cannot be imported,
            fails, or makes something that cannot be called.
    """
    module, _, attribute = reference.partition(":")
    if not module or not attribute:
        raise EquiluxError(f"{reference!r} names no factory", mend="write package.module:factory")
    if not trusted:
        raise EquiluxError(
            f"running {reference!r} would run code that is not part of this suite",
            mend="read it first; then say so with --trust",
        )
    try:
        made: Any = getattr(importlib.import_module(module), attribute)()
    # it is somebody else's code: whatever it raises is to be told, not to be our traceback
    except Exception as error:
        raise EquiluxError(
            f"{reference!r} does not give an enhancer: {type(error).__name__}: {error}",
            where=reference,
            mend="the module must be importable here, the factory callable without arguments",
        ) from error
    if isinstance(made, Enhancer):
        if made.needs_reference:
            raise EquiluxError(
                f"{reference!r} asks for the clean pictures, which no system is given",
                where=reference,
                mend="an enhancer maps degraded pictures to enhanced ones",
            )
        return made
    if not callable(made):
        raise EquiluxError(
            f"{reference!r} returned {type(made).__name__}, which cannot be called",
            where=reference,
            mend="return an Enhancer, a torch module, or a function of a batch",
        )
    return CallableEnhancer(made)
