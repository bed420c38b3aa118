"""What one task run left behind, also while it still lives."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.runs.metrics import Metrics
from kestra_magic.runs.progress import State
from kestra_magic.runs.task.markers import Metric
from kestra_magic.workspace.outputs import OutputFiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kestra_magic.errors import KestraMagicError
    from kestra_magic.process.events import Exited
    from kestra_magic.process.gpu import GpuUse
    from kestra_magic.process.logs import LogFile
    from kestra_magic.tasks.place import Prepared

__all__ = ["LEVELS", "MEASURED", "Entry", "Logs", "TaskResult"]

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")

MEASURED = ("cpu_seconds", "rss_bytes", "read_bytes", "write_bytes")
"""What the guardian says of the whole tree when it has ended."""
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


@dataclass(frozen=True, slots=True)
class Entry:
    """One log entry that no process wrote to its streams. *offset* says where in the log it belongs."""

    level: str
    message: str
    at: float = 0.0
    offset: int = 0


@dataclass(slots=True)
class TaskResult:
    """One task run's outcome; filled in as it lives, complete when it has ended.

    Attributes:
        vars: what ``::{"outputs": …}::`` said, the last value of a key (``ScriptOutput.vars``).
        files: the collected output files; *stranded*: some could not be kept, and lie where they were made.
        failure: the error that kept the task from starting, as it is to be raised.
        outputs: as expressions see them; None: it has none.
        value: of the loop's turn that it ran for.
    """

    id: str
    task_id: str
    state: State = State.CREATED
    value: str | None = None
    vars: dict[str, Any] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    measured: list[Metric] = field(default_factory=list)
    assets: list[dict[str, Any]] = field(default_factory=list)
    files: OutputFiles = field(default_factory=lambda: OutputFiles({}))
    stranded: bool = False
    exit: Exited | None = None
    prepared: Prepared | None = None
    log_file: LogFile | None = None
    error: str = ""
    hint: str = ""
    failure: KestraMagicError | None = None
    outputs: dict[str, Any] | None = None
    gpu_use: GpuUse | None = None
    """What it was last seen to use of GPUs."""
    most: dict[str, float] = field(default_factory=dict)
    """The most of each that was seen at once: processes, bytes and percent of GPUs."""

    def saw(self, **used: float) -> None:
        """Remember the most of each."""
        self.most.update({name: max(value, self.most.get(name, value)) for name, value in used.items()})

    def saw_gpu(self, use: GpuUse) -> None:
        """Other runs' use of the same GPU is not called this run's."""
        whose = "whole_gpu" if use.label else "gpu"
        self.gpu_use = use
        self.saw(**{f"{whose}_bytes": use.bytes, f"{whose}_percent": use.percent})

    @property
    def exit_code(self) -> int | None:
        return self.exit.known_code if self.exit else None

    @property
    def metrics(self) -> Metrics:
        return Metrics(tuple(self.measured))

    @property
    def peaks(self) -> Metrics:
        """What its tree of processes used: never part of a saved output, because no two runs use the same."""
        if self.exit is None:
            return Metrics()
        used = {name: getattr(self.exit, name) for name in MEASURED}
        return Metrics(tuple(Metric("gauge", name, value) for name, value in {**used, **self.most}.items()))

    @property
    def log(self) -> Logs:
        return Logs(self.log_file, tuple(self.entries))

    @property
    def stdout(self) -> str:
        return self.log.text("stdout")

    @property
    def stderr(self) -> str:
        return self.log.text("stderr")


class Logs:
    """A run's log: whole on disk up to its cap; here, a way to read it."""

    def __init__(self, file: LogFile | None, entries: tuple[Entry, ...] = ()) -> None:
        self._file = file
        self.entries = entries

    @property
    def path(self) -> Path | None:
        return self._file.path if self._file else None

    @property
    def file(self) -> LogFile | None:
        return self._file

    def text(self, stream: str | None = None) -> str:
        """What was written, without ANSI."""
        return _ANSI.sub("", self._file.text(stream)) if self._file else ""

    def settled(self, most: int) -> list[str]:
        """The first lines, without earlier states of progress bars."""
        return [_ANSI.sub("", line.text) for line in (self._file.lines(0, most) if self._file else ()) if not line.over]

    def tail(self, stream: str | None = None, lines: int = 200) -> str:
        return self._file.tail(stream, lines) if self._file else ""

    def __iter__(self) -> Iterator[str]:
        return iter(self.text().splitlines())

    def __len__(self) -> int:
        return self._file.count if self._file else 0

    def __repr__(self) -> str:
        return f"Logs({len(self):,} lines)"
