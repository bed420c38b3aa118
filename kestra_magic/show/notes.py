"""What no process wrote and a person is to read: log entries, and what a run waits for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kestra_magic.process.events import Draining, Queued
from kestra_magic.runs.progress import Logged

if TYPE_CHECKING:
    from kestra_magic.process.events import Stream
    from kestra_magic.runs.progress import Happening, Progress

__all__ = ["Notes", "label_of"]

SHOWN = ("INFO", "WARN", "ERROR")
# The package `kestra` writes its own time before each message; what is saved must not change.
_OWN_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?(?: - |\s+)")


class Notes:
    """Makes lines of events; that a run waits for background processes is said once.

    Args:
        labels: write its task before each entry (a flow of many).
    """

    def __init__(self, *, labels: bool = False) -> None:
        self._labels = labels
        self._waited: set[str] = set()

    def of(self, progress: Progress, event: Happening) -> tuple[Stream, str] | None:
        """Return the stream and the line that *event* is; None if it is none."""
        match event:
            case Logged(level=level, message=message) if level in SHOWN:
                said = _OWN_TIME.sub("", message, count=1)
                label = f"{label_of(progress, event.task_run)} | " if self._labels and event.task_run else ""
                return "stdout" if level == "INFO" else "stderr", f"{level:<5} {label}{said}"
            case Queued(reason=reason) if reason:
                return "stderr", f"waiting: {reason}"
            case Draining(processes=count) if event.task_run not in self._waited:
                self._waited.add(event.task_run)
                return "stderr", f"waiting for {count} background process{'es' if count != 1 else ''} to end …"
        return None


def label_of(progress: Progress, task_run: str) -> str:
    """Return its task's id, and the value of the loop that it ran for."""
    known = progress.task_runs.get(task_run)
    if known is None:
        return task_run
    return f"{known.task_id} {known.value}" if known.value else known.task_id
