"""Finding, checking and adding weight files.

A file is looked for in the user's folder (``EQUILUX_WEIGHTS``, or ``weights`` below the user's
cache folder) and then where other packages bring or keep it. It is used only if its digest is
one that was declared; for files whose publisher gives no digest, the one of the first copy added
here is kept beside it (``FILE.sha256``) and a later change is refused.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from benchmark.errors import WeightsError
from benchmark.files import atomic_file, sha256_of_file, write_text
from benchmark.weights.base import WEIGHTS, Place, WeightFile

State = Literal["ok", "absent", "wrong", "unverified"]


@dataclass(frozen=True)
class Located:
    """A weight file that is at hand: where it is and its full SHA-256."""

    weight: WeightFile
    path: Path
    sha256: str


@dataclass(frozen=True)
class Status:
    """What the store knows about one file.

    Attributes:
        weight: what was asked for.
        state: ``ok``; ``absent``; ``wrong`` if a file is there whose digest was not declared;
            ``unverified`` if nobody ever declared a digest.
        path: where it is, if anywhere.
        sha256: of the file that is there, else empty.
    """

    weight: WeightFile
    state: State
    path: Path | None = None
    sha256: str = ""


class WeightStore:
    """The weight files at hand.

    Args:
        folder: where added files go; by default ``EQUILUX_WEIGHTS`` or the user's cache.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def status(self, name: str) -> Status:
        """Look for a file and check it; a good copy anywhere wins over a wrong one.

        Raises:
            UnknownNameError: for a name that is not in the catalogue.
        """
        weight = WEIGHTS.get(name)
        wrong = None
        for path in self._candidates(weight):
            digest = _digest(path)
            state = self._judge(weight, digest)
            if state != "wrong":
                return Status(weight, state, path, digest)
            wrong = wrong or Status(weight, state, path, digest)
        return wrong or Status(weight, "absent")

    def verify(self) -> list[Status]:
        """The status of every file in the catalogue, read anew."""
        _digest_at.cache_clear()
        return [self.status(name) for name in WEIGHTS.names()]

    def locate(self, name: str) -> Located | None:
        """The file, if it is at hand and is not a wrong one."""
        found = self.status(name)
        if found.path is None or found.state == "wrong":
            return None
        return Located(found.weight, found.path, found.sha256)

    def require(self, name: str) -> Located:
        """The file.

        Raises:
            WeightsError: if it is absent or not the declared one, with the mending command.
        """
        found = self.status(name)
        if found.path is None:
            weight = found.weight
            wanted = "" if weight.url or not weight.note else f"; wanted: {weight.note}"
            raise WeightsError(
                f"the weights {name!r} are not at hand (for {weight.used_for}){wanted}",
                where=str(self.folder / weight.file),
                mend=mending_command(weight),
            )
        if found.state == "wrong":
            raise WeightsError(
                f"this is not the file {name!r}: its SHA-256 is {found.sha256}",
                where=str(found.path),
                mend=f"delete it, then: {mending_command(found.weight)}",
            )
        return Located(found.weight, found.path, found.sha256)

    def add(
        self, name: str, file: Path, *, inspect: Callable[[Path], None] | None = None
    ) -> Located:
        """Copy a file into the store under its proper name, if it is the declared one.

        Args:
            name: in the catalogue.
            file: a copy that the user has.
            inspect: raises if the content is not what the name says. It is asked where nobody
                publishes a digest: the first copy is trusted ever after, and nothing else keeps
                a wrong one out.

        Raises:
            WeightsError: if it cannot be read, its digest was not declared, or ``inspect`` objects.
        """
        weight = WEIGHTS.get(name)
        try:
            digest = sha256_of_file(file)
        except OSError as error:
            raise WeightsError(
                f"cannot read: {error.strerror or error}", where=str(file), mend="check the path"
            ) from error
        self.check(weight, digest, source=str(file))
        if inspect is not None and not weight.sha256:
            inspect(file)
        with file.open("rb") as source, atomic_file(self.folder / weight.file) as target:
            shutil.copyfileobj(source, target)
        return self.remember(weight, digest)

    def check(self, weight: WeightFile, digest: str, *, source: str) -> None:
        """Refuse a digest that was not declared.

        Raises:
            WeightsError: naming both digests.
        """
        if self._judge(weight, digest) == "wrong":
            known = " or ".join(weight.sha256)
            expected = known or f"{self._remembered(weight)} as of the first copy"
            at = f": {weight.url}" if weight.url else ""
            first = f"if the first copy was wrong, delete {self._note(weight)} and do this again"
            raise WeightsError(
                f"not the file {weight.name!r}: SHA-256 {digest}, expected {expected}",
                where=source,
                mend=f"get the file from its publisher{at}" if known else first,
            )

    def remember(self, weight: WeightFile, digest: str) -> Located:
        """Note the digest of a file that has just taken its place here."""
        if not weight.sha256:
            write_text(self._note(weight), digest + "\n")
        return Located(weight, self.folder / weight.file, digest)

    def _candidates(self, weight: WeightFile) -> list[Path]:
        folders = [self.folder, *filter(None, map(_place, weight.places))]
        return [path for folder in folders if (path := folder / weight.file).is_file()]

    def _judge(self, weight: WeightFile, digest: str) -> State:
        declared = weight.sha256 or tuple(filter(None, [self._remembered(weight)]))
        if not declared:
            return "unverified"
        return "ok" if digest.startswith(declared) else "wrong"

    def _remembered(self, weight: WeightFile) -> str:
        note = self._note(weight)
        return note.read_text().strip() if note.is_file() else ""

    def _note(self, weight: WeightFile) -> Path:
        return self.folder / f"{weight.file}.sha256"


def default_folder() -> Path:
    """``EQUILUX_WEIGHTS``, or ``weights`` below the user's cache folder of this suite."""
    given = os.environ.get("EQUILUX_WEIGHTS")
    if given:
        return Path(given)
    import platformdirs

    return platformdirs.user_cache_path("equilux") / "weights"


def locate(name: str) -> Located | None:
    """:meth:`WeightStore.locate` in the default store."""
    return WeightStore().locate(name)


def require(name: str) -> Located:
    """:meth:`WeightStore.require` in the default store."""
    return WeightStore().require(name)


def mending_command(weight: WeightFile) -> str:
    """The one command that makes a weight file available."""
    if weight.url:
        return f"python -m benchmark weights fetch {weight.name}"
    return f"python -m benchmark weights add {weight.name} FILE"


def _place(place: Place) -> Path | None:
    """The folder of another package, without importing that package."""
    if place == "face_recognition_models":
        # its __init__ wants pkg_resources, which newer environments no longer have
        spec = importlib.util.find_spec("face_recognition_models")
        roots = spec.submodule_search_locations if spec else None
        return Path(next(iter(roots))) / "models" if roots else None
    if place == "torch_hub":
        import torch

        return Path(torch.hub.get_dir()) / "checkpoints"
    home = os.environ.get("DEEPFACE_HOME")
    return (Path(home) if home else Path.home()) / ".deepface" / "weights"


def _digest(path: Path) -> str:
    stat = path.stat()
    return _digest_at(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _digest_at(path: Path, size: int, modified: int) -> str:
    return sha256_of_file(path)
