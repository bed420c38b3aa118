"""One run's events, for everyone who looks: folded once, told to each."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from kestra_magic.runs.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kestra_magic.runs.progress import Happening

__all__ = ["Broadcast", "Seat"]

Told = tuple[Progress, "Happening | None"]


class Seat:
    """Where one listener sits; it may leave and come back to it.

    A queue that signal handlers may put into: `SimpleQueue.put` is re-entrant.
    """

    def __init__(self) -> None:
        self.queue: SimpleQueue[Told | None] = SimpleQueue()

    def wake(self) -> None:
        self.queue.put(None)

    def __iter__(self) -> Iterator[Told | None]:
        """Yield what was told, and None whenever someone woke the listener, until the run has ended."""
        while True:
            try:
                told = self.queue.get(timeout=0.25)  # Windows cannot be interrupted in an untimed wait
            except Empty:
                continue
            yield told
            if told is not None and told[1] is None:
                return


class Broadcast:
    """Folds events into progress, and tells both to whoever sits."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.closed = threading.Event()
        self._seats: list[Seat] = []
        self._lock = threading.RLock()

    def emit(self, event: Happening) -> None:
        with self._lock:
            self.progress = self.progress.after(event)
            for seat in self._seats:
                seat.queue.put((self.progress, event))

    def close(self) -> None:
        """The last word: whoever listens must not wait for ever."""
        with self._lock:
            self.closed.set()
            for seat in self._seats:
                seat.queue.put((self.progress, None))

    def sit(self) -> Seat:
        with self._lock:
            seat = Seat()
            self._seats.append(seat)
            if self.closed.is_set():
                seat.queue.put((self.progress, None))
            return seat
