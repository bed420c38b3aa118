"""What is done here otherwise than on a server: said in one line each, refused when one is strict."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from kestra_magic.model.legacy import LegacyScript
from kestra_magic.model.source import Problem, SourceError
from kestra_magic.model.tasks import PythonScript, ScriptTask
from kestra_magic.runs.flow.known import paths_of
from kestra_magic.runs.flow.triggers import told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kestra_magic.model.flow import Flow
    from kestra_magic.model.source import Document

__all__ = ["notes", "refuse_what_differs"]


def notes(flow: Flow) -> list[str]:
    """Return a line for what a server would do otherwise."""
    return [*_pythons(flow), *_images(flow), *told(flow.triggers)]


def _pythons(flow: Flow) -> list[str]:
    names = [task.id for task in flow.all_tasks() if isinstance(task, PythonScript) and task.python_version is None]
    return [f"Python tasks run with the kernel's Python {platform.python_version()}"] if names else []


def _images(flow: Flow) -> Iterator[str]:
    by_image: dict[str, list[str]] = {}
    for task in _in_containers(flow):
        by_image.setdefault(task.image, []).append(f"`{task.id}`")
    for image, names in by_image.items():
        shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
        yield f"Kestra would use the image {image} for {shown}; here it is a process"


def _in_containers(flow: Flow) -> list[ScriptTask | LegacyScript]:
    return [
        task
        for task in flow.all_tasks()
        if isinstance(task, ScriptTask | LegacyScript) and not task.disabled and not task.asks_for_process
    ]


def refuse_what_differs(flow: Flow, document: Document) -> None:
    """Refuse, with its line, each task that a server would run otherwise.

    Raises:
        SourceError: there are some.
    """
    paths = paths_of(document)
    problems = [
        Problem(document.line(paths.get(task.id, ())), f"`{task.id}`: Kestra would use the image {task.image} (strict)")
        for task in _in_containers(flow)
    ]
    if problems:
        raise SourceError(document.source, problems)
