"""Writing a submission: everything is checked in a temporary folder, then moved, the file last."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from benchmark.enhancers.adapters.outside import locate
from benchmark.errors import EquiluxError, SpecError, StoreError
from benchmark.files import write_text
from benchmark.runner.standing import licence_problem, name_problem
from benchmark.runner.systems import refuse_arms, registered_runs
from benchmark.spec.origin import Origin, parse_origin
from benchmark.spec.submission import SubmissionSpec, read_submission, submission_folder
from benchmark.weights.store import default_folder

#: Bytes up to which weights lie in git, beside the submission.
SMALL = 5_000_000
#: Names that a folder for the moment may have; whether they are good ones is judged later.
_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}")
_HEADER = "# A submission; every key is documented in docs/submit-a-model.md.\n"


@dataclass(frozen=True)
class Written:
    """What was written: the submission, and where its file or folder of outputs went, if any."""

    spec: SubmissionSpec
    path: Path
    copied: Path | None


def write_submission(answers: Mapping[str, Any], *, folder: Path | None = None) -> Written:
    """Check answers as a file would be checked, and write the file.

    Weights of up to 5 MB go beside it; larger ones, and outputs, into the weights folder.

    Args:
        answers: as in the format, but ``enhancer`` with a path as it is here, and no digest.
        folder: of all submissions.

    Raises:
        EquiluxError: for anything wrong; then nothing has been written.
    """
    folder = folder or submission_folder()
    given = parse_origin(str(answers["enhancer"]))
    content = dict(answers) | {"format": 2}
    source: Path | None = None
    if given.form != "registered":
        found = locate(given)
        content["weights"] = dict(answers.get("weights") or {}) | {"sha256": found.sha256}
        if given.form in {"onnx", "spandrel", "outputs"}:
            source = found.path
            content["enhancer"] = str(_named(given, str(answers["name"]), source))
    spec = _checked(content)
    content["licence"] = spec.licence
    if given.form == "registered":
        registered_runs(spec, seeds=(0,), where=spec.full_name)
    else:
        refuse_arms(spec, spec.full_name)
    _refuse_conflicts(spec, folder)
    target = folder / spec.owner / f"{spec.name}.yaml"
    copied = _copy(source, spec, folder) if source is not None else None
    try:
        write_text(target, as_yaml(content))
    except StoreError:
        _remove(copied)
        raise
    return Written(spec, target, copied)


def as_yaml(content: Mapping[str, Any]) -> str:
    """A submission's file, keys in the order of the format."""
    order = [key for key in SubmissionSpec.model_fields if content.get(key) not in (None, {})]
    shown = {key: content[key] for key in order if content[key] != [] or key == "training_data"}
    body = yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=96)
    return _HEADER + body


def _checked(content: Mapping[str, Any]) -> SubmissionSpec:
    """Read the file as anybody would, from a folder that is thrown away."""
    owner, name = (str(content.get(key, "")) for key in ("owner", "name"))
    with tempfile.TemporaryDirectory(prefix="equilux-") as scratch:
        plain = all(_PLAIN.fullmatch(part) for part in (owner, name))
        path = Path(scratch) / owner / f"{name}.yaml" if plain else Path(scratch) / "new.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(as_yaml(content), encoding="utf-8")
        try:
            return read_submission(path)
        except SpecError as error:
            # nobody can look up a line of a file that is gone
            said = re.sub(rf"^{re.escape(str(path))}:\d+: ", "", error.what, flags=re.MULTILINE)
            raise SpecError(said, mend="nothing was written; answer that again") from None


def _refuse_conflicts(spec: SubmissionSpec, folder: Path) -> None:
    taken = {p.relative_to(folder).with_suffix("").as_posix() for p in folder.glob("*/*.yaml")}
    for why, mend in (
        (name_problem(spec, taken), "choose another name"),
        (licence_problem(spec), "give the licence that it is registered under"),
    ):
        if why:
            raise EquiluxError(why, where=spec.full_name, mend=mend)


def _named(given: Origin, name: str, source: Path) -> Origin:
    """The same, under the submission's name: two files called model.onnx may share a folder."""
    return replace(given, target=name + (source.suffix if source.is_file() else ""))


def _copy(source: Path, spec: SubmissionSpec, folder: Path) -> Path:
    beside = source.is_file() and source.stat().st_size <= SMALL
    root = folder / spec.owner if beside else default_folder() / "submissions" / spec.owner
    target = root / spec.origin.target
    if target.exists():
        if target.resolve() == source:
            return target
        raise EquiluxError("there is something already", where=str(target), mend="move it away")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=target.parent, prefix=".tmp-"))
        try:
            copy = shutil.copytree if source.is_dir() else shutil.copyfile
            copy(source, work / "new")
            (work / "new").replace(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise StoreError(f"cannot write: {error.strerror}", where=str(target)) from error
    return target


def _remove(path: Path | None) -> None:
    if path is not None:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
