"""An earlier execution of a flow: what its tasks gave, for one that starts in the middle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.workspace.directory import OWN, read_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["Earlier", "earlier"]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of it.

    Attributes:
        name: its folder's, as ``copy-3``.
        outputs: as expressions saw them. *states*: the last of each task.
        types: of its tasks. *written*: what tells whether each is still what it was, see `record.digest`.
    """

    name: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    states: Mapping[str, str]
    types: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)


def earlier(base: Path, name: str, wanted: str = "last") -> Earlier:
    """Return an execution from its record below the folder *base* of runs.

    Args:
        name: of the flow's runs. *wanted*: `last`, or the folder's name, ``copy-3``.

    Raises:
        KestraMagicError: there is none.
    """
    folders = _folders(base)
    asked = [folder for folder in folders if folder.name == wanted or folder.name.rpartition("-")[0] == wanted]
    mine = [folder for folder in folders if folder.name.rpartition("-")[0] == name]
    found = max(mine if wanted == "last" else asked, key=_number, default=None)
    if found is None:
        known = did_you_mean(wanted, [folder.name for folder in folders]) if wanted != "last" else ""
        said = f"`{name}` has not run yet" if wanted == "last" else f"there is no run `{wanted}`{known}"
        raise KestraMagicError(f"{said}: nothing to start from")
    return _read(found)


def _folders(base: Path) -> list[Path]:
    ended = [path for path in base.iterdir() if path.is_dir() and not path.is_symlink()] if base.is_dir() else []
    return [path for path in ended if path.name.rpartition("-")[2].isdigit() and (path / OWN / "run.json").is_file()]


def _number(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _read(folder: Path) -> Earlier:
    data = read_record(folder)
    if not data:
        raise KestraMagicError(f"the record of `{folder.name}` cannot be read")
    tasks = data.get("tasks", [])
    return Earlier(
        folder.name,
        data.get("inputs", {}),
        data.get("outputs", {}),
        _by_id(tasks, "state"),
        _by_id(tasks, "type"),
        data.get("written", {}),
    )


def _by_id(tasks: Iterable[Mapping[str, Any]], key: str) -> dict[str, str]:
    return {str(task["id"]): str(task.get(key, "")) for task in tasks}
