"""One task run, from its first attempt to its state (Kestra's ``Worker.run``)."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.events import Exited, Output, Requeued, Started, Usage
from kestra_magic.process.logs import LogFile
from kestra_magic.runners.workers import NoWorker
from kestra_magic.runs.explain import mapped_error
from kestra_magic.runs.groups import runner_for
from kestra_magic.runs.listen import Listener
from kestra_magic.runs.progress import Declared, Logged, Settled, State
from kestra_magic.runs.result import TaskResult
from kestra_magic.runs.retry import next_delay
from kestra_magic.settings import current
from kestra_magic.tasks.scripts import prepare

if TYPE_CHECKING:
    from kestra_magic.model.tasks import ScriptTask
    from kestra_magic.process.events import Event, Reason
    from kestra_magic.runners.job import Running
    from kestra_magic.runs.context import Context

__all__ = ["Life"]

FALSY = {"false", "0", "-0", ""}


class Life:
    """Runs one script task; its events go to the context, its outcome is `result`."""

    def __init__(
        self, task: ScriptTask, context: Context, *, task_run: str = "", value: str | None = None, attempts: int = 0
    ) -> None:
        self.task = task
        self.context = context
        self.id = task_run or context.new_task_run()
        self.value = value
        self.result = TaskResult(self.id, task.id)
        context.live[self.id] = self.result
        self.attempts = attempts
        self._runner = context.runner
        self._running: Running | None = None
        self._lost = 0
        self._again = False
        self._stop: tuple[float | None, Reason] | None = None
        self._woken = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> State:
        self.context.emit(
            Declared(task_run=self.id, task_id=self.task.id, type=self.task.type, value=self.value, at=time.time())
        )
        try:
            state = self._tried() if self._wanted() else State.SKIPPED
        except KestraMagicError as error:
            state = self._could_not(error)
        self.context.settle(self.task, self.result, state, value=self.value)
        said = Settled(
            task_run=self.id, state=state, error=self.result.error, outputs=self.result.outputs or {}, at=time.time()
        )
        self.context.emit(said)
        return state

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None:
        """End the attempt that runs, and try no other."""
        with self._lock:
            self._stop = (grace, reason)
            self._woken.set()
            if self._running is not None:
                self._running.stop(grace=grace, reason=reason)

    # Whether, how often, and with which state

    def _wanted(self) -> bool:
        condition = self.task.condition_to_run
        if condition == "true":
            return True
        try:
            return self.context.place(self.task, self.id, 1).render(condition).strip(" ") not in FALSY
        except KestraMagicError as error:
            message = f"Unable to evaluate the runIf condition for task {self.task.id}: {error}"
            raise KestraMagicError(message) from None

    def _tried(self) -> State:
        first = time.time()
        while True:
            self.attempts += 1
            state = self._attempt()
            if self._again and self._lost <= current().requeue_attempts and not self._stop:
                continue
            delay = self._delay(state, time.time() - first)
            if delay is None:
                return self._final(state)
            self._log(
                "WARN", f"attempt {self.attempts} failed ({self.result.error}); the next one follows in {delay:g} s"
            )
            if self._woken.wait(delay):
                return State.KILLED

    def _delay(self, state: State, elapsed: float) -> float | None:
        retry = self.context.retry_of(self.task)
        if retry is None or state is not State.FAILED or self._stop:
            return None
        return next_delay(retry, attempts=self.attempts - self._lost, elapsed=elapsed)

    def _final(self, state: State) -> State:
        """Source: the end of Kestra's ``Worker.run``, in its order."""
        retry = self.context.retry_of(self.task)
        if state is State.SUCCESS and self.attempts > 1 and retry and retry.warning_on_retry:
            state = State.WARNING
        if state is State.FAILED and self.task.allow_failure:
            state = State.WARNING
        if state is State.WARNING and self.task.allow_warning:
            state = State.SUCCESS
        return state

    # One attempt

    def _attempt(self) -> State:
        self.result.error = self.result.hint = ""
        self.result.failure = None
        self._again = False
        try:
            self._prepare()
            with self._lock:
                if self._stop:
                    return State.KILLED
                self._running = self._begun()
            return self._followed(self._running)
        except KestraMagicError as error:
            return self._could_not(error)
        finally:
            self._running = None
            self.context.clean(self.result)

    def _begun(self) -> Running:
        assert self.result.prepared is not None
        self.context.entry.launching(self.result.prepared)
        return self._runner.start(self.result.prepared.job)

    def _prepare(self) -> None:
        asking = self.context.place(self.task, self.id, self.attempts)
        self._runner = runner_for(self.task, self.context, asking.render)
        place = self.context.place(self.task, self.id, self.attempts, self._runner)
        self.result.prepared = prepare(self.task, place)
        self.result.log_file = LogFile(Path(place.log_dir))
        for sentence in self.context.told():
            self._log("WARN", sentence)

    def _followed(self, running: Running) -> State:
        listener = Listener(self.result, self._log, self.context.masked)
        ended: Exited | None = None
        for event in running.events():
            self.context.emit(self._shown(event))
            if isinstance(event, Output):
                listener.hear(event)
            elif isinstance(event, Started) and not event.where:
                self.context.entry.started(event)
            elif isinstance(event, Usage):
                self.result.processes = max(self.result.processes, event.processes)
            elif isinstance(event, Exited):
                ended = event
            elif isinstance(event, Requeued):
                self._requeue(event.reason)
        self.result.exit = ended
        self._collect(running)
        return self._judged(ended)

    def _requeue(self, reason: str) -> None:
        """Its worker is gone: the attempt has failed, and the run begins again, on another."""
        self._again = True
        self._lost += 1
        more = self._lost <= current().requeue_attempts
        follows = "it is queued again, from its beginning" if more else "that was the last try (`requeue_attempts`)"
        self._log("WARN", f"attempt {self.attempts} is lost: {reason}; {follows}")
        self.result.error = reason

    def _shown(self, event: Event) -> Event:
        """Below the task's ``logLevel`` nothing is shown: stdout speaks at INFO, stderr at ERROR."""
        if isinstance(event, Output) and event.kind != "frame" and not self.context.shows(self.task, event.stream):
            return replace(event, text="")
        return event

    def _collect(self, running: Running) -> None:
        """Declared files are kept on failure, timeout and kill too: better than Kestra, which loses them."""
        found = running.collect()
        self.result.misses = found.misses
        self.result.files = self.context.keep(self.task, self.result, found.files, value=self.value)
        for sentence in found.misses:
            self._log("WARN", sentence)

    def _judged(self, end: Exited | None) -> State:
        result = self.result
        if end is None:
            result.error = result.error or "whoever ran the process is gone, and with it the knowledge of how it ended"
            return State.FAILED
        if end.reason and end.reason != "timeout":
            result.error = f"killed ({end.reason})"
            return State.KILLED
        if end.reason == "timeout":
            result.error = f"Timeout after {_hms(result.prepared.job.timeout if result.prepared else 0)}"
        elif end.error:
            result.error = end.error
        elif end.code:
            result.error = f"Command failed with exit code {end.code}"
        if not result.error:
            return State.SUCCESS
        result.hint = mapped_error(result, self.context)
        return State.FAILED

    def _could_not(self, error: KestraMagicError) -> State:
        """The task did not start, or its files could not be kept: told as it is, raised at the end."""
        self.result.error = self.context.masked(str(error))
        seen = self.result.error == str(error)
        self.result.failure = error if seen else KestraMagicError(self.result.error)
        return State.CANCELLED if isinstance(error, NoWorker) and error.cancelled else State.FAILED

    def _log(self, level: str, message: str) -> None:
        self.context.emit(Logged(task_run=self.id, attempt=self.attempts, level=level, message=message, at=time.time()))


def _hms(seconds: float | None) -> str:
    """Source: ``DurationFormatUtils.formatDurationHMS``."""
    millis = round((seconds or 0) * 1000)
    hours, rest = divmod(millis, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
