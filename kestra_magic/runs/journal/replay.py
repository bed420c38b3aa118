"""What was told of a run that has ended, told again: every attempt of every task, and between them what was logged."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kestra_magic.process.events import Exited, Output
from kestra_magic.process.recorder import read_status
from kestra_magic.runs.progress import Logged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kestra_magic.runners.job import Runner
    from kestra_magic.runs.progress import Happening
    from kestra_magic.runs.result import Entry, TaskResult

__all__ = ["replayed"]


def replayed(result: TaskResult, runner: Runner) -> Iterator[Happening]:
    """Yield what one task run told, from the logs of its attempts and its own entries, in their order."""
    said = deque(sorted(result.entries, key=lambda entry: entry.at))
    for number, log_dir in _attempts(result):
        assert result.prepared is not None
        job = replace(result.prepared.job, log_dir=str(log_dir), attempt=number)
        yield from _attempt(
            result.id, number, runner.attach(job).events(), said, read_status(log_dir).get("exited", 0.0)
        )
    yield from (_logged(result.id, 1, entry) for entry in said)


def _attempts(result: TaskResult) -> list[tuple[int, Path]]:
    if result.prepared is None:
        return []
    own = Path(result.prepared.job.log_dir).parent
    found = [(int(path.parent.name.rpartition("-")[2]), path.parent) for path in own.glob(f"{result.id}-*/status")]
    return sorted(found)


def _attempt(
    task_run: str, number: int, events: Iterator[Happening], said: deque[Entry], ended: float
) -> Iterator[Happening]:
    """What a marker said stands where it was written; anything else where nothing was written yet, or at the end."""
    for event in events:
        offset = event.offset if isinstance(event, Output) else -1
        last = isinstance(event, Exited)
        while said and (said[0].offset or said[0].at <= ended) and (last or said[0].offset <= offset):
            yield _logged(task_run, number, said.popleft())
        yield event


def _logged(task_run: str, number: int, entry: Entry) -> Logged:
    return Logged(task_run=task_run, attempt=number, level=entry.level, message=entry.message, at=entry.at)
