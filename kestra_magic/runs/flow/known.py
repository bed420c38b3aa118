"""Where the tasks of a flow were written, and where other flows lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.checks import written_tasks
from kestra_magic.model.source import Source, load_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from kestra_magic.model.source import Document
    from kestra_magic.tasks.place import Path_

__all__ = ["flow_beside", "paths_of"]


def paths_of(document: Document) -> dict[str, Path_]:
    """Return the path of each task in its document, by its id."""
    return {task["id"]: path for path, task in written_tasks(document.value, ()) if isinstance(task.get("id"), str)}


def flow_beside(folder: Path, namespace: str, flow_id: str) -> Source | None:
    """Return the file in *folder* that holds the flow; None if there is none."""
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        try:
            source = Source(path.read_text("utf-8"), path.name)
            value = load_yaml(source).value
        except (OSError, UnicodeDecodeError, KestraMagicError):  # another file, of another tool
            continue
        if isinstance(value, dict) and (value.get("namespace"), value.get("id")) == (namespace, flow_id):
            return source
    return None
