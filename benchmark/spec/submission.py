"""A submission: an enhancer that somebody wants measured, as a registry entry on disk."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from benchmark.errors import EquiluxError, SpecError
from benchmark.paths import CHECKOUT
from benchmark.registry import unknown_name
from benchmark.spec.datasets import DATASETS, OTHER
from benchmark.spec.origin import Origin, parse_origin, safe_relative
from benchmark.spec.task import Name
from benchmark.spec.yamlfile import Spec, read_spec

_SLUG = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        raise ValueError(
            "write lower-case letters and digits, with single hyphens, dots or underscores between"
        )
    if text.partition(".")[0] in _DEVICES:
        raise ValueError("Windows keeps this name for a device: nobody there could check it out")
    return text


def _digest(text: str) -> str:
    if not _SHA256.fullmatch(text):
        raise ValueError("a sha256 has 64 hexadecimal digits, in lower case")
    return text


def _plain(text: str) -> str:
    """Refuse what a reader cannot see: control characters, and those that turn text around."""
    for character in text:
        if character != "\n" and unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs"}:
            raise ValueError(f"the character U+{ord(character):04X} cannot be seen; take it out")
    if not text.strip():
        raise ValueError("say something")
    return text


def _one_line(text: str) -> str:
    if "\n" in text:
        raise ValueError("one line, please")
    return _plain(text)


def _link(text: str) -> str:
    if not text.startswith("https://") or not text.isascii() or set(text) & set("\"'<>\\` \n"):
        raise ValueError("a link starts with https:// and holds no spaces or quotes")
    return text


def _licence(text: str) -> str:
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression as error:
        raise ValueError(
            f"{error}; give an SPDX id such as MIT or CC-BY-NC-4.0 (https://spdx.org/licenses), "
            "or LicenseRef-... for terms that have none"
        ) from None


def _dataset(text: str) -> str:
    if text != OTHER and text not in DATASETS:
        error = unknown_name("dataset", text, tuple(DATASETS))
        raise ValueError(f"{error.what}; {error.mend}; or `{OTHER}`, named in the evidence")
    return text


#: Owners and names: lower-case letters, digits, single hyphens, dots or underscores between them.
Slug = Annotated[str, Field(min_length=2, max_length=40, strict=True), AfterValidator(_slug)]
Line = Annotated[str, Field(max_length=120, strict=True), AfterValidator(_one_line)]
Text = Annotated[str, Field(max_length=1200, strict=True), AfterValidator(_plain)]
Link = Annotated[str, Field(max_length=300, strict=True), AfterValidator(_link)]
Licence = Annotated[str, Field(max_length=120, strict=True), AfterValidator(_licence)]
Dataset = Annotated[str, Field(strict=True), AfterValidator(_dataset)]
Sha256 = Annotated[str, Field(strict=True), AfterValidator(_digest)]

#: Forms whose bytes are not this suite's, so that their digest has to be declared.
_PINNED = frozenset({"code", "onnx", "spandrel", "hub", "outputs"})

_SCORES = frozenset(
    {
        *("score", "scores", "result", "results", "metric", "metrics", "accuracy", "psnr", "ssim"),
        *("lpips", "niqe", "rank", "ranks", "ranking", "performance", "evaluation", "evaluations"),
        *("benchmark", "leaderboard", "model-index"),
    }
)


class Weights(Spec):
    """What exactly is submitted."""

    sha256: Sha256 = Field(
        description="Of the file; of names and contents of a folder of outputs; of all files of "
        "the package that code lies in. `submit digest` prints it."
    )
    url: Link | None = Field(default=None, description="Where others get the file.")


class Learned(Spec):
    """One dataset that the enhancer has learned from."""

    dataset: Dataset
    how: Literal["trained", "unpaired", "overlaps", "unknown"] = Field(
        description="With references, without, or on data that share images with it."
    )
    evidence: Line = Field(description="Where that is written.")


class SubmissionSpec(Spec):
    """``leaderboards/submissions/<owner>/<name>.yaml``, format 2."""

    format: Literal[2]
    owner: Slug
    name: Slug
    title: Line
    enhancer: Annotated[str, Field(max_length=400, strict=True)] = Field(
        description="Exactly one form, see benchmark/spec/origin.py; paths are relative to the file"
    )
    weights: Weights | None = Field(default=None, validate_default=True)
    arms: list[Name] = Field(
        default=[], max_length=12, description="Of a host: in which arms it is trained."
    )
    licence: Licence
    training_data: list[Learned] = Field(
        max_length=40, description="All of it; an empty list says that nothing was learned."
    )
    contact: Line
    links: dict[Literal["paper", "code", "weights", "home"], Link] = {}
    responsible_use: Text

    @field_validator("enhancer")
    @classmethod
    def _one_form(cls, text: str) -> str:
        try:
            origin = parse_origin(text)
        except EquiluxError as error:
            raise ValueError(f"{error.what}; {error.mend}") from None
        if origin.form in {"onnx", "spandrel", "outputs"} and not safe_relative(origin.target):
            raise ValueError(
                f"the path {origin.target!r} leaves the folder of this file; put it beside, "
                "and write the path from there, with forward slashes"
            )
        return text

    @field_validator("weights")
    @classmethod
    def _pinned(cls, given: Weights | None, info: ValidationInfo) -> Weights | None:
        if "enhancer" not in info.data:  # wrong itself, which is told
            return given
        form = parse_origin(info.data["enhancer"]).form
        if form in _PINNED and given is None:
            raise ValueError("say which bytes are meant: weights: {sha256: ...}")
        if form not in _PINNED and given is not None:
            raise ValueError("a registered enhancer knows its own weights; leave this out")
        return given

    @classmethod
    def why_not(cls, key: str) -> str | None:
        """Scores are the key that everybody would like to write."""
        if key.lower().replace("_", "-") in _SCORES:
            return "scores are measured here, always; reported ones are not accepted"
        return None

    @property
    def origin(self) -> Origin:
        """Where the enhancer comes from."""
        return parse_origin(self.enhancer)

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"


def submission_folder() -> Path:
    """Where the checkout keeps its submissions."""
    return CHECKOUT / "leaderboards" / "submissions"


def submission_names() -> tuple[str, ...]:
    """``owner/name`` of every submission, sorted."""
    folder = submission_folder()
    files = folder.glob("*/*.yaml")
    return tuple(sorted(path.relative_to(folder).with_suffix("").as_posix() for path in files))


def submission_path(name: str) -> Path:
    """The file of the submission called ``owner/name``.

    Raises:
        UnknownNameError: with the nearest names.
    """
    if name not in submission_names():
        raise unknown_name("submission", name, submission_names())
    return submission_folder() / f"{name}.yaml"


def find_submission(name: str) -> SubmissionSpec:
    """The submission called ``owner/name``.

    Raises:
        UnknownNameError: with the nearest names.
        SpecError: as :func:`read_submission`.
    """
    return read_submission(submission_path(name))


def read_submission(path: Path) -> SubmissionSpec:
    """Read a submission from ``.../<owner>/<name>.yaml``, wherever that is.

    Raises:
        SpecError: if the file is wrong, is a link, or says another owner or name than its path.
    """
    if path.is_symlink() or path.parent.is_symlink():
        raise SpecError("a submission is a file, not a link", where=str(path), mend="copy it there")
    spec = read_spec(path, SubmissionSpec)
    place = f"{path.resolve().parent.name}/{path.stem}"
    if spec.full_name != place or path.suffix != ".yaml":
        raise SpecError(
            f"the file says {spec.full_name} but lies at {place}",
            where=str(path),
            mend=f"make the two the same: {spec.owner}/{spec.name}.yaml",
        )
    return spec


def as_mapping(spec: SubmissionSpec) -> Mapping[str, Any]:
    """What a file holds, in the order of the format, without what was left to its default."""
    return spec.model_dump(mode="json", exclude_unset=True)
