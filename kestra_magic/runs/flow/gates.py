"""Where an execution waits for a person."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Take = Callable[[Mapping[str, Any]], None]

__all__ = ["Gate", "Gates"]


class Gate:
    """One pause, of so many seconds (None: for ever); *take* is told what the person gives."""

    def __init__(self, take: Take, seconds: float | None) -> None:
        self.take = take
        self.seconds = seconds
        self.passed = threading.Event()

    def wait(self) -> bool:
        """Return whether someone opened it in its time."""
        return self.passed.wait(self.seconds)


class Gates:
    """The pauses of an execution, by task run."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}
        self._closed = False
        self._lock = threading.Lock()

    @property
    def waiting(self) -> bool:
        """Whether one of them waits for a person alone."""
        return any(gate.seconds is None and not gate.passed.is_set() for gate in [*self._gates.values()])

    def open(self, task_run: str, take: Take, seconds: float | None) -> Gate:
        with self._lock:
            gate = self._gates[task_run] = Gate(take, seconds)
            if self._closed:
                gate.passed.set()
        return gate

    def resume(self, given: Mapping[str, Any]) -> None:
        """Let everything that waits go on.

        Raises:
            KestraMagicError: nothing waits, or what was given does not fit.
        """
        waiting = [gate for gate in [*self._gates.values()] if not gate.passed.is_set()]
        if not waiting:
            raise KestraMagicError("nothing is paused")
        for gate in waiting:
            gate.take(given)
            gate.passed.set()

    def close(self) -> None:
        """Let everything go that waits, because all is stopped."""
        with self._lock:
            self._closed = True
        for gate in [*self._gates.values()]:
            gate.passed.set()
