"""What a guardian waits for: descriptors that can be read, and moments. Standard library only."""

from __future__ import annotations

import os
import select
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Loop", "wake_pipe"]


class Loop:
    """Handlers of descriptors, and timers by name."""

    def __init__(self) -> None:
        self.poll = select.poll()
        self._handlers: dict[int, Callable[[], object]] = {}
        self._timers: dict[str, tuple[float, Callable[[], None]]] = {}

    def on(self, fd: int, handler: Callable[[], object]) -> None:
        self.poll.register(fd, select.POLLIN)
        self._handlers[fd] = handler

    def off(self, fd: int) -> None:
        self.poll.unregister(fd)
        del self._handlers[fd]

    def after(self, seconds: float, call: Callable[[], None], name: str = "") -> None:
        """Call once, in *seconds*; a timer of the same name (by default the function's) is replaced."""
        self._timers[name or call.__name__] = (time.monotonic() + seconds, call)

    def due(self, name: str) -> float:
        """Return when that timer is due (monotonic); infinity if there is none."""
        return self._timers.get(name, (float("inf"),))[0]

    def forget(self) -> None:
        """No timer is due any more."""
        self._timers.clear()

    def wait(self) -> list[int]:
        """Wait until something can be read or a timer is due; return what can be read."""
        patience = min((due for due, _ in self._timers.values()), default=None)
        millis = None if patience is None else max(0.0, patience - time.monotonic()) * 1000
        return [fd for fd, _ in self.poll.poll(millis)]

    def handle(self, ready: list[int]) -> None:
        """Call the handlers of *ready*, and then the timers that are due."""
        for fd in ready:
            if handler := self._handlers.get(fd):
                handler()
        now = time.monotonic()
        for name in [name for name, (due, _) in self._timers.items() if due <= now]:
            if name in self._timers:
                self._timers.pop(name)[1]()


def wake_pipe() -> int:
    """Return a descriptor that can be read when a child has ended."""
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    return woken
