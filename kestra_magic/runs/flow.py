"""Many tasks in one execution."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.tasks import ScriptTask
from kestra_magic.runs.life import Life
from kestra_magic.runs.progress import State
from kestra_magic.runs.run import Run
from kestra_magic.workspace.outputs import OutputFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kestra_magic.model.flow import Flow
    from kestra_magic.model.tasks import Task
    from kestra_magic.process.events import Reason
    from kestra_magic.runs.context import Context
    from kestra_magic.runs.result import TaskResult

__all__ = ["FlowEngine", "FlowRun"]


class FlowEngine:
    """Runs a flow's tasks in their order (Kestra's ``FlowableUtils``)."""

    def __init__(self, flow: Flow, context: Context) -> None:
        self.flow = flow
        self.context = context
        self._live: set[Life] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def run(self) -> State:
        states = self._sequence(self.flow.tasks)
        if State.FAILED in states and self.flow.errors:
            self._sequence(self.flow.errors)
        if self.flow.finally_:
            self._sequence(self.flow.finally_)
        return worst(states)

    def _sequence(self, tasks: Iterable[Task]) -> list[State]:
        states: list[State] = []
        for task in tasks:
            if task.disabled:
                continue
            if self._stopped:
                return [*states, State.KILLED]
            states.append(self._task(task))
            if not states[-1].ok:
                break
        return states

    def _task(self, task: Task) -> State:
        if not isinstance(task, ScriptTask):
            raise KestraMagicError(f"`{task.id}`: tasks of type `{task.type}` do not run here yet")
        life = Life(task, self.context)
        with self._lock:
            self._live.add(life)
        try:
            return life.run()
        finally:
            self._live.discard(life)

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None:
        """End every task of the execution at once."""
        with self._lock:
            self._stopped = True
            live = list(self._live)
        for life in live:
            life.stop(grace=grace, reason=reason)


def worst(states: Iterable[State]) -> State:
    """Source: Kestra's ``Execution.guessFinalState``."""
    seen = set(states)
    order = (State.KILLED, State.FAILED, State.WARNING, State.PAUSED)
    return next((state for state in order if state in seen), State.SUCCESS)


class FlowRun(Run):
    """An execution of a flow: a run of many tasks."""

    @property
    def tasks(self) -> Mapping[str, TaskResult]:
        """What each task left, by its id: the last of many runs in a loop."""
        return {result.task_id: result for result in self.context.live.values()}

    @property
    def outputs(self) -> dict[str, Any]:
        """``outputs[task]`` as expressions see it."""
        return self.context.outputs

    @property
    def vars(self) -> dict[str, Any]:
        return self.result.vars

    @property
    def files(self) -> OutputFiles:
        """By name, and by ``task/name`` where two tasks made the same one."""
        results = list(self.context.live.values())
        names = [name for result in results for name in result.files]
        found = {}
        for result in results:
            for name, file in result.files.items():
                found[name if names.count(name) == 1 else f"{result.task_id}/{name}"] = file
        return OutputFiles(found)

    def __repr__(self) -> str:
        return f"Run({self.name!r}, {self.state.value}, {len(self.tasks)} task{'s' if len(self.tasks) != 1 else ''})"
