"""Reading YAML that a person wrote: strict, typed, and with the line in every complaint.

Hostile input is expected: files over a megabyte, anchors and aliases (the way small files become
huge), duplicate keys and tags are refused before anything is built.
"""

from __future__ import annotations

import difflib
import types
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.errors import SpecError

_MAX_BYTES = 1_000_000
_MAX_DEPTH = 40

Path_ = tuple[str | int, ...]


class Spec(BaseModel):
    """Base of all file formats: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def why_not(cls, key: str) -> str | None:
        """Why a key that a person may well write is not one; None where there is no more to say."""
        return None


S = TypeVar("S", bound=Spec)


def read_spec(path: Path, model: type[S]) -> S:
    """Read and validate one YAML file.

    Raises:
        SpecError: for anything wrong, naming file, line and key; all problems at once.
    """
    lines: dict[Path_, int] = {}
    data = _read(path, lines)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [_explain(path, model, problem, lines) for problem in error.errors()]
        raise SpecError(
            "\n".join(problems),
            mend=f"{len(problems)} problem{'s' * (len(problems) > 1)} in {path.name}",
        ) from None


def _read(path: Path, lines: dict[Path_, int]) -> Any:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SpecError(f"cannot read: {error.strerror}", where=str(path)) from error
    if len(raw) > _MAX_BYTES:
        raise SpecError("larger than 1 MB: this is not a file a person wrote", where=str(path))
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise SpecError("not UTF-8 text", where=f"{path}, byte {error.start}") from error
    try:
        _refuse_bombs(path, text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise SpecError(
            f"not valid YAML: {error.problem or error.context}",
            where=f"{path}:{_line(error.problem_mark or error.context_mark)}",
            mend="check indentation, quotes and colons near that line",
        ) from error
    except yaml.YAMLError as error:
        raise SpecError(f"not valid YAML: {error}", where=str(path)) from error
    if node is None:
        raise SpecError("the file is empty", where=str(path))
    return _build(path, node, (), lines)


def _refuse_bombs(path: Path, text: str) -> None:
    """Aliases, and depths at which building would fall: the events come without recursion."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise SpecError(
                "anchors and aliases are not allowed",
                where=f"{path}:{_line(event.start_mark)}",
                mend="write the value out where it is needed",
            )
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise SpecError(
                f"nested deeper than {_MAX_DEPTH} levels",
                where=f"{path}:{_line(event.start_mark)}",
            )


def _line(mark: Any) -> int:
    """Line of a position in the text, counted from 1; some events have no position."""
    return mark.line + 1 if mark is not None else 1


def _build(path: Path, node: yaml.Node, at: Path_, lines: dict[Path_, int]) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(at, line)
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            key_line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise SpecError("a key must be plain text", where=f"{path}:{key_line}")
            if key in result:
                raise SpecError(f"the key {key!r} is given twice", where=f"{path}:{key_line}")
            lines[(*at, key)] = key_line
            result[key] = _build(path, value_node, (*at, key), lines)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_build(path, item, (*at, i), lines) for i, item in enumerate(node.value)]
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        raise SpecError(f"cannot read the value: {error}", where=f"{path}:{line}") from error


def _explain(path: Path, model: type[Spec], problem: Any, lines: dict[Path_, int]) -> str:
    location = tuple(part for part in problem["loc"] if part in _known_parts(lines))
    line = next(lines[location[:n]] for n in range(len(location), -1, -1) if location[:n] in lines)
    key = ".".join(map(str, problem["loc"])) or "(top level)"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        known = _fields_at(model, problem["loc"][:-1])
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        message = model.why_not(key) or f"unknown key; {hint}"
    elif problem["type"] == "missing":
        message = "this key is required"
    return f"{path}:{line}: {key}: {message}"


def _known_parts(lines: dict[Path_, int]) -> set[str | int]:
    return {part for path in lines for part in path}


def _fields_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Names of the fields of the model found by following ``location`` through annotations."""
    current: Any = model
    for part in location:
        models = _models_in(current)
        if isinstance(part, int) or not models:
            continue
        found = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        if found:
            current = found[0]
    return sorted({name for m in _models_in(current) for name in m.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType, Annotated, tuple, list, dict):
        return [m for inner in get_args(annotation) for m in _models_in(inner)]
    return []
