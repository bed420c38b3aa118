"""What is to be run, and who can run it. Plain data: a Job pickles and knows no YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from kestra_magic.process.events import Event, Reason

__all__ = ["CONTEXT_FILE", "Background", "Found", "Job", "Placed", "Runner", "Running"]

CONTEXT_FILE = ".kestra-execution-context.json"
"""The input file that tells a script of its execution: it goes with the process, and is no output."""

Background = Literal["wait", "kill", "keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One input file: *name* below the root, and its bytes or the file that holds them."""

    name: str
    content: bytes | None = None
    source: str = ""
    in_logs: bool = False
    """Below the log folder instead: a script of a run whose root is the notebook's own folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt of one task, ready to run.

    Attributes:
        name: the task's id; *task_run* and *attempt* say whose events they are.
        argv: the command; env is added to the runner's own environment.
        env: added to the runner's own environment; None takes a name away.
        root: the working directory. No other absolute path is in the job.
        here: root is the notebook's own folder: nothing in it is moved or removed.
        shared: root is there already, and stays: it belongs to a ``WorkingDirectory``.
        log_dir: where ``run.log`` is written on this machine.
        inputs: placed below root before the start, and *folders* made there.
        outputs: Java globs collected at the end; the folder *output_dir* is collected whole.
        timeout, grace: seconds.
        mask: strings that must never be seen.
        marker: 48 bits that all its processes bear.
        locks: descriptors of this kernel that are to stay open as long as it runs.
    """

    name: str
    task_run: str
    attempt: int = 1
    argv: tuple[str, ...]
    env: Mapping[str, str | None] = field(default_factory=dict)
    root: str
    here: bool = False
    shared: bool = False
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
    marker: int = 0
    locks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What an attempt left: files by name, and a sentence for each pattern that matched none."""

    files: Mapping[str, Path]
    misses: tuple[str, ...] = ()


class Running(Protocol):
    """A job that runs: its events to the end, a way to end it, and what it left."""

    @property
    def ended(self) -> bool:
        """Whether it has ended, also where that was not told yet."""
        ...

    def events(self) -> Iterator[Event]: ...

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None: ...

    def collect(self) -> Found: ...


class Runner(Protocol):
    """Where jobs run."""

    def root(self, run: str) -> Path: ...

    def start(self, job: Job, ready: Callable[[], object] = bool) -> Running:
        """Start *job*; *ready* is called before its process exists, and if it raises none will."""
        ...

    def attach(self, job: Job) -> Running:
        """Return what another kernel started, live or ended, told from its beginning.

        Raises:
            KestraMagicError: it is not known there.
        """
        ...
