"""What is known of a run: a fold over events. There is no other way that state changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from kestra_magic.process.events import (
    Draining,
    Event,
    Exited,
    Fact,
    Killing,
    Lost,
    Output,
    Queued,
    Requeued,
    Started,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kestra_magic.process.events import Reason

__all__ = ["Attempt", "Declared", "Happening", "Logged", "Progress", "Settled", "State", "TaskRun"]


class State(StrEnum):
    """Kestra's states (``io.kestra.core.models.flows.State``)."""

    CREATED = "CREATED"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    RESTARTED = "RESTARTED"
    KILLING = "KILLING"
    RETRYING = "RETRYING"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILED = "FAILED"
    KILLED = "KILLED"
    CANCELLED = "CANCELLED"
    RETRIED = "RETRIED"
    SKIPPED = "SKIPPED"

    @property
    def ended(self) -> bool:
        return self in _ENDED

    @property
    def ok(self) -> bool:
        return self in _OK


_ENDED = {State.SUCCESS, State.WARNING, State.FAILED, State.KILLED, State.CANCELLED, State.RETRIED, State.SKIPPED}
_OK = {State.SUCCESS, State.WARNING, State.SKIPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared(Fact):
    """A task run is known: of which task, and for which value of a loop."""

    task_id: str
    type: str = ""
    value: str | None = None
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged(Fact):
    """Something was said that no process wrote: Kestra's own log entries, and those of ``::{"logs": …}::``."""

    level: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Fact):
    """A task run, or with an empty *task_run* the whole execution, has this state; maybe not its last."""

    state: State
    error: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """Whether it is the end of the whole execution."""
        return not self.task_run and self.state.ended


NOTHING: Mapping[str, Any] = MappingProxyType({})

Happening = Event | Declared | Logged | Settled


class Attempt(NamedTuple):
    """One try of one task."""

    number: int = 1
    state: State = State.CREATED
    started: float | None = None
    ended: float | None = None
    pid: int | None = None
    exit: Exited | None = None
    usage: Usage | None = None
    stdout_lines: int = 0
    stderr_lines: int = 0
    waiting: int = 0
    """Background processes that the attempt still waits for."""

    def after(self, event: Event) -> Attempt:
        match event:
            case Queued():
                return self._replace(state=State.QUEUED)
            case Started(pid=pid, at=at):
                return self._replace(state=State.RUNNING, started=at, pid=pid)
            case Output(stream="stdout", lines=lines):
                return self._replace(stdout_lines=self.stdout_lines + lines)
            case Output(lines=lines):
                return self._replace(stderr_lines=self.stderr_lines + lines)
            case Usage():
                return self._replace(usage=event)
            case Draining(processes=processes):
                return self._replace(waiting=processes)
            case Killing():
                return self._replace(state=State.KILLING)
            case Exited():
                return self._exited(event)
            case Lost(at=at) | Requeued(at=at):
                return self._replace(state=State.FAILED, ended=at)
        return self

    def _exited(self, event: Exited) -> Attempt:
        return self._replace(
            state=_state_at(event),
            ended=event.at,
            exit=event,
            waiting=0,
            stdout_lines=event.stdout_lines or self.stdout_lines,
            stderr_lines=event.stderr_lines or self.stderr_lines,
        )


def _state_at(end: Exited) -> State:
    """Kestra: a timeout is a failure, a kill is a kill, and only the exit code decides otherwise (P2)."""
    if end.reason == "timeout":
        return State.FAILED
    if end.reason:
        return State.KILLED
    return State.FAILED if end.code or end.error else State.SUCCESS


class TaskRun(NamedTuple):
    """One task in one execution, with all its attempts."""

    id: str
    task_id: str = ""
    type: str = ""
    value: str | None = None
    parent: str = ""
    state: State = State.CREATED
    error: str = ""
    attempts: tuple[Attempt, ...] = ()
    outputs: Mapping[str, Any] = NOTHING
    started: float | None = None
    ended: float | None = None

    @property
    def attempt(self) -> Attempt:
        return self.attempts[-1] if self.attempts else Attempt()

    def after(self, event: Happening) -> TaskRun:
        match event:
            case Declared():
                return self._replace(
                    task_id=event.task_id,
                    type=event.type,
                    value=event.value,
                    parent=event.parent,
                    started=event.at,
                )
            case Settled():
                ended = event.at if event.state.ended else None
                return self._replace(
                    state=event.state, error=event.error, outputs=event.outputs or self.outputs, ended=ended
                )
            case Logged():
                return self
        return self._of_attempt(event)

    def _of_attempt(self, event: Event) -> TaskRun:
        earlier = [a for a in self.attempts if a.number != event.attempt]
        of = next((a for a in self.attempts if a.number == event.attempt), Attempt(event.attempt))
        now = of.after(event)
        state = now.state if not now.state.ended else self.state
        return self._replace(state=state, attempts=(*earlier, now), started=self.started or now.started)


class Progress(NamedTuple):
    """All that is known of an execution so far: a map of its task runs, one entry for a single task.

    Attributes:
        reason: who asked first that it end; empty if nobody did.
    """

    name: str = ""
    state: State = State.CREATED
    reason: Reason = ""
    error: str = ""
    started: float | None = None
    ended: float | None = None
    task_runs: Mapping[str, TaskRun] = NOTHING
    outputs: Mapping[str, Any] = NOTHING

    def after(self, event: Happening) -> Progress:
        if isinstance(event, Settled) and not event.task_run:
            ended = event.at if event.state.ended else None
            return self._replace(state=event.state, error=event.error, outputs=event.outputs, ended=ended)
        if isinstance(event, Logged):
            return self
        if isinstance(event, Killing) and not event.task_run:
            if self.state.ended:
                return self
            return self._replace(state=State.KILLING, reason=self.reason or event.reason)
        known = self.task_runs.get(event.task_run) or TaskRun(event.task_run)
        now = known.after(event)
        runs = MappingProxyType({**self.task_runs, event.task_run: now})
        return self._replace(task_runs=runs, state=self._state(now), started=self.started or now.started)

    def _state(self, now: TaskRun) -> State:
        if self.state.ended or self.state is State.KILLING:
            return self.state
        return now.state if now.state in (State.QUEUED, State.KILLING) and len(self.task_runs) <= 1 else State.RUNNING

    @property
    def task(self) -> TaskRun:
        """The only task run of a single task's execution, or the last of many."""
        return next(reversed(list(self.task_runs.values())), None) or TaskRun("")

    @property
    def seconds(self) -> float:
        """From the first start to the end; 0 as long as one is missing."""
        return self.ended - self.started if self.started is not None and self.ended is not None else 0.0
