"""What happens to a process, told as frozen facts: primitives only, so that they pickle and are JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Draining", "Event", "Exited", "Fact", "Killing", "Lost", "Output", "OutputKind", "Queued", "Reason", "Requeued",
    "Started", "Stream", "Usage",
]  # fmt: skip

Stream = Literal["stdout", "stderr"]
OutputKind = Literal["lines", "open", "frame"]
Reason = Literal["", "timeout", "interrupt", "stop", "replaced", "kernel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What every event carries: whose it is, and when it was seen (seconds since the epoch)."""

    task_run: str = ""
    attempt: int = 1
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued(Fact):
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Fact):
    """The command runs; *where* is the worker that runs it, empty on this machine."""

    pid: int
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Fact):
    """Something was written.

    ``lines``: *text* holds whole lines, masked, exactly as they stand in the log from byte *offset*, *size* bytes long.
    Once a stream has shown its budget, *text* is empty and only *lines* and *size* go on counting.
    ``open``: *text* is the unfinished last line as it stands now; the next Output of the stream replaces it.
    ``frame``: *text* is one lifted line (``::{…}::``), unmasked; *offset* says where in the log it was written.
    A frame counts as one line of its stream.
    """

    stream: Stream
    kind: OutputKind = "lines"
    text: str = ""
    lines: int = 0
    offset: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Fact):
    """What the tree uses now: processor seconds so far, bytes, processes."""

    cpu_seconds: float = 0.0
    rss_bytes: int = 0
    read_bytes: int = 0
    write_bytes: int = 0
    processes: int = 0
    pids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draining(Fact):
    """The command ended with *code*, but *processes* that it left in the background still live."""

    code: int
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Killing(Fact):
    """The tree is being ended: asked first (TERM), or *forced* (KILL)."""

    reason: Reason
    forced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited(Fact):
    """The command and all its descendants have ended.

    Attributes:
        code: exit code as a shell gives it (128 + n for signal n); negative: nobody told it.
        reason: why it was ended from outside; empty if it ended by itself.
        error: why it could not be started, or its log not written; empty if it was.
        ended: processes that were killed; *strays* of them had left the process group.
        kept: processes that were left running on purpose (``background: keep``).
        stdout_lines, stderr_lines: lines written, lifted frames included.
        log_bytes: bytes written to the log; *lost_bytes* of them fell into the gap of a capped log.
        cpu_seconds, rss_bytes: processor time and peak resident memory of the whole tree.
    """

    code: int
    reason: Reason = ""
    error: str = ""
    ended: int = 0
    strays: int = 0
    kept: int = 0
    stdout_lines: int = 0
    stderr_lines: int = 0
    log_bytes: int = 0
    lost_bytes: int = 0
    cpu_seconds: float = 0.0
    rss_bytes: int = 0
    read_bytes: int = 0
    write_bytes: int = 0

    @property
    def known_code(self) -> int | None:
        return self.code if self.code >= 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Fact):
    """Whoever ran it is gone, and with it the knowledge of how it ended."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeued(Fact):
    reason: str = ""


Event = Queued | Started | Output | Usage | Draining | Killing | Exited | Lost | Requeued
