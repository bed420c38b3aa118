"""One task run, from its first attempt to its state (Kestra's ``Worker.run``)."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError, SystemRefusal
from kestra_magic.model.scalars import falsy
from kestra_magic.process.awaited import awaited
from kestra_magic.runners.workers import NoWorker
from kestra_magic.runs.frame import Frame
from kestra_magic.runs.journal.unfinished import note
from kestra_magic.runs.progress import Declared, Logged, Settled, State
from kestra_magic.runs.result import LEVELS, Entry, TaskResult
from kestra_magic.runs.task.cache import Remembered
from kestra_magic.runs.task.retry import next_delay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kestra_magic.model.tasks import Task
    from kestra_magic.process.events import Reason
    from kestra_magic.runs.context import Context

__all__ = ["Life"]


class Life:
    """One task run: whether it runs, how often, with which state. What an attempt does, its kinds say.

    Its events go to the context, its outcome is `result`.
    """

    def __init__(
        self, task: Task, context: Context, frame: Frame | None = None, *, task_run: str = "", attempts: int = 0
    ) -> None:
        self.task = task
        self.context = context
        self.frame = frame or Frame()
        self.id = task_run or context.new_task_run()
        self.result = TaskResult(self.id, task.id, value=self.frame.value)
        context.live[self.id] = self.result
        self.attempts = attempts
        self._lost = 0
        self._stop: tuple[float | None, Reason] | None = None
        self._woken = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> State:
        """Live it to its end."""
        self._declare()
        try:
            state = self._recalled() if self._wanted() else State.SKIPPED
        except (KestraMagicError, OSError) as error:
            state = self._could_not(error)
        return self._settled(state)

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None:
        """End the attempt that runs, and try no other."""
        with self._lock:
            self._stop = (grace, reason)
            self._woken.set()
            self._end(grace, reason)

    def stand_in(self, outputs: Mapping[str, Any], state: State) -> State:
        """Run nothing: the task is taken to have ended with *state*, and to have given *outputs*."""
        self._declare()
        self.result.outputs = dict(outputs)
        return self._settled(state)

    # Whether, how often, and with which state

    def _declare(self) -> None:
        said = Declared(
            task_run=self.id,
            task_id=self.task.id,
            type=self.task.type,
            value=self.frame.value,
            parent=self.frame.parent,
            at=time.time(),
        )
        self.context.emit(said)

    def _wanted(self) -> bool:
        condition = self.task.condition_to_run
        if self.task.disabled:  # of a cell: a flow passes over its disabled tasks
            return False
        if condition == "true":
            return True
        try:
            return not falsy(self._render(condition))
        except KestraMagicError as error:
            message = f"Unable to evaluate the runIf condition for task {self.task.id}: {error}"
            raise KestraMagicError(message) from None

    def _render(self, text: str) -> str:
        return self.context.place(self.task, self.id, max(1, self.attempts), self.frame).render(text)

    def _recalled(self) -> State:
        """Give what an earlier run of the same task gave, where its ``taskCache`` says so."""
        asked = self.task.task_cache
        if asked is None or not asked.enabled:
            return self._lived()
        written = self.context.written(self.task)
        place = self.context.place(self.task, self.id, 1, self.frame)
        remembered = Remembered(asked, written, place, self.context.flow_id)
        found = remembered.recall()
        if found is not None:
            self._log("INFO", "its outputs are those of an earlier run (taskCache)")
            self.result.outputs = found
            return State.SUCCESS
        state = self._lived()
        if state is State.SUCCESS and self.result.outputs is not None:
            remembered.remember(self.result.outputs)
        return state

    def _lived(self) -> State:
        first = time.time()
        while True:
            self.attempts += 1
            state = self._tried()
            if self._begins_again() and not self._stop:
                continue
            delay = self._delay(state, time.time() - first)
            if delay is None:
                return self._renewed(self._final(state))
            again = f"attempt {self.attempts} failed ({self.result.error}); the next one follows in {delay:g} s"
            self._log("WARN", again)
            self._become(State.RETRYING)
            if awaited(self._woken, delay):
                return self._given_up()

    def _given_up(self) -> State:
        assert self._stop is not None
        self.result.error = f"killed ({self._stop[1]}) before attempt {self.attempts + 1}: {self.result.error}"
        return State.KILLED

    def _tried(self) -> State:
        self.result.error = self.result.hint = ""
        self.result.failure = None
        try:
            return self._attempt()
        except (KestraMagicError, OSError) as error:
            state = self._could_not(error)
            return State.KILLED if self._stop else state

    def _attempt(self) -> State:
        raise NotImplementedError

    def _begins_again(self) -> bool:
        """Whether the attempt was lost, not failed."""
        return False

    def _end(self, grace: float | None, reason: Reason) -> None:
        """End what the attempt does just now."""

    def _delay(self, state: State, elapsed: float) -> float | None:
        retry = self.context.retry_of(self.task, self.frame)
        if retry is None or retry.behavior == "CREATE_NEW_EXECUTION" or state is not State.FAILED or self._stop:
            return None
        return next_delay(retry, attempts=self.attempts - self._lost, elapsed=elapsed)

    def _renewed(self, state: State) -> State:
        """Let a new execution follow this one, where its retry says so."""
        retry = self.context.retry_of(self.task, self.frame)
        anew = retry and retry.behavior == "CREATE_NEW_EXECUTION" and state is State.FAILED and not self._stop
        return State.RETRIED if retry and anew and self.context.renew(retry) else state

    def _final(self, state: State) -> State:
        """Source: the end of Kestra's ``Worker.run``, in its order."""
        retry = self.context.retry_of(self.task, self.frame)
        if state is State.SUCCESS and self.attempts > 1 and retry and retry.warning_on_retry:
            state = State.WARNING
        if state is State.FAILED and self.task.allow_failure:
            state = State.WARNING
        if state is State.WARNING and self.task.allow_warning:
            state = State.SUCCESS
        return state

    # What is told

    def _become(self, state: State) -> None:
        self.context.emit(Settled(task_run=self.id, state=state, error=self.result.error, at=time.time()))

    def _settled(self, state: State) -> State:
        result = self.result
        result.state = state
        if result.error and not self.context.cell:  # a cell raises it
            self._log("ERROR", "; ".join(filter(None, (result.error, result.hint))))
        self.context.settle(self.task, result, self.frame)
        said = Settled(task_run=self.id, state=state, error=result.error, outputs=result.outputs or {}, at=time.time())
        self.context.emit(said)
        if not self.context.cell:
            note(self.context, result, self.frame)
        return state

    def _could_not(self, error: KestraMagicError | OSError) -> State:
        """The task did not start, or its files could not be kept: told as it is, raised at the end."""
        if isinstance(error, OSError):
            error = SystemRefusal(error)
        self.result.error = self.context.masked(str(error))
        seen = self.result.error == str(error)
        self.result.failure = error if seen else KestraMagicError(self.result.error)
        return State.CANCELLED if isinstance(error, NoWorker) and error.cancelled else State.FAILED

    def _log(self, level: str, message: str, offset: int = 0) -> None:
        if LEVELS.index(level) < LEVELS.index(self.task.log_level or "TRACE"):
            return
        at, message = time.time(), self.context.masked(message)
        self.result.entries.append(Entry(level, message, at, offset))
        if not self.task.log_to_file:
            self.context.emit(Logged(task_run=self.id, attempt=self.attempts, level=level, message=message, at=at))
