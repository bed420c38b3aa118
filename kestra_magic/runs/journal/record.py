"""`run.json`: what a run was, for whoever comes later. All that was measured is here, and not in the notebook."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from dataclasses import asdict, fields
from datetime import date, timedelta
from datetime import time as clock
from typing import TYPE_CHECKING, Any

from kestra_magic.expressions.javatime import duration_text
from kestra_magic.runs.journal.unfinished import forget, so_far
from kestra_magic.workspace import directory
from kestra_magic.workspace.transfer import TransferError

if TYPE_CHECKING:
    from pathlib import Path

    from kestra_magic.model.tasks import Task
    from kestra_magic.runs.context import Context
    from kestra_magic.runs.progress import State
    from kestra_magic.runs.result import TaskResult

__all__ = ["LOST", "as_text", "digest", "head", "of_task", "record", "write_lost", "write_record"]


LOST = "its kernel ended before it did"


def write_record(context: Context, state: State, error: str) -> None:
    """Write ``run.json``; one that is there is replaced whole or not at all.

    Raises:
        TransferError: the disk does not take it.
    """
    text = context.masked(json.dumps(record(context, state, error), default=as_text))
    directory.write_record(context.folder.path, text)
    if not context.cell:
        forget(context.folder.path)


def digest(context: Context, task: Task) -> str:
    """Return what tells whether *task* is still what was written."""
    written = json.dumps(context.written(task), sort_keys=True, default=str)
    return hashlib.blake2b(written.encode(), digest_size=8).hexdigest()


def as_text(value: object) -> str:
    """Times as Kestra's JSON has them: the type of an input reads them again."""
    if isinstance(value, date | clock):  # also a datetime
        return value.isoformat()
    return duration_text(value) if isinstance(value, timedelta) else str(value)


def write_lost(folder: Path, name: str, run: str, error: str) -> None:
    """Write the record of a run whose kernel died; a disk that does not take it changes nothing."""
    lost = {"name": name, "id": run, "state": "FAILED", "error": error, "ended": time.time(), "tasks": []}
    with suppress(TransferError):
        directory.write_record(folder, json.dumps(lost | so_far(folder, error)))
        forget(folder)


def record(context: Context, state: State, error: str) -> dict[str, Any]:
    progress = context.broadcast.progress
    return {
        **head(context),
        "state": state.value,
        "reason": progress.reason,
        "error": error,
        "started": progress.started,
        "ended": progress.ended or time.time(),
        "outputs": context.outputs if not context.cell else {},
        "tasks": [of_task(context, result) for result in context.live.values()],
    }


def head(context: Context) -> dict[str, Any]:
    """What is known from the beginning."""
    return {
        "name": context.name,
        "id": context.id,
        "flow": context.flow_id,
        "namespace": context.namespace,
        "inputs": context.inputs,
        "written": {task.id: digest(context, task) for task in (context.flow.all_tasks() if context.flow else ())},
    }


def of_task(context: Context, result: TaskResult) -> dict[str, Any]:
    run = context.broadcast.progress.task_runs.get(result.id)
    base = context.folder.path
    return {
        "id": result.task_id,
        "taskRun": result.id,
        "type": run.type if run else "",
        "value": run.value if run else None,
        "state": run.state.value if run else "",
        "error": result.error,
        "hint": result.hint,
        "exitCode": result.exit_code,
        "exit": {each.name: getattr(result.exit, each.name) for each in fields(result.exit)} if result.exit else None,
        "outputs": result.outputs,
        "vars": result.vars,
        "files": {name: {"path": _relative(file.path, base), "uri": file.uri} for name, file in result.files.items()},
        "misses": result.files.misses,
        "metrics": result.metrics.table(),
        "measured": [asdict(metric) for metric in result.measured],
        "entries": [asdict(entry) for entry in result.entries],
        "attempts": [
            {"number": a.number, "state": a.state.value, "started": a.started, "ended": a.ended}
            for a in (run.attempts if run else ())
        ],
        "peaks": {metric.name: metric.value for metric in result.peaks.entries},
    }


def _relative(path: Path, base: Path) -> str:
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
