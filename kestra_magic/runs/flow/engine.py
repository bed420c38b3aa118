"""Many tasks in one execution: their order, their end, what stands in for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kestra_magic.model.flowables import Flowable
from kestra_magic.runs.frame import Frame
from kestra_magic.runs.progress import State
from kestra_magic.tasks.jobs import is_process

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kestra_magic.model.tasks import Task
    from kestra_magic.process.events import Reason
    from kestra_magic.runs.context import Context
    from kestra_magic.runs.task.life import Life

__all__ = ["Plan", "StandIn", "Tasks", "at_once", "worst"]


@dataclass(frozen=True, slots=True)
class StandIn:
    """How a task is taken to have ended, without running it."""

    outputs: Mapping[str, Any] = field(default_factory=dict)
    state: State = State.SUCCESS


@dataclass(frozen=True, slots=True)
class Plan:
    """Which tasks run. All of them, unless something else is said.

    Attributes:
        given: what stands in for tasks, by their ids, or by id and the value of a loop; a flowable's stand-in stands
            for all that it holds.
        left_out: the ids of tasks that do not run and leave nothing; what they hold does not run either.
    """

    given: Mapping[str | tuple[str, str], StandIn] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()

    def stand_in(self, task: str, value: str | None) -> StandIn | None:
        return self.given.get((task, value or "")) or self.given.get(task)


class Tasks:
    """Runs tasks one after the other, or several at once, until one fails or all are stopped."""

    def __init__(self, context: Context, plan: Plan | None = None) -> None:
        self.context = context
        self.plan = plan or Plan()
        self.stopped: tuple[float | None, Reason] | None = None
        self._live: set[Life] = set()
        self._halt = threading.Event()
        self._lock = threading.Lock()

    def sequence(self, tasks: Iterable[Task], frame: Frame) -> list[State]:
        """Run *tasks* in their order; the first that does not end well is the last."""
        states: list[State] = []
        for task in tasks:
            if self.stopped:
                return [*states, State.KILLED]
            if task.disabled or task.id in self.plan.left_out:
                continue
            states.append(self.one(task, frame))
            if not states[-1].ok:
                break
        return states

    def one(self, task: Task, frame: Frame) -> State:
        """Run one task to its end."""
        if task.disabled or task.id in self.plan.left_out:
            return State.SKIPPED
        life = self._life(task, frame)
        given = self.plan.stand_in(task.id, frame.value)
        if given is not None:
            return life.stand_in(given.outputs, given.state)
        with self._lock:
            self._live.add(life)
            stopped = self.stopped
        if stopped:
            life.stop(grace=stopped[0], reason=stopped[1])
        try:
            return life.run()
        finally:
            self._live.discard(life)

    def _life(self, task: Task, frame: Frame) -> Life:
        if isinstance(task, Flowable):
            from kestra_magic.runs.flow.flowables import FlowableLife

            return FlowableLife(task, self.context, frame, tasks=self)
        if is_process(task):
            from kestra_magic.runs.task.processes import ProcessLife

            return ProcessLife(task, self.context, frame)
        return self._other(task, frame)

    def _other(self, task: Task, frame: Frame) -> Life:
        from kestra_magic.model.flowables import Subflow

        if isinstance(task, Subflow):
            from kestra_magic.runs.flow.subflow import SubflowLife

            return SubflowLife(task, self.context, frame)
        from kestra_magic.runs.task.calls import CallLife

        return CallLife(task, self.context, frame)

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None:
        """End every task of the execution at once."""
        with self._lock:
            self.stopped = (grace, reason)
            live = list(self._live)
            self._halt.set()
        for life in live:
            life.stop(grace=grace, reason=reason)

    def halted(self, seconds: float) -> bool:
        """Wait so long; return whether all was stopped meanwhile."""
        return self._halt.wait(seconds)


def worst(states: Iterable[State]) -> State:
    """Source: Kestra's ``Execution.guessFinalState``."""
    seen = set(states)
    order = (State.KILLED, State.CANCELLED, State.RETRIED, State.FAILED, State.WARNING, State.PAUSED)
    return next((state for state in order if state in seen), State.SUCCESS)


def at_once(work: Sequence[Callable[[], State]], limit: int) -> list[State]:
    """Do all of *work*, *limit* of it at a time; return the states in its order."""
    states: dict[int, State] = {}
    waiting = list(enumerate(work))[::-1]
    lock = threading.Lock()
    failures: list[BaseException] = []

    def worker() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                number, do = waiting.pop()
            try:
                states[number] = do()
            except BaseException as failure:  # raised again where all are awaited
                failures.append(failure)
                return

    threads = [threading.Thread(target=worker, name="kestra-branch", daemon=True) for _ in range(min(limit, len(work)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [states[number] for number in sorted(states)]
