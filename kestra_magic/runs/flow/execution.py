"""One execution of a flow: its tasks, ``errors``, ``finally``, outputs, ``afterExecution``; again if it says so."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.render import render_typed
from kestra_magic.expressions.scope import Scope, each_text
from kestra_magic.model.property import is_template
from kestra_magic.runs.flow.engine import Plan, Tasks, worst
from kestra_magic.runs.frame import Frame
from kestra_magic.runs.journal.unfinished import begin
from kestra_magic.runs.progress import Logged, Settled, State
from kestra_magic.runs.result import Entry
from kestra_magic.workspace.directory import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kestra_magic.model.flow import Flow
    from kestra_magic.model.outputs import Output
    from kestra_magic.process.events import Reason
    from kestra_magic.runs.context import Context
    from kestra_magic.runs.flow.slots import Slots

__all__ = ["FlowEngine", "given", "value_of"]


class FlowEngine:
    """Makes a flow go on (Kestra's ``ExecutorService``)."""

    def __init__(self, flow: Flow, context: Context, slots: Slots, plan: Plan | None = None) -> None:
        self.flow = flow
        self.context = context
        self.slots = slots
        self.tasks = Tasks(context, plan)

    def run(self) -> State:
        begin(self.context)
        for sentence in self.context.told():
            self._log("INFO", sentence)
        key = (self.flow.namespace, self.flow.id)
        with self.slots.taken(key, self.flow.concurrency, self._queued, lambda: bool(self.tasks.stopped)) as state:
            return self._all() if state is State.RUNNING else state

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None:
        """End every task of the execution at once."""
        self.tasks.stop(grace=grace, reason=reason)
        self.context.pauses.close()
        self.slots.wake()

    def _queued(self) -> None:
        self.context.emit(Settled(state=State.QUEUED, at=time.time()))
        self._log("INFO", f"queued: `{self.flow.id}` runs {self.flow.concurrency.limit} times already")  # type: ignore[union-attr]

    def _all(self) -> State:
        """Run it; where the retry of what failed says CREATE_NEW_EXECUTION, run it anew."""
        context = self.context
        while True:
            state = context.executions[context.id] = self._once()
            if state is not State.RETRIED:
                return state
            self._log("WARN", f"execution {context.id} failed: RETRIED; a new one follows in {context.renewal:g} s")
            if self.tasks.halted(context.renewal):
                return State.KILLED
            context.begin_again(new_id())

    def _once(self) -> State:
        """Source: ``ExecutorService.process``: nothing follows in an execution that is KILLED or RETRIED …"""
        states = self._run(self.flow.tasks)
        if worst(states) is State.FAILED:
            states += self._run(self.flow.errors)
        if worst(states) not in (State.KILLED, State.RETRIED):
            states += self._run(self.flow.finally_)
        state = worst(states)
        if state.ok:
            state = worst([state, self._give()])
        self.context.state = state
        self._after()
        return state

    def _after(self) -> None:
        """… but its ``afterExecution`` does, unless the kernel ends (``handleAfterExecution``)."""
        if self.tasks.stopped is None or self.tasks.stopped[1] != "kernel":
            self.tasks = Tasks(self.context, self.tasks.plan)
            self._run(self.flow.after_execution)

    def _run(self, tasks: tuple[Any, ...]) -> list[State]:
        return self.tasks.sequence(tasks, Frame())

    def _give(self) -> State:
        """Render the flow's outputs; one that fails is told, and fails the execution."""
        try:
            for declared in self.flow.outputs:
                self.context.flow_outputs[declared.id] = given(declared, self.context, self._log)
        except (KestraMagicError, ValueError) as error:
            self.context.error = f"Failed to render output values: {error}"
            self._log("ERROR", self.context.error)
            return State.FAILED
        return State.SUCCESS

    def _log(self, level: str, message: str) -> None:
        at = time.time()
        self.context.entries.append(Entry(level, message, at))
        self.context.emit(Logged(level=level, message=message, at=at))


def given(
    declared: Output, context: Context, log: Callable[[str, str], None], more: Mapping[str, Any] | None = None
) -> Any:
    """Return what an output gives; None for an optional one that cannot be rendered (``renderOutputs``).

    Raises:
        KestraMagicError, ValueError: it cannot be rendered, or is not of its type.
    """
    try:
        value = value_of(declared.value, context, more)
    except KestraMagicError as error:
        if declared.required:
            raise
        log("WARN", f"the optional output `{declared.id}` is left out: {error}")
        return None
    return None if value is None and not declared.required else declared.convert(value)


def value_of(written: Any, context: Context, more: Mapping[str, Any] | None = None) -> Any:
    """Return what *written* gives once everything has run; a lone expression keeps its type."""
    scope = Scope({**context.run_roots(), **(more or {})})
    return each_text(written, lambda text: render_typed(text, scope, context.host) if is_template(text) else text)
