"""An execution on a Kestra server behind the same handle as one that runs here."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.events import Killing
from kestra_magic.runners.kestra.client import ServerError, Unreachable
from kestra_magic.runners.kestra.follow import Away, Follower, Line, View, Whole
from kestra_magic.runs.flow.run import FlowRun
from kestra_magic.runs.progress import Logged, Settled, State
from kestra_magic.runs.server.telling import TaskTeller, is_of_process, state_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kestra_magic.process.events import Reason
    from kestra_magic.runners.kestra.executions import Execution
    from kestra_magic.runs.context import Context

__all__ = ["ServerEngine", "ServerRun", "as_text"]

KILL_SECONDS = 60.0
TIMED = ("pauseDuration", "delay", "timeout")
"""Of a ``Pause``: it goes on by itself."""


def as_text(value: Any) -> str:
    """As a form of Kestra's own interface would send it."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (bool, list, dict)) or value is None else str(value)


class ServerRun(FlowRun):
    """An execution on a server. What a process is told here (a pid, memory) nobody tells there."""

    _engine: ServerEngine

    @property
    def link(self) -> str:
        """Its page in Kestra's own interface."""
        return self._engine.execution.link

    @property
    def waits(self) -> bool:
        return self.state is State.PAUSED and self._engine.waits

    def resume(self, **inputs: Any) -> ServerRun:
        """Let what is paused go on there; a `Path` is sent as a file.

        Raises:
            KestraMagicError: nothing is paused, or the server does not take the inputs.
        """
        if self.state is not State.PAUSED:
            raise KestraMagicError("nothing is paused")
        files = {name: value for name, value in inputs.items() if isinstance(value, Path)}
        texts = {name: as_text(value) for name, value in inputs.items() if name not in files}
        self._engine.resume(texts, files)
        return self


class ServerEngine:
    """Follows an execution and tells it to its context.

    Args:
        written: the tasks by their ids, as the text says them.

    Attributes:
        waits: whether what is paused waits for a person.
    """

    def __init__(self, execution: Execution, context: Context, written: Mapping[str, Mapping[str, Any]]) -> None:
        self.execution = execution
        self.context = context
        self.waits = False
        self._paused: set[str] = set()
        self._asking: set[str] = set()
        self._resumed: set[str] = set()
        self._written = written
        self._follower = Follower(execution)
        self._tasks: dict[str, TaskTeller] = {}
        self._waiting: dict[str, list[Mapping[str, Any]]] = {}
        self._errors: list[str] = []
        self._reason: Reason = ""

    def run(self) -> State:
        for told in self._follower.told():
            match told:
                case View(execution):
                    self._see(execution)
                case Line(entry):
                    self._hear(entry)
                case Whole(entries):
                    self._order(entries)
                case Away(why):
                    self._away(why)
        self._finish()
        state = state_of(self.execution.seen)
        if not state.ok and not any(teller.result.error for teller in self._tasks.values()):
            raise ServerError("; ".join(self._errors) or f"the execution ended as {state}: {self.execution.link}")
        return state

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None:
        """Kill it there; a second time, with no *grace*, only stop following."""
        self._reason = reason
        for teller in self._tasks.values():
            teller.reason = reason
        if grace == 0:
            self._follower.leave(
                ServerError(f"no longer followed; it may go on there: `%kestra attach {self.execution.id}`")
            )
        else:
            threading.Thread(target=self._kill, name="kestra-kill", daemon=True).start()

    def _kill(self) -> None:
        why: ServerError | None = None
        for _ in self.execution.client.patiently(KILL_SECONDS):
            try:
                self.execution.kill()
            except Unreachable as error:
                why = error
                continue
            except ServerError as error:
                why = error
                break
            return
        if why is not None:
            self._follower.leave(why)

    def _see(self, execution: Mapping[str, Any]) -> None:
        if execution["state"]["current"] == "KILLING" and self.context.broadcast.progress.state is not State.KILLING:
            self.context.emit(Killing(reason=self._reason or "stop"))
        for told in execution.get("taskRunList") or ():
            self._teller(told).see(told, over=state_of(execution).ended)
        self._see_pause(execution)

    def _see_pause(self, execution: Mapping[str, Any]) -> None:
        now = state_of(execution)
        if now.ended or now is State.KILLING:
            return
        paused = {
            str(told["id"]): told for told in execution.get("taskRunList") or () if state_of(told) is State.PAUSED
        }
        for name in paused.keys() - self._paused:
            self._tell_pause(name, self._written.get(str(paused[name]["taskId"]), {}))
        self._paused |= paused.keys()
        self.waits = bool(paused.keys() & self._asking)
        now = State.RUNNING if now is State.PAUSED and not paused.keys() - self._resumed else now
        shown = self.context.broadcast.progress.state
        if shown is not now and State.PAUSED in (now, shown):
            self.context.emit(Settled(state=now, at=time.time()))

    def _tell_pause(self, task_run: str, task: Mapping[str, Any]) -> None:
        self.context.emit(Settled(task_run=task_run, state=State.PAUSED, at=time.time()))
        if not any(task.get(name) for name in TIMED):
            self._asking.add(task_run)
            said = f"paused; `{self.context.name.replace('-', '_')}.resume()` goes on"
            self.context.emit(Logged(task_run=task_run, level="INFO", message=said, at=time.time()))

    def resume(self, texts: Mapping[str, str], files: Mapping[str, Path]) -> None:
        """Let what is paused go on; what the server still shows of it is old."""
        self.execution.resume(texts, files)
        self._resumed |= self._paused
        self._asking.clear()
        self.context.emit(Settled(state=State.RUNNING, at=time.time()))

    def _teller(self, told: Mapping[str, Any]) -> TaskTeller:
        name = str(told["id"])
        if name not in self._tasks:
            kind = str(self._written.get(str(told["taskId"]), {}).get("type") or "")
            self._tasks[name] = teller = TaskTeller(self.context, self.execution, told, kind)
            teller.reason = self._reason
            for entry in self._waiting.pop(name, ()):
                teller.hear(entry)
        return self._tasks[name]

    def _hear(self, entry: Mapping[str, Any]) -> None:
        """A line may come before the view that shows its task run; one of no task run is the executor's own."""
        name = entry.get("taskRunId")
        if name in self._tasks:
            self._tasks[str(name)].hear(entry)
        elif name:
            self._waiting.setdefault(str(name), []).append(entry)
        elif entry["level"] == "ERROR":
            self._errors.append(str(entry["message"]).partition("\n")[0])

    def _order(self, entries: Sequence[Mapping[str, Any]]) -> None:
        for name, teller in self._tasks.items():
            teller.order([entry for entry in entries if entry.get("taskRunId") == name and is_of_process(entry)])

    def _away(self, why: str) -> None:
        if self._tasks:
            said = f"{why}: waiting for it" if why else "the server answers again"
            run = next(reversed(self._tasks))
            self.context.emit(Logged(task_run=run, level="WARN", message=said, at=time.time()))

    def _finish(self) -> None:
        metrics = self.execution.metrics()
        self.context.flow_outputs = self.execution.flow_outputs()
        for told in self.execution.seen.get("taskRunList") or ():
            self._teller(told).finish(told, metrics)
