"""Task runs that are no process: log entries, requests, files, keys."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kestra_magic.process.events import Exited, Output, Started
from kestra_magic.runs.progress import State
from kestra_magic.runs.task.life import Life
from kestra_magic.runs.task.markers import Metric
from kestra_magic.runs.task.processes import hms
from kestra_magic.tasks.calls import call
from kestra_magic.tasks.desk import Desk, Halt, Halted, TaskFailed
from kestra_magic.workspace.directory import WorkDirectory
from kestra_magic.workspace.outputs import OutputFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kestra_magic.process.events import Reason
    from kestra_magic.tasks.place import Place

__all__ = ["CallLife"]


class CallLife(Life):
    """A task run whose attempts are calls of a function."""

    _halt: Halt | None = None

    def _attempt(self) -> State:
        place = self.context.place(self.task, self.id, self.attempts, self.frame)
        with self._lock:
            if self._stop:
                return State.KILLED
            self._halt = Halt()
        self.context.emit(Started(task_run=self.id, attempt=self.attempts, at=time.time(), pid=0))
        code, reason = 1, ""
        try:
            state = self._called(place, self._halt)
            code, reason = int(state is State.FAILED), self._halt.reason
            return state
        finally:
            ended = Exited(task_run=self.id, attempt=self.attempts, at=time.time(), code=code, reason=_reason(reason))
            self.context.emit(ended)

    def _called(self, place: Place, halt: Halt) -> State:
        seconds = place.timeout(self.task)
        with self._desk(place, halt) as desk, _timer(halt, seconds):
            try:
                self.result.outputs = call(self.task, desk)
            except Halted:
                return self._halted(halt, seconds)
            except TaskFailed as failure:
                self.result.outputs = failure.outputs or None
                self.result.error = str(failure)
                return State.FAILED
        return State.SUCCESS

    def _halted(self, halt: Halt, seconds: float | None) -> State:
        timeout = halt.reason == "timeout"
        self.result.error = f"Timeout after {hms(seconds)}" if timeout else f"killed ({halt.reason})"
        return State.FAILED if timeout else State.KILLED

    def _end(self, _grace: float | None, reason: Reason) -> None:
        if self._halt is not None:
            self._halt.set(reason)

    # What the function is given

    @contextmanager
    def _desk(self, place: Place, halt: Halt) -> Iterator[Desk]:
        made: list[WorkDirectory] = []

        def folder() -> Path:
            if not place.shared and not made:
                made.append(WorkDirectory.make(Path(place.root)))
            return Path(place.root)

        try:
            yield Desk(
                task=self.task,
                place=place,
                log=self._log,
                measure=self._measure,
                bar=self._bar,
                keep=self._keep,
                folder=folder,
                label=self.context.label,
                forget=self.context.forget,
                kv=self.context.kv,
                halt=halt,
            )
        finally:
            for directory in made:
                directory.remove()

    def _measure(self, kind: str, name: str, value: float, tags: Mapping[str, str]) -> None:
        assert kind in ("counter", "timer", "gauge")
        self.result.measured.append(Metric(kind, name, value, tuple(sorted(tags.items())), time.time()))  # type: ignore[arg-type]

    def _bar(self, text: str) -> None:
        shown = Output(task_run=self.id, attempt=self.attempts, at=time.time(), stream="stderr", kind="open", text=text)
        self.context.emit(shown)

    def _keep(self, name: str, path: Path) -> str:
        kept = self.context.keep(self.task, self.result, {name: path}, self.frame)
        self.result.files = OutputFiles({**self.result.files, **kept})
        return kept[name].uri


@contextmanager
def _timer(halt: Halt, seconds: float | None) -> Iterator[None]:
    """End the call after so long."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, halt.set, ("timeout",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _reason(halted: str) -> Reason:
    return halted if halted in ("timeout", "interrupt", "stop", "replaced", "kernel") else ""  # type: ignore[return-value]
