"""The one thread that hears the guardians that nobody waits for, and notices those that do not answer."""

from __future__ import annotations

import math
import selectors
import socket
import sys
import threading
import time
from _thread import start_new_thread
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from kestra_magic.process.helpers import helpers

if sys.platform == "win32":
    from kestra_magic.process import windows as system
else:
    from kestra_magic.process import posix as system

if TYPE_CHECKING:
    from collections.abc import Callable

    from kestra_magic.process.child import Child

__all__ = ["Listening", "at_once"]

REST_SECONDS = 0.03
"""Between the end of a run and what follows it, as the making of its guardian's successor: until then its result
wants the processor, and Python does one thing at a time."""
_NOTICING = tuple(vars(selectors)[name] for name in ("EpollSelector", "KqueueSelector") if hasattr(selectors, name))
"""Those that hear at once also who was registered while they wait."""


class Listening:
    """The one thread that hears every guardian, but for those whose run is waited for: who waits hears them himself."""

    def __init__(self) -> None:
        self.children: set[Child] = set()
        self._selector = selectors.DefaultSelector()
        self._awake, self._wake = socket.socketpair()
        self._new: deque[Child] = deque()
        self._calls: deque[tuple[float, Callable[[], object]]] = deque()
        self._replenish_at = math.inf
        self._selector.register(self._awake, selectors.EVENT_READ)
        threading.Thread(target=self._listen, name="kestra-magic", daemon=True).start()

    def look(self) -> None:
        """Something is due at a certain time."""
        self._wake.send(b"?")

    def add(self, child: Child) -> None:
        child.listening = self
        self.children.add(child)
        self._new.append(child)
        if isinstance(self._selector, _NOTICING):
            self._welcome()
        else:
            self._wake.send(b"+")

    def leave(self, child: Child) -> None:
        """From here on its guardian is heard by this thread, which waits for it."""
        if isinstance(self._selector, _NOTICING) and child.connection is not None:
            with child.hearing:
                child.alone = True
            with suppress(KeyError, ValueError):
                self._selector.unregister(child.connection)

    def take_back(self, child: Child) -> None:
        """Nobody waits for it any more. Its guardian's successor is thought of when something else is due."""
        child.alone = False
        if child.over:
            self._forget(child)
        else:
            self._new.append(child)
            self._welcome()

    def later(self, call: Callable[[], object]) -> None:
        """Call it in a thread of its own, when what has ended is shown."""
        self._calls.append((time.monotonic() + REST_SECONDS, call))
        self.look()

    def _listen(self) -> None:
        while True:
            for key, _ in self._selector.select(self._patience()):
                if key.data is None:
                    self._awake.recv(4096)
                    self._welcome()
                else:
                    self._hear(key.data, key.fd)
            for child in [child for child in list(self.children) if child.answer_by <= time.monotonic()]:
                child.answer_by = math.inf
                with child.hearing:  # of its end nobody shall hear before all is done
                    if child.silent:  # else who hears it is busy
                        self._end_guardian(child)
            if self._replenish_at <= time.monotonic():
                self._replenish_at = math.inf
                helpers.replenish()
            while self._calls and self._calls[0][0] <= time.monotonic():
                at_once(self._calls.popleft()[1])

    def _patience(self) -> float | None:
        called = self._calls[0][0] if self._calls else math.inf
        first = min((self._replenish_at, called, *(child.answer_by for child in list(self.children))))
        return None if first == math.inf else max(0.0, first - time.monotonic())

    def _welcome(self) -> None:
        with suppress(IndexError):  # two threads may welcome at once: who finds nobody is done
            while True:
                child = self._new.popleft()
                if child.connection is not None:
                    self._selector.register(child.connection, selectors.EVENT_READ, child)

    def _hear(self, child: Child, fd: int) -> None:
        with child.hearing:
            if child.alone:
                return
            self.hear(child)
        if child.over:
            with suppress(KeyError):  # who waits for it has come meanwhile
                self._selector.unregister(fd)  # before its number may be another's
            self._forget(child)

    def hear(self, child: Child) -> None:
        """Whatever goes wrong with one run, the others go on, and who waits for it must not wait for ever."""
        try:
            child.hear()
        except Exception as error:
            child.lose(f"what its guardian said was not understood: {error!r}")

    def _forget(self, child: Child) -> None:
        if child.again and (connection := child.release()):
            helpers.give_back(connection)
        child.close()
        self.children.discard(child)
        self._replenish_at = time.monotonic() + REST_SECONDS

    def _end_guardian(self, child: Child) -> None:
        """What comes of it is heard from its socket, when its end has closed it."""
        who, root = (child.guardian_pid, child.guardian_start), (child.pid, child.start_time)
        if child.pid:
            system.end_guardian(who, root, child.marker, detached=child.detached)

    def close(self) -> None:
        for child in self.children:
            if child.connection is not None:
                child.connection.close()
        for end in (self._awake, self._wake, self._selector):
            end.close()


def at_once(call: Callable[[], object]) -> None:
    """Call it in a thread; here, where Python ends and begins no more."""
    try:
        start_new_thread(call, ())
    except RuntimeError:
        call()
