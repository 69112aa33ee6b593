"""Finding tasks and mappings by name, and reading them strictly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import EquiluxError, SpecError
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

    def beside(self, reference: str) -> str:
        """A reference to data as the task's file means it: paths are relative to that file."""
        return reference if reference.startswith("hub:") else str(self.folder / reference)


def mapping_files() -> dict[str, Path]:
    """Mappings that ship with any task, by name."""
    found: dict[str, Path] = {}
    for folder in task_folders():  # the user's own tasks come first
        for path in folder.glob("*/mappings/*.yaml"):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def mapping_for(data: str, reference: str | None) -> MappingSpec:
    """How to read some data.

    Args:
        data: the reference to the data; a folder may hold its own ``mapping.yaml``.
        reference: a path, or the name of a mapping that ships with a task; None for the folder's.

    Raises:
        UnknownNameError: with the nearest names.
        EquiluxError: if there is no mapping.
    """
    if reference is None:
        own = Path(data) / "mapping.yaml"
        if not own.is_file():
            raise EquiluxError(
                "there is no mapping.yaml and no --mapping was given",
                where=data,
                mend="--mapping FILE or NAME says which columns are picture, identity and axes: "
                "`python -m benchmark data list` shows those that ship with the suite",
            )
        return read_spec(own, MappingSpec)
    if Path(reference).suffix in {".yaml", ".yml"}:
        return read_spec(Path(reference), MappingSpec)
    shipped = mapping_files()
    if reference not in shipped:
        raise unknown_name("mapping", reference, tuple(shipped))
    return read_spec(shipped[reference], MappingSpec)


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
