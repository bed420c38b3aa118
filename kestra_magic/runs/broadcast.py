"""One run's events, for everyone who looks: folded once, told to each."""

from __future__ import annotations

import signal
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import get_ident
from typing import TYPE_CHECKING
from weakref import WeakSet

from kestra_magic.process.events import Output, Usage
from kestra_magic.runs.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kestra_magic.runs.progress import Happening

__all__ = ["Broadcast", "Front", "Seat", "Told", "interrupts"]

Told = tuple[Progress, "Happening | None"]
REMEMBERED = 50_000
PIECE = 8192
"""Characters up to which pieces of one stream are remembered as one."""


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


class Front(Seat):
    """Where one sits who makes things happen and hears of them at once, in that thread, from when it is opened.

    What other threads tell is heard with what comes next. Hearing that goes wrong ends, and nothing else does.

    Args:
        first: called before anything is heard.
    """

    def __init__(self, first: Callable[[], None], hear: Callable[[Told], None]) -> None:
        super().__init__()
        self._first = first
        self._hear = hear
        self._thread = get_ident()
        self._open = False
        self._failure: BaseException | None = None

    def open(self) -> None:
        if not self._open:
            self._open = True
            self._safely(self._first)
            self.attend()

    def attend(self) -> None:
        """Something was told."""
        if self._open and get_ident() == self._thread:
            while not self.queue.empty():
                told = self.queue.get()
                if told is not None:
                    self._safely(self._hear, told)

    def check(self) -> None:
        """Raise what went wrong while hearing."""
        if self._failure is not None:
            raise self._failure

    def _safely(self, call: Callable[..., None], *told: Told) -> None:
        if self._failure is None:
            try:
                call(*told)
            except BaseException as failure:  # raised by `check`
                self._failure = failure


class Broadcast:
    """Folds events into progress, and tells both to whoever sits.

    What was told is remembered while the run lives, for those who come later: text only up to its budget, see `Tail`.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.closed = threading.Event()
        self._told: deque[Happening] = deque(maxlen=REMEMBERED)
        self._seats: WeakSet[Seat] = WeakSet()  # who has gone is told nothing more
        self._front: Front | None = None
        self._lock = threading.RLock()

    def emit(self, event: Happening) -> None:
        with self._lock:
            self.progress = self.progress.after(event)
            self._remember(event)
            for seat in self._seats if self._seats else ():  # an empty WeakSet takes its time too
                seat.queue.put((self.progress, event))
            front = self._front
            if front:
                front.queue.put((self.progress, event))
        if front:
            front.attend()

    def _remember(self, event: Happening) -> None:
        """What is shown again: no measurements, and what was replaced by what came after it only once."""
        if isinstance(event, Usage) or (isinstance(event, Output) and event.kind == "frame"):
            return
        if isinstance(event, Output) and self._told and (joined := _joined(self._told[-1], event)):
            self._told.pop()
            event = joined
        self._told.append(event)

    def close(self) -> None:
        """The last word: whoever listens must not wait for ever."""
        with self._lock:
            self.closed.set()
            self._told.clear()
            self._front = None
            for seat in self._seats:
                seat.queue.put((self.progress, None))

    def open(self) -> None:
        """It begins, or will not: who sits in front may be shown what was told."""
        if self._front:
            self._front.open()

    def sit_in_front(self, first: Callable[[], None], hear: Callable[[Told], None]) -> Front:
        """Let this thread, which makes things happen, hear of them: see `Front`."""
        with self._lock:
            self._front = Front(first, hear)
            return self._front

    def sit(self, *, from_start: bool = False) -> Seat:
        """Return a seat where everything is heard from now on, or *from_start*."""
        with self._lock:
            seat = Seat()
            for event in self._told if from_start else ():
                seat.queue.put((self.progress, event))  # what was known then, of many runs, would fill the memory
            self._seats.add(seat)
            if self.closed.is_set():
                seat.queue.put((self.progress, None))
            return seat


def _joined(last: Happening, new: Output) -> Output | None:
    """Return one Output for two that follow each other in one stream, where that loses nothing."""
    if not isinstance(last, Output) or _stream(last) != _stream(new):
        return None
    if last.kind == "open":
        return new
    if new.kind == "open" or bool(last.text) != bool(new.text) or len(last.text) + len(new.text) > PIECE:
        return None
    return replace(
        new, text=last.text + new.text, lines=last.lines + new.lines, offset=last.offset, size=last.size + new.size
    )


def _stream(output: Output) -> tuple[str, int, str]:
    return output.task_run, output.attempt, output.stream


@contextmanager
def interrupts(call: Callable[[], object]) -> Iterator[None]:
    """While waiting, an interrupt calls *call*, between any two steps, instead of hitting whatever line runs then."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: call())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
