"""``concurrency``: how many executions of a flow run at the same time, and what becomes of one too many."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError
from kestra_magic.runs.progress import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kestra_magic.model.flow import Concurrency

__all__ = ["Slots"]


class Slots:
    """The executions of this kernel that run now, by namespace and id of their flow."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], int] = {}
        self._turn = threading.Condition()

    @contextmanager
    def taken(
        self, flow: tuple[str, str], asked: Concurrency | None, queued: Callable[[], None], stopped: Callable[[], bool]
    ) -> Iterator[State]:
        """Hold a slot while the execution runs; give the state it has now: RUNNING, or how it ends at once.

        Raises:
            KestraMagicError: there is none, and the flow says FAIL.
        """
        state = self._admitted(flow, asked, queued, stopped)
        try:
            yield state
        finally:
            if state is State.RUNNING:
                with self._turn:
                    self._running[flow] -= 1
                    self._turn.notify_all()

    def wake(self) -> None:
        """Let whoever waits look whether it is stopped."""
        with self._turn:
            self._turn.notify_all()

    def _admitted(
        self, flow: tuple[str, str], asked: Concurrency | None, queued: Callable[[], None], stopped: Callable[[], bool]
    ) -> State:
        with self._turn:
            if asked and self._full(flow, asked):
                if asked.behavior == "FAIL":
                    raise KestraMagicError(f"`{flow[1]}` runs {asked.limit} times already (concurrency: FAIL)")
                if asked.behavior == "CANCEL":
                    return State.CANCELLED
                queued()
                self._turn.wait_for(lambda: stopped() or not self._full(flow, asked))
            if stopped():
                return State.KILLED
            self._running[flow] = self._running.get(flow, 0) + 1
            return State.RUNNING

    def _full(self, flow: tuple[str, str], asked: Concurrency) -> bool:
        return self._running.get(flow, 0) >= asked.limit
