"""A run as the notebook holds it: live, ended, or found again."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from _thread import start_new_thread  # `threading` takes locks, and waits until it has begun
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol, Self

from kestra_magic.errors import KestraMagicError, SystemRefusal
from kestra_magic.process.awaited import awaited
from kestra_magic.process.events import Killing
from kestra_magic.process.supervise import at_once, later
from kestra_magic.runs.broadcast import interrupts
from kestra_magic.runs.metrics import Metrics
from kestra_magic.runs.progress import Progress, Settled, State
from kestra_magic.runs.result import Logs, TaskResult
from kestra_magic.runs.task.life import Life
from kestra_magic.workspace.outputs import OutputFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

    from kestra_magic.process.events import Reason
    from kestra_magic.runs.broadcast import Front, Seat, Told
    from kestra_magic.runs.context import Context
    from kestra_magic.runs.progress import Happening
    from kestra_magic.runs.report import Report

    Show = Callable[[Progress, Happening], None]

__all__ = ["Engine", "Run", "RunStopped", "TaskException"]


TICK_SECONDS = 0.05
HEARS_INTERRUPTS = sys.platform != "win32"
"""Whether a thread that waits hears an interrupt: else it must not be the one that waits for long."""
HEAD_START = 0.05
"""Seconds that a process has to begin before anything is displayed: both take a millisecond, and none waits."""


class TaskException(KestraMagicError):
    """A run that did not end well, raised by `Run.check`.

    Source: Kestra's ``TaskException``; `result` is the run with everything that it left.
    """

    def __init__(self, result: Run) -> None:
        self.result = result
        super().__init__(result.sentence)


class RunStopped(TaskException, KeyboardInterrupt):
    """A run that a person interrupted: one quiet sentence, and the cells behind it do not run."""


class Engine(Protocol):
    """What makes a run go on: one task, or a flow of many."""

    def run(self) -> State: ...

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None: ...


class Run:
    """One run, readable while it lives; small to print.

    Awaitable; `wait` returns it when it has ended, `check` raises if it did not end well.

    Attributes:
        failure: what kept it from running, if that was no task's fault.
        begun: it was started, in whatever thread.
    """

    def __init__(self, context: Context, engine: Engine) -> None:
        self.context = context
        self._engine = engine
        self.failure: KestraMagicError | None = None
        self.begun = False
        self._was_interrupted = False
        self._leaving = threading.Lock()
        self._left = threading.Event()

    def start(self) -> Self:
        """Live it in a thread of its own."""
        self.begun = True
        threading.Thread(target=copy_context().run, args=(self._go,), name=f"kestra-{self.name}", daemon=True).start()
        return self

    def _go(self) -> None:
        state, error = State.FAILED, "a mistake of ours: see its traceback"
        try:
            state, error = self._state()
        finally:
            self._ended(state, error)
            later(self._leave)

    def _leave(self) -> None:
        """Clean up what it left, once; return when that is done."""
        with self._leaving:
            if not self._left.is_set():
                self.context.entry.settle()
                self.context.swept()
                self.context.afterwards()
                self._left.set()

    def _ended(self, state: State, error: str) -> None:
        """Whatever goes wrong here, whoever listens must not wait for ever."""
        context = self.context
        context.shown()
        try:
            if context.gpus:
                context.gpus.release()
        finally:
            context.emit(Settled(state=state, error=error, outputs=context.outputs, at=time.time()))
            try:
                context.entry.end(state, error)
            finally:
                context.broadcast.close()

    def _state(self) -> tuple[State, str]:
        context = self.context
        try:
            if not context.cell:
                context.entry.begin()
            state = self._engine.run()
            error = "" if state.ok else self._error()
            context.finish(state, error)
        except (KestraMagicError, OSError) as failure:
            self.failure = SystemRefusal(failure) if isinstance(failure, OSError) else failure
            return State.FAILED, context.masked(str(self.failure))
        return state, error

    def _error(self) -> str:
        failed = (result.error for result in reversed([*self.context.live.values()]) if not result.state.ok)
        return next(filter(None, failed), self.context.error)

    # What it is

    @property
    def name(self) -> str:
        return self.context.name

    @property
    def id(self) -> str:
        return self.context.id

    @property
    def progress(self) -> Progress:
        return self.context.broadcast.progress

    @property
    def state(self) -> State:
        return self.progress.state

    @property
    def ok(self) -> bool:
        return self.state.ok

    @property
    def waits(self) -> bool:
        """Whether it waits for a person."""
        return False

    @property
    def ended(self) -> bool:
        return self.context.broadcast.closed.is_set()

    @property
    def result(self) -> TaskResult:
        """Its only task run, or the last of many."""
        return next(reversed(self.context.live.values()), None) or TaskResult("", self.name)

    @property
    def exit_code(self) -> int | None:
        return self.result.exit_code

    @property
    def error(self) -> str:
        return self.progress.error or self.result.error

    @property
    def hint(self) -> str:
        return self.result.hint

    @property
    def started(self) -> float | None:
        return self.progress.started

    @property
    def duration(self) -> float:
        """Seconds from the first process to the end."""
        return self.progress.seconds

    @property
    def attempts(self) -> int:
        return len(self.progress.task.attempts)

    @property
    def vars(self) -> dict[str, Any]:
        return self.result.vars

    @property
    def files(self) -> OutputFiles:
        return self.result.files

    @property
    def metrics(self) -> Metrics:
        return self.result.metrics

    @property
    def peaks(self) -> Metrics:
        """The most memory and processes, the processor time and bytes of its tree, as gauges."""
        return self.result.peaks

    def report(self) -> Report:
        """What was measured: the time of each attempt, and the most that its processes used."""
        from kestra_magic.runs.report import report

        return report(self)

    @property
    def log(self) -> Logs:
        return self.result.log

    @property
    def stdout(self) -> str:
        return self.result.stdout

    @property
    def stderr(self) -> str:
        return self.result.stderr

    @property
    def command(self) -> tuple[str, ...]:
        argv = self.result.prepared.job.argv if self.result.prepared else ()
        return tuple(map(self.context.masked, argv))

    @property
    def rendered(self) -> str:
        return self.context.masked(self.result.prepared.rendered) if self.result.prepared else ""

    @property
    def workdir(self) -> str:
        """Where it ran; the folder goes with the attempt, what was declared stays in `folder`."""
        return self.result.prepared.job.root if self.result.prepared else ""

    @property
    def folder(self) -> Path:
        return self.context.folder.path

    @property
    def outputs(self) -> dict[str, Any]:
        """As expressions see them: ``{{ outputs.NAME }}``."""
        return self.result.outputs or {}

    @property
    def sentence(self) -> str:
        """How it ended, in one sentence."""
        parts = [f"{self.error or self.state.value}{self.told}", self.hint]
        return "; ".join(part for part in parts if part)

    @property
    def told(self) -> str:
        """What was ended with it: « (stopped 7 processes, 2 of them had left the group)»."""
        end = self.result.exit
        if end is None or not end.ended:
            return ""
        strays = f", {end.strays} of them had left the group" if end.strays else ""
        return f" (stopped {end.ended} process{'es' if end.ended != 1 else ''}{strays})"

    def __kestra__(self) -> dict[str, Any]:
        """What expressions see of it by its name, besides ``outputs.NAME``."""
        files = {name: file.uri for name, file in self.files.items()}
        return {**self.outputs, "files": files, "state": self.state.value}

    def __repr__(self) -> str:
        code = "" if self.exit_code is None else f", exit code {self.exit_code}"
        return f"Run({self.name!r}, {self.state.value}{code})"

    # What one does with it

    def follow(
        self,
        show: Show,
        *,
        start: bool = False,
        from_start: bool = False,
        first: Callable[[], None] = lambda: None,
        pause: Callable[[], None] = lambda: None,
        last: Callable[[], None] = lambda: None,
    ) -> Self:
        """Show the run until it ends or pauses; the first interrupt asks its processes to end, the second ends them.

        Args:
            start: it has not begun yet.
            from_start: show also what was told before.
            first: shows what comes before all that; of a run that begins, while its process does.
            pause: nothing follows just now; what was shown so far may be written out.
            last: shows how it ended, while what it leaves behind is cleaned up.
        """
        if from_start and self.ended:
            self._tell_again(show)

        def hear(told: Told) -> None:
            if told[1] is not None:
                show(told[0], told[1])
                if isinstance(told[1], Settled) and told[1].final:
                    last()
            if seat.queue.empty():
                pause()

        seat: Seat
        if start and isinstance(self._engine, Life) and HEARS_INTERRUPTS:
            seat = front = self.context.broadcast.sit_in_front(first, hear)
            self._live(front)
            return self
        seat = self.context.broadcast.sit(from_start=from_start)
        with interrupts(seat.wake):  # from before it begins: an interrupt in between would leave it to itself
            if start:
                self.start()
                self.context.launched.wait(HEAD_START)
            first()
            for told in seat:
                if told is None:
                    self._interrupted()
                else:
                    hear(told)
                if self.waits and seat.queue.empty():
                    break
        return self

    def _live(self, front: Front) -> None:
        """Live it in this thread: a short command has ended before another would have begun.

        An interrupt may come while this thread holds any lock: another one asks.
        """
        with interrupts(lambda: start_new_thread(self._interrupted, ())):
            self.begun = True
            copy_context().run(self._go)
        front.check()

    def _interrupted(self) -> None:
        self._was_interrupted = True
        self.stop(reason="interrupt", grace=0 if self.state is State.KILLING else None)

    def complete(self) -> Self:
        """Start it, and return it when it has ended.

        Raises:
            RunStopped: an interrupt ended it: it is a KeyboardInterrupt.
        """
        stopped: list[Happening] = []
        self.follow(lambda _, event: stopped.append(event) if isinstance(event, Killing) else None, start=True)
        self.cleared()
        if any(isinstance(event, Killing) and event.reason == "interrupt" for event in stopped):
            raise RunStopped(self)
        return self

    def _tell_again(self, show: Show) -> None:
        """What was told of a run that has ended stands in its logs."""
        from kestra_magic.runs.journal.replay import replayed

        for result in self.context.live.values():
            for event in replayed(result, self.context.runner):
                show(self.progress, event)

    def wait(self, timeout: float | None = None) -> Self:
        """Return when it has ended, or after *timeout* seconds.

        Raises:
            TimeoutError: it has not ended by then.
        """
        if not awaited(self.context.broadcast.closed, timeout):
            raise TimeoutError(f"`{self.name}` still runs after {timeout:g} s")
        self.cleared(timeout)
        return self

    def cleared(self, seconds: float | None = None) -> None:
        """Wait, of a run that has ended, until its directories are gone too: a cell shows its result before that."""
        if seconds is None:
            self._leave()
        elif not self._left.is_set():
            at_once(self._leave)
            self._left.wait(seconds)

    def __await__(self) -> Generator[Any, None, Self]:
        return self._awaited().__await__()

    async def _awaited(self) -> Self:
        while not self.ended:  # a loop that only waits does not hear an interrupt (ipykernel)
            await asyncio.sleep(TICK_SECONDS)
        return self

    def rerun(self, *, bg: bool = False, **inputs: Any) -> Run:
        """Run the same again, with other *inputs*; return the new run, also a failed one.

        Args:
            bg: return at once.

        Raises:
            KestraMagicError: it depends on what is not known any more.
        """
        run = self.again(inputs)
        return run.start() if bg else run.complete()

    def again(self, inputs: Mapping[str, Any], *, start: str = "") -> Run:
        """Return the same run with other *inputs*, not yet started.

        Args:
            start: of a flow, the task to start from; what this run gave before it is used again.

        Raises:
            KestraMagicError: it depends on what is not known any more.
        """
        if self.context.anew is None:
            raise KestraMagicError(f"what `{self.name}` was is not known any more: run its cell")
        if start and self.context.cell:
            raise KestraMagicError(f"`{self.name}` is one task: there is nothing to start from in it")
        return self.context.anew(inputs, {"from": start, "reuse": self.folder.name} if start else {})

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None:
        """End it with everything that it started: asked first, forced after *grace* seconds (0: at once)."""
        if self.ended:
            return
        self.context.emit(Killing(reason=reason, forced=grace == 0))
        self._engine.stop(grace=grace, reason=reason)

    def check(self) -> Self:
        """Return the run if it ended well.

        Raises:
            TaskException: it did not; the sentence says how.
            KestraMagicError: what kept it from starting.
        """
        if self.ok:
            return self
        failure = self.failure or self.result.failure
        if failure is not None:
            raise failure
        end = self.result.exit
        by_a_person = self._was_interrupted or (end is not None and end.reason == "interrupt")
        raise RunStopped(self) if by_a_person else TaskException(self)
