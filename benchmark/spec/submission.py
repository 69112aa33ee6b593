"""A submission: an enhancer that somebody wants measured, as a registry entry on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from benchmark.errors import SpecError
from benchmark.paths import CHECKOUT
from benchmark.registry import unknown_name
from benchmark.spec.task import Name
from benchmark.spec.yamlfile import Spec, read_spec


class SubmissionSpec(Spec):
    """``leaderboards/submissions/<owner>/<name>.yaml``, format 1.

    The enhancer is one that is registered, by this distribution or by an installed plug-in; other
    forms (weights files, Hub repositories, folders of outputs) are not read by this release.
    """

    format: Literal[1]
    owner: Name
    name: Name
    title: str
    enhancer: Name
    licence: str
    training_data: str
    contact: str
    responsible_use: str


def submission_folder() -> Path:
    """Where the checkout keeps its submissions."""
    return CHECKOUT / "leaderboards" / "submissions"


def submission_names() -> tuple[str, ...]:
    """``owner/name`` of every submission, sorted."""
    folder = submission_folder()
    files = folder.glob("*/*.yaml")
    return tuple(sorted(path.relative_to(folder).with_suffix("").as_posix() for path in files))


def find_submission(name: str) -> SubmissionSpec:
    """The submission called ``owner/name``.

    Raises:
        UnknownNameError: with the nearest names.
        SpecError: if the file is wrong, or says another owner or name than its path.
    """
    if name not in submission_names():
        raise unknown_name("submission", name, submission_names())
    path = submission_folder() / f"{name}.yaml"
    spec = read_spec(path, SubmissionSpec)
    if f"{spec.owner}/{spec.name}" != name:
        raise SpecError(
            f"the file says {spec.owner}/{spec.name} but lies at {name}",
            where=str(path),
            mend="make the two the same",
        )
    return spec
