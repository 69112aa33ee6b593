"""Where an enhancer comes from: the same words in a submission and on the command line.

clahe                                a registered name
package.module:factory               code, which runs only with ``--trust``
onnx:model.onnx                      an ONNX file
spandrel:weights.safetensors         weights whose architecture spandrel recognises
hub:owner/name@COMMIT/model.onnx     such a file in a pinned revision of the Hugging Face Hub
outputs:folder                       pictures that were made elsewhere, named as their inputs
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from benchmark.errors import EquiluxError

Form = Literal["registered", "code", "onnx", "spandrel", "hub", "outputs"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_.+-]{0,62}")
_CODE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_REPO = re.compile(r"[A-Za-z0-9][\w-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SPANDREL_FILES = frozenset({".safetensors", ".pth", ".pt", ".ckpt", ".th"})
_LONGEST = 400

#: What ``--trust`` means, wherever it is asked for.
TRUST = (
    "Run code that is not part of this suite (module:factory). It runs as you, with all your "
    "rights: it can read, change and send whatever you can. Say so only of code that you have read."
)
GRAMMAR = (
    "a registered name, package.module:factory, onnx:FILE, spandrel:FILE, "
    "hub:owner/name@COMMIT/FILE or outputs:FOLDER"
)


@dataclass(frozen=True)
class Origin:
    """Exactly one way in which an enhancer is given.

    Attributes:
        form: which way.
        target: the name, ``module:factory``, or path of the file or folder; for the Hub, the path
            inside the repository.
        repo: ``owner/name`` on the Hub, else empty.
        revision: 40 hexadecimal digits, else empty.
    """

    form: Form
    target: str
    repo: str = ""
    revision: str = ""

    def __str__(self) -> str:
        if self.form == "hub":
            return f"hub:{self.repo}@{self.revision}/{self.target}"
        return self.target if self.form in {"registered", "code"} else f"{self.form}:{self.target}"

    @property
    def reader(self) -> Form:
        """The form that the bytes have: a file of the Hub is an ONNX file or spandrel's."""
        if self.form != "hub":
            return self.form
        return "onnx" if PurePosixPath(self.target).suffix == ".onnx" else "spandrel"


def parse_origin(text: str) -> Origin:
    """Understand one line; looks at nothing but the text.

    Raises:
        EquiluxError: if it is of none of the forms, or a file is of a type that its form is not.
    """
    scheme, colon, rest = text.partition(":")
    if len(text) > _LONGEST or not text.isprintable():
        raise _malformed(text, "too long, or not plain text")
    if colon and scheme in {"onnx", "spandrel", "outputs"} and rest:
        if scheme == "onnx" and not rest.endswith(".onnx"):
            raise _malformed(text, "an ONNX file is called *.onnx")
        if scheme == "spandrel" and PurePosixPath(rest).suffix not in _SPANDREL_FILES:
            raise _malformed(text, f"weights end in {', '.join(sorted(_SPANDREL_FILES))}")
        return Origin(scheme, rest)  # type: ignore[arg-type]
    if colon and scheme == "hub":
        return _hub(text, rest)
    if _CODE.fullmatch(text):
        return Origin("code", text)
    if _NAME.fullmatch(text):
        return Origin("registered", text)
    raise _malformed(text, "no enhancer is written so")


def safe_relative(path: str) -> bool:
    """Whether a path stays inside the folder that it is relative to, on any system."""
    parts = path.split("/")
    plain = "\\" not in path and ":" not in path and not path.startswith(("/", "~"))
    return plain and all(part not in {"", ".", ".."} for part in parts)


def _hub(text: str, rest: str) -> Origin:
    repo, at, pinned = rest.partition("@")
    revision, slash, file = pinned.partition("/")
    if not _REPO.fullmatch(repo) or not at or not slash:
        raise _malformed(text, "write hub:owner/name@COMMIT/FILE")
    if not _COMMIT.fullmatch(revision):
        raise _malformed(
            text, f"the revision is not pinned: {revision or 'none'} is not a commit's 40 digits"
        )
    if not safe_relative(file):
        raise _malformed(text, "the file's path leaves the repository")
    if PurePosixPath(file).suffix not in _SPANDREL_FILES | {".onnx"}:
        raise _malformed(text, "name an .onnx file or weights that spandrel reads")
    return Origin("hub", file, repo, revision)


def _malformed(text: str, why: str) -> EquiluxError:
    shown = text[:60] + ("..." if len(text) > 60 else "")
    return EquiluxError(f"{shown!r} is no enhancer: {why}", mend=f"give {GRAMMAR}")
