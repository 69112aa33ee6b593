"""An enhancer from outside, whichever way it is given: found, known by its digest, and built."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmark.enhancers.adapters.outputs import OutputFolder
from benchmark.enhancers.base import Enhancer
from benchmark.errors import EquiluxError, WeightsError
from benchmark.files import sha256_of_file
from benchmark.spec.origin import Form, Origin
from benchmark.weights.store import default_folder

_LIBRARY: dict[Form, str] = {"onnx": "onnxruntime", "spandrel": "spandrel"}
_LARGEST_PACKAGE = 2 << 30


@dataclass(frozen=True)
class Outside:
    """An enhancer that is not registered, and is at hand.

    Attributes:
        origin: as it was given.
        path: the file or folder; for code, the package's folder or the module's file.
        sha256: of the file; of names and contents, where it is a folder.
    """

    origin: Origin
    path: Path
    sha256: str

    @property
    def maps_pixels(self) -> bool:
        """False for a folder of outputs, which can answer for its own pictures only."""
        return self.origin.form != "outputs"

    def payload(self) -> dict[str, Any]:
        """What decides the outputs: the bytes and what reads them, not where they lie."""
        form = self.origin.reader
        found: dict[str, Any] = {"form": form, "sha256": self.sha256}
        if form == "code":
            found["factory"] = self.origin.target
        if form in _LIBRARY:
            found["library"] = _release(_LIBRARY[form])
        return found

    def inspect(self) -> None:
        """Open a file of weights once, so that a bad one is told before any work.

        Raises:
            WeightsError: if it is damaged, holds code, or is of no architecture that is known.
        """
        if self.origin.reader in _LIBRARY:
            build(self.origin.reader, self.path)

    def parameters(self) -> int:
        """Numbers that the file holds; 0 where they cannot be counted without running code."""
        if self.origin.reader == "onnx":
            from benchmark.enhancers.adapters.onnx import count_parameters

            return count_parameters(self.path)
        if self.origin.reader == "spandrel":
            from benchmark.weights import load_tensors

            return sum(t.numel() for t in load_tensors(self.path).values() if t.is_floating_point())
        return 0


def locate(origin: Origin, *, beside: Path | None = None, sha256: str | None = None) -> Outside:
    """Find what a reference means; imports no foreign code and opens no connection.

    Args:
        origin: any form but ``registered``.
        beside: folder that a submission's paths are relative to; files that are not there are
            looked for in ``submissions/OWNER`` of the weights folder. None: the working folder.
        sha256: what was declared.

    Raises:
        EquiluxError: if it is not here, leaves the folder through a link, or is something else
            than was declared.
    """
    path = _find(origin, beside)
    found = _digest(origin, path)
    if sha256 is not None and found != sha256:
        raise WeightsError(
            f"these are not the declared bytes: sha256 {found} instead of {sha256}",
            where=str(path),
            mend="get what was submitted, or submit this as something new",
        )
    return Outside(origin, path, found)


def build(form: Form, path: Path, *, factory: str = "", trusted: bool = False) -> Enhancer:
    """The enhancer behind a file or a factory.

    Raises:
        EquiluxError: as the adapters do; for code without trust.
    """
    match form:
        case "onnx":
            from benchmark.enhancers.adapters.onnx import OnnxEnhancer

            return OnnxEnhancer(path)
        case "spandrel":
            from benchmark.enhancers.adapters.spandrel import SpandrelEnhancer

            return SpandrelEnhancer(path)
        case _:
            from benchmark.enhancers.adapters.code import from_factory

            return from_factory(factory, trusted=trusted)


def digest_of_code(path: Path) -> str:
    """SHA-256 of a module's file, or of names and contents of all files of a package.

    Raises:
        EquiluxError: for a package too large to be meant.
    """
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if _matters(p))
    if sum(file.stat().st_size for file in files) > _LARGEST_PACKAGE:
        raise EquiluxError("the package is larger than 2 GB", where=str(path), mend="name another")
    root = path.parent if path.is_file() else path
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(root).as_posix()}\0{sha256_of_file(file)}\n".encode())
    return digest.hexdigest()


def _matters(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"


def _digest(origin: Origin, path: Path) -> str:
    if origin.form == "outputs":
        return OutputFolder(path).digest()
    return digest_of_code(path) if origin.form == "code" else sha256_of_file(path)


def _find(origin: Origin, beside: Path | None) -> Path:
    if origin.form == "code":
        return _package(origin)
    if origin.form == "hub":
        return _fetched(origin)
    if beside is None:
        return _there(Path(origin.target).expanduser(), origin)
    roots = (beside, default_folder() / "submissions" / beside.resolve().name)
    for root in roots:
        path = root / origin.target
        if path.exists():
            if not path.resolve().is_relative_to(root.resolve()):
                raise EquiluxError(
                    "the path leaves the folder through a link", where=str(path), mend="copy it"
                )
            return _there(path, origin)
    raise WeightsError(
        f"{origin.target} is not on this machine",
        where=str(roots[0] / origin.target),
        mend=f"put it there or at {roots[1] / origin.target}; `show submissions` has its links",
    )


def _there(path: Path, origin: Origin) -> Path:
    wanted = Path.is_dir if origin.form == "outputs" else Path.is_file
    if not wanted(path):
        kind = "folder" if origin.form == "outputs" else "file"
        raise WeightsError(f"no such {kind}", where=str(path), mend="check the path")
    return path.resolve()


def _package(origin: Origin) -> Path:
    """Where the code lies; looking for the outermost package imports nothing."""
    top = origin.target.partition(":")[0].partition(".")[0]
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    places = list(spec.submodule_search_locations or []) if spec else []
    file = places[0] if places else spec.origin if spec else None
    if file is None or not Path(file).exists():
        raise EquiluxError(
            f"there is no module {top!r} here",
            where=str(origin),
            mend="install the package, or start from the folder that it lies in",
        )
    return Path(file).resolve()


def _fetched(origin: Origin) -> Path:
    """The file in the Hub's cache; a run opens no connection."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(origin.repo, origin.target, revision=origin.revision)
    if not isinstance(found, str):
        raise WeightsError(
            "this file of the Hub is not on this machine, and a run opens no connection",
            where=str(origin),
            mend=f"python -m benchmark weights fetch {origin}",
        )
    return Path(found)


def fetch(origin: Origin) -> Path:
    """Download one file of a pinned revision of the Hub; nothing is uploaded.

    Raises:
        WeightsError: within seconds if there is no network, no such file, or no right to it.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        return Path(
            hf_hub_download(origin.repo, origin.target, revision=origin.revision, etag_timeout=5.0)
        )
    except (HTTPError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise WeightsError(
            f"cannot fetch from the Hub: {reason[0]}",
            where=str(origin),
            mend="check the network, the name and your rights to it; "
            f"https://huggingface.co/{origin.repo}/tree/{origin.revision}",
        ) from error


def _release(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"
