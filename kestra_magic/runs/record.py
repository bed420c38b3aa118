"""`run.json`: what a run was, for whoever comes later. All that was measured is here, and not in the notebook."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError

if TYPE_CHECKING:
    from kestra_magic.runs.context import Context
    from kestra_magic.runs.progress import State
    from kestra_magic.runs.result import TaskResult

__all__ = ["record", "write_record"]


def write_record(context: Context, state: State, error: str) -> None:
    """Write ``run.json`` whole or not at all.

    Raises:
        KestraMagicError: the disk does not take it.
    """
    path = context.folder.path / "_run" / "run.json"
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        partly = path.with_suffix(".part")
        partly.write_text(context.masked(json.dumps(record(context, state, error), indent=1, default=str)), "utf-8")
        os.replace(partly, path)
    except OSError as failure:
        raise KestraMagicError(f"`{path}` cannot be written: {failure.strerror}") from None


def record(context: Context, state: State, error: str) -> dict[str, Any]:
    progress = context.broadcast.progress
    return {
        "name": context.name,
        "id": context.id,
        "flow": context.flow_id,
        "namespace": context.namespace,
        "state": state.value,
        "error": error,
        "started": progress.started,
        "ended": progress.ended,
        "inputs": context.inputs,
        "tasks": [_task(context, result) for result in context.live.values()],
    }


def _task(context: Context, result: TaskResult) -> dict[str, Any]:
    run = context.broadcast.progress.task_runs.get(result.id)
    return {
        "id": result.task_id,
        "taskRun": result.id,
        "state": run.state.value if run else "",
        "error": result.error,
        "exitCode": result.exit_code,
        "vars": result.vars,
        "files": {name: file.uri for name, file in result.files.items()},
        "metrics": result.metrics.table(),
        "attempts": [
            {"number": a.number, "state": a.state.value, "started": a.started, "ended": a.ended}
            for a in (run.attempts if run else ())
        ],
        "usage": _usage(result),
    }


def _usage(result: TaskResult) -> dict[str, Any]:
    end = result.exit
    names = (
        "cpu_seconds",
        "rss_bytes",
        "read_bytes",
        "write_bytes",
        "stdout_lines",
        "stderr_lines",
        "log_bytes",
        "lost_bytes",
    )
    return {name: getattr(end, name) for name in names} if end else {}
