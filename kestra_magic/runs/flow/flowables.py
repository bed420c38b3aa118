"""Tasks that hold tasks: what they hold, then ``errors`` if it failed, then ``finally``."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.model import flowables as kinds
from kestra_magic.runs.flow.engine import Tasks, at_once, worst
from kestra_magic.runs.progress import Settled, State
from kestra_magic.runs.task.life import Life

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kestra_magic.model.flowables import Flowable
    from kestra_magic.model.tasks import Task
    from kestra_magic.runs.context import Context
    from kestra_magic.runs.frame import Frame

    Body = Callable[["FlowableLife"], State]

__all__ = ["FlowableLife", "most_at_once"]


def most_at_once(asked: int) -> int:
    """Return how many may run at once where *asked* are wanted; 0 is all that a worker of Kestra takes."""
    most = 8 * (os.cpu_count() or 1)
    return asked if 0 < asked < most else most


class FlowableLife(Life):
    """One run of a task that holds tasks."""

    task: Flowable

    def __init__(self, task: Flowable, context: Context, frame: Frame, *, tasks: Tasks) -> None:
        super().__init__(task, context, frame)
        self.tasks = tasks

    def _lived(self) -> State:
        self._become(State.RUNNING)
        try:
            states = [_body(self.task)(self)]
        except KestraMagicError as error:
            states = [self._could_not(error)]
        if states[0] is State.FAILED and self.task.errors:
            states += self.tasks.sequence(self.task.errors, self.inside())
        if self.task.finally_ and not self.tasks.stopped and worst(states) is not State.RETRIED:
            states += self.tasks.sequence(self.task.finally_, self.inside())
        return self._final(worst(states))

    def _final(self, state: State) -> State:
        """Its own failures are those of what it holds: retrying is theirs."""
        if state is State.FAILED and (self.task.allow_failure or isinstance(self.task, kinds.AllowFailure)):
            state = State.WARNING
        return State.SUCCESS if state is State.WARNING and self.task.allow_warning else state

    # For the bodies

    def inside(self) -> Frame:
        """Return the frame of what it holds."""
        return self.frame.within(self.id, self.result.outputs or {}, self.task.retry)

    def inner(self, tasks: Iterable[Task], frame: Frame | None = None) -> State:
        return worst(self.tasks.sequence(tasks, frame or self.inside()))

    def branches(self, branches: Iterable[tuple[Iterable[Task], Frame]], limit: int) -> State:
        """Run each branch in its order, *limit* of them at once; one that fails does not end the others."""
        work = [partial(self.inner, tasks, frame) for tasks, frame in branches]
        return worst(at_once(work, most_at_once(limit)))

    def get(self, name: str) -> Any:
        """Return the value of the property *name*, its expressions rendered."""
        return self.resolved(getattr(self.task, name), name)

    def resolved(self, given: Any, name: str) -> Any:
        return self.context.place(self.task, self.id, 1, self.frame).resolved(given, name)

    def give(self, outputs: dict[str, Any]) -> None:
        """Let expressions see *outputs* already while it runs."""
        self.result.outputs = outputs
        self.context.settle(self.task, self.result, self.frame)

    def log(self, level: str, message: str) -> None:
        self._log(level, message)

    def halted(self, seconds: float) -> bool:
        """Wait so long; return whether it was ended meanwhile."""
        return self._woken.wait(seconds)

    @property
    def stopped(self) -> bool:
        return self._stop is not None or self.tasks.stopped is not None

    def paused(self, state: State) -> None:
        """Tell that it waits for a person, or goes on: the execution does too."""
        self._become(state)
        self.context.emit(Settled(state=state, at=time.time()))


def _body(task: Flowable) -> Body:
    from kestra_magic.runs.flow import branches, directories, loops, pauses, turns

    bodies: dict[type[Flowable], Body] = {
        kinds.Sequential: branches.sequential,
        kinds.AllowFailure: branches.sequential,
        kinds.Parallel: branches.parallel,
        kinds.If: branches.if_,
        kinds.Switch: branches.switch,
        kinds.Dag: branches.dag,
        kinds.ForEach: loops.for_each,
        kinds.Loop: turns.loop,
        kinds.EachSequential: loops.each_sequential,
        kinds.EachParallel: loops.each_parallel,
        kinds.LoopUntil: loops.until,
        kinds.WorkingDirectory: directories.working_directory,
        kinds.Pause: pauses.pause,
    }
    return bodies[type(task)]
