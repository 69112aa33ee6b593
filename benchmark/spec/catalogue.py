"""Finding tasks and mappings by name, and reading them strictly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import SpecError
from benchmark.paths import task_folders
from benchmark.registry import unknown_name
from benchmark.spec.mapping import MappingSpec
from benchmark.spec.task import TaskSpec
from benchmark.spec.yamlfile import read_spec


@dataclass(frozen=True)
class TaskFolder:
    """A task and where its files are."""

    spec: TaskSpec
    folder: Path

    def mapping(self, reference: str) -> MappingSpec:
        """A mapping given by a path, or by the name of one that ships with the task."""
        shipped = sorted((self.folder / "mappings").glob("*.yaml"))
        named = {path.stem: path for path in shipped}
        path = Path(reference)
        if path.suffix in {".yaml", ".yml"}:
            return read_spec(path, MappingSpec)
        if reference in named:
            return read_spec(named[reference], MappingSpec)
        raise unknown_name("mapping", reference, tuple(named))


def task_names() -> tuple[str, ...]:
    """Names of all tasks that can be found, sorted."""
    return tuple(sorted({path.parent.name for path in _task_files()}))


def find_task(reference: str) -> TaskFolder:
    """A task by name, or by the path of its ``task.yaml``.

    Raises:
        UnknownNameError: with the nearest names.
        SpecError: if the file is wrong, or its name is not that of its folder.
    """
    path = Path(reference)
    if path.suffix in {".yaml", ".yml"}:
        return TaskFolder(read_spec(path, TaskSpec), path.parent)
    for path in _task_files():
        if path.parent.name == reference:
            spec = read_spec(path, TaskSpec)
            if spec.name != reference:
                raise SpecError(
                    f"the task calls itself {spec.name!r} but its folder is {reference!r}",
                    where=str(path),
                    mend="make the two the same",
                )
            return TaskFolder(spec, path.parent)
    raise unknown_name("task", reference, task_names())


def _task_files() -> Iterator[Path]:
    for folder in task_folders():
        yield from sorted(folder.glob("*/task.yaml"))
