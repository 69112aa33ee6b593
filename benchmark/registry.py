"""One registry class for everything that can be named on the command line or in a file.

An entry is cheap: a name, one line of summary and either an object or the text
``"module:attribute"`` that is imported on first use, so listing names never imports torch.
Other distributions add entries through entry points of the registry's group, for example
``[project.entry-points."equilux.enhancers"]``; their code is imported only when used.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar, cast

from benchmark.errors import EquiluxError, UnknownNameError

T = TypeVar("T")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A named thing: ``target`` is the object, or ``"module:attribute"`` still to be imported."""

    name: str
    target: T | str
    summary: str
    origin: str
    meta: Mapping[str, Any] = field(default_factory=dict)


class Registry(Generic[T]):
    """Names mapped to things of one kind.

    Args:
        kind: singular noun used in messages, for example ``"enhancer"``.
        group: entry-point group through which other distributions register.
    """

    def __init__(self, kind: str, *, group: str) -> None:
        self.kind, self.group = kind, group
        self._entries: dict[str, Entry[T]] = {}
        self._entry_points_read = False

    def add(self, name: str, target: T | str, *, summary: str, **meta: Any) -> None:
        """Register ``target`` under ``name``; a name can be taken only once.

        Raises:
            EquiluxError: if the name is already taken.
        """
        self._insert(Entry(name, target, summary, "equilux", meta))

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        self._read_entry_points()
        return tuple(sorted(self._entries))

    def __iter__(self) -> Iterator[Entry[T]]:
        return (self.entry(name) for name in self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def entry(self, name: str) -> Entry[T]:
        """The entry called ``name``.

        Raises:
            UnknownNameError: with the nearest names, if there is none.
        """
        self._read_entry_points()
        try:
            return self._entries[name]
        except KeyError:
            raise unknown_name(self.kind, name, self.names()) from None

    def get(self, name: str) -> T:
        """The thing called ``name``, imported now if it has not been.

        Raises:
            UnknownNameError: with the nearest names, if there is none.
            EquiluxError: if it cannot be imported.
        """
        entry = self.entry(name)
        if not isinstance(entry.target, str):
            return entry.target
        module, _, attribute = entry.target.partition(":")
        try:
            return cast(T, getattr(importlib.import_module(module), attribute))
        except (ImportError, AttributeError) as error:
            raise EquiluxError(
                f"the {self.kind} {name!r} cannot be imported: {error}",
                where=f"{entry.target} (registered by {entry.origin})",
                mend="reinstall the distribution that provides it, or take it out of the command",
            ) from error

    def _insert(self, entry: Entry[T]) -> None:
        taken = self._entries.get(entry.name)
        if taken is not None:
            raise EquiluxError(
                f"two {self.kind}s want the name {entry.name!r}",
                where=f"{taken.origin} and {entry.origin}",
                mend="uninstall one of them or ask its author for another name",
            )
        self._entries[entry.name] = entry

    def _read_entry_points(self) -> None:
        if self._entry_points_read:
            return
        self._entry_points_read = True
        for point in sorted(entry_points(group=self.group), key=lambda p: p.name):
            origin = point.dist.name if point.dist else "an unnamed distribution"
            self._insert(Entry(point.name, point.value, f"provided by {origin}", origin))


def unknown_name(kind: str, name: str, known: tuple[str, ...]) -> UnknownNameError:
    """The error for a wrong name, with the nearest right ones."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    mend = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"
    return UnknownNameError(f"there is no {kind} called {name!r}", mend=mend)
