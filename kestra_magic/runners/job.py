"""What is to be run, and who can run it. Plain data: a Job pickles and knows no YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kestra_magic.process.events import Event

__all__ = ["Background", "Engine", "Job", "Placed", "Runner", "Running"]

Background = Literal["wait", "kill", "keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One input file: *name* below the root, and its bytes or the file that holds them."""

    name: str
    content: bytes = b""
    source: str = ""
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt of one task, ready to run.

    Attributes:
        name: the task's id; *task_run* and *attempt* say whose events they are.
        argv: the command; env is added to the runner's own environment.
        root: the working directory. No other absolute path is in the job.
        log_dir: where the runner writes ``run.log`` on this machine.
        inputs: placed below root before the start.
        outputs: Java globs collected at the end; *output_dir* is collected whole.
        timeout, grace: seconds; mask: strings that must never be seen.
    """

    name: str
    task_run: str
    attempt: int = 1
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    root: str
    log_dir: str
    inputs: tuple[Placed, ...] = ()
    folders: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    output_dir: str = ""
    timeout: float | None = None
    grace: float = 2.0
    background: Background = "wait"
    mask: tuple[str, ...] = ()
    merge: bool = False
    tty: bool = False
    detach: bool = False
    worker_group: str = ""


class Running(Protocol):
    """A run that lives: its events to the end, and a way to end it."""

    def events(self) -> Iterator[Event]: ...

    def stop(self, *, grace: float | None = None, reason: str = "stop") -> None: ...


class Runner(Protocol):
    """Where jobs run."""

    def root(self, run: str) -> Path: ...

    def start(self, job: Job) -> Running: ...


class Engine(Protocol):
    """Where whole flows run."""

    def start(self, flow: str, inputs: Mapping[str, object]) -> Running: ...
