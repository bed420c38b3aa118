"""What a task that is no process works with: its properties rendered, its directory, its log, a way to be ended."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.awaited import awaited

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kestra_magic.model.tasks import Task
    from kestra_magic.stores.kv import KV
    from kestra_magic.tasks.place import Place

__all__ = ["Desk", "Halt", "Halted", "TaskFailed"]


class Halted(KestraMagicError):
    """The task was ended from outside."""


class TaskFailed(KestraMagicError):
    """The task ran, and failed; what it gave is kept."""

    def __init__(self, said: str, outputs: Mapping[str, Any] | None = None) -> None:
        self.outputs = dict(outputs or {})
        super().__init__(said)


class Halt:
    """Ends a task that waits or works in steps."""

    def __init__(self) -> None:
        self.reason = ""
        self._event = threading.Event()
        self._closers: list[Callable[[], object]] = []

    def set(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._event.set()
        for close in self._closers:
            close()

    def wait(self, seconds: float | None = None) -> None:
        """Wait so long, or for ever.

        Raises:
            Halted: the task was ended.
        """
        if awaited(self._event, seconds):
            raise Halted(self.reason)

    def check(self) -> None:
        self.wait(0)

    def closing(self, close: Callable[[], object]) -> None:
        """Have *close* called when the task is ended: it opens what a call is blocked in."""
        self._closers.append(close)


@dataclass(kw_only=True)
class Desk:
    """One attempt of one task.

    Attributes:
        log: takes a level and a message.
        measure: takes a metric: type, name, value, tags.
        bar: shows the unfinished line of something that goes on.
        keep: takes a file's name and path, moves it to where it stays, and returns its URI.
        folder: makes the working directory when it is first asked for.
        label: adds labels to the execution.
        forget: removes all files of the execution from the storage, and returns how many.
    """

    task: Task
    place: Place
    log: Callable[[str, str], None]
    measure: Callable[[str, str, float, Mapping[str, str]], None]
    bar: Callable[[str], None]
    keep: Callable[[str, Path], str]
    folder: Callable[[], Path]
    label: Callable[[Mapping[str, str]], None]
    forget: Callable[[], int]
    kv: KV
    halt: Halt = field(default_factory=Halt)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of the task's property *name*, its expressions rendered; *default* where it is not given."""
        return self.place.resolve(self.task, name, default)

    def path(self, uri: str) -> Path:
        """Return the file behind a URI of the storage."""
        return self.place.storage.path(uri, namespace=self.place.namespace)

    def fail(self, said: str, **outputs: Any) -> NoReturn:
        raise TaskFailed(said, outputs)
