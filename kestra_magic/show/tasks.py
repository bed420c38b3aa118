"""A flow's tasks over time: the rows of its Gantt chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kestra_magic.runs.progress import Progress, TaskRun

__all__ = ["tasks_of"]

MOST_TASKS = 500
"""Rows that a page is told of; a loop over thousands tells its last ones."""


def tasks_of(progress: Progress) -> list[dict[str, Any]]:
    """Return the task runs in the order they began, each with the attempts that a bar is drawn of."""
    return [_row(task) for task in list(progress.task_runs.values())[-MOST_TASKS:]]


def _row(task: TaskRun) -> dict[str, Any]:
    return {
        "id": task.id,
        "name": f"{task.task_id} {task.value}" if task.value is not None else task.task_id or task.id,
        "type": _short(task.type),
        "parent": task.parent,
        "state": task.state.value,
        "error": task.error,
        "started": task.started,
        "ended": task.ended if task.state.ended else None,
        "attempts": [
            {"started": tried.started, "ended": tried.ended, "state": tried.state.value}
            for tried in task.attempts
            if tried.started is not None
        ],
    }


def _short(kind: str) -> str:
    """``python.Script`` of ``io.kestra.plugin.scripts.python.Script``."""
    return ".".join(kind.split(".")[-2:])
