"""An execution on a Kestra server behind the same handle as one that runs here."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from kestra_magic.process.events import Killing
from kestra_magic.runners.kestra.client import ServerError, Unreachable
from kestra_magic.runners.kestra.follow import Away, Follower, Line, View, Whole
from kestra_magic.runs.flowrun import FlowRun
from kestra_magic.runs.progress import Logged, State
from kestra_magic.runs.telling import TaskTeller, is_of_process, state_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kestra_magic.process.events import Reason
    from kestra_magic.runners.kestra.executions import Execution
    from kestra_magic.runs.context import Context

__all__ = ["ServerEngine", "ServerRun"]

KILL_SECONDS = 60.0


class ServerRun(FlowRun):
    """An execution on a server. What a process is told here (a pid, memory) nobody tells there."""

    _engine: ServerEngine

    @property
    def link(self) -> str:
        """Its page in Kestra's own interface."""
        return self._engine.execution.link


class ServerEngine:
    """Follows an execution and tells it to its context.

    Args:
        types: the tasks' types by their ids, as far as the text says them.
    """

    def __init__(self, execution: Execution, context: Context, types: Mapping[str, str]) -> None:
        self.execution = execution
        self.context = context
        self._types = types
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

    def _teller(self, told: Mapping[str, Any]) -> TaskTeller:
        name = str(told["id"])
        if name not in self._tasks:
            kind = self._types.get(str(told["taskId"]), "")
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
        self.context.flow_outputs = dict(self.execution.seen.get("outputs") or {})
        for told in self.execution.seen.get("taskRunList") or ():
            self._teller(told).finish(told, metrics)
