"""What an execution did so far, a line for each task run: its kernel may die before its record is written."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.recorder import read_status
from kestra_magic.runs.journal.prepared import read_prepared
from kestra_magic.runs.outcomes import put
from kestra_magic.workspace.directory import OWN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kestra_magic.runs.context import Context
    from kestra_magic.runs.frame import Frame
    from kestra_magic.runs.result import TaskResult

__all__ = ["begin", "forget", "note", "so_far"]

NAME = "run.jsonl"


def begin(context: Context) -> None:
    """Begin the notes of an execution; a disk that does not take them changes nothing."""
    from kestra_magic.runs.journal.record import head

    with suppress(OSError):
        own = context.folder.path / OWN
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        _append(context, head(context), os.O_TRUNC)


def note(context: Context, result: TaskResult, frame: Frame) -> None:
    """Write down that a task run has ended."""
    from kestra_magic.runs.journal.record import of_task

    twice = frame.value if frame.inherited else None
    with suppress(OSError):
        _append(context, {**of_task(context, result), "path": [result.task_id, *frame.path], "twice": twice})


def forget(folder: Path) -> None:
    """Its record is written: the notes are not needed any more."""
    with suppress(OSError):
        (folder / OWN / NAME).unlink()


def so_far(folder: Path, error: str) -> dict[str, Any]:
    """Return what an execution that will never end did, as its record would say it; nothing if nothing was noted.

    Args:
        error: what is said of the tasks that had begun.
    """
    known = list(_lines(folder))
    if not known:
        return {}
    head, *ended = known
    tasks = {task["taskRun"]: task for task in ended}
    outputs: dict[str, Any] = {}
    for task in tasks.values():
        if task["outputs"] is not None:
            twice = {task["twice"]: task["outputs"]} if task["twice"] is not None else {}
            put(outputs, tuple(task["path"]), {**task["outputs"], **twice})
    return {**head, "outputs": outputs, "tasks": [*tasks.values(), *_begun(folder, set(tasks), error)]}


def _append(context: Context, facts: dict[str, Any], more: int = 0) -> None:
    from kestra_magic.runs.journal.record import as_text

    line = context.masked(json.dumps(facts, default=as_text)) + "\n"
    file = os.open(context.folder.path / OWN / NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND | more, 0o600)
    try:
        os.write(file, line.encode("utf-8", "surrogatepass"))
    finally:
        os.close(file)


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    """The last line may have been cut short."""
    with suppress(OSError, ValueError):
        for line in (folder / OWN / NAME).read_text("utf-8", "surrogatepass").splitlines():
            yield json.loads(line)


def _begun(folder: Path, ended: set[str], error: str) -> Iterator[dict[str, Any]]:
    """The task runs that had a process and did not come to their end."""
    from kestra_magic.runs.kernels.found import attempts

    names = [path for path in attempts(folder) if path.name.rpartition("-")[0] not in ended]
    for task_run, tried in groupby(names, key=lambda path: path.name.rpartition("-")[0]):
        with suppress(KestraMagicError):  # it never came so far
            yield _lost(task_run, list(tried), error)


def _lost(task_run: str, tried: list[Path], error: str) -> dict[str, Any]:
    from kestra_magic.runs.kernels.found import exited

    end = exited(tried[-1])
    return {
        "id": read_prepared(tried[-1]).job.name,
        "taskRun": task_run,
        "type": "",
        "value": None,
        "state": "FAILED",
        "error": error,
        "hint": "",
        "exit": {"task_run": task_run, "attempt": len(tried), **end} if end else None,
        "outputs": None,
        **{key: {} for key in ("vars", "files", "peaks")},
        **{key: [] for key in ("misses", "measured", "metrics", "entries")},
        "attempts": [
            {"number": number, "state": "FAILED", "started": told.get("started"), "ended": told.get("exited")}
            for number, told in enumerate(map(read_status, tried), 1)
        ],
    }
