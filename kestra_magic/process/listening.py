"""The one thread that hears all guardians, and notices those that do not answer."""

from __future__ import annotations

import math
import selectors
import socket
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from kestra_magic.process.helpers import helpers

if sys.platform == "win32":
    from kestra_magic.process import windows as system
else:
    from kestra_magic.process import posix as system

if TYPE_CHECKING:
    from kestra_magic.process.child import Child

__all__ = ["Listening"]

REST_SECONDS = 0.03
"""Between the end of a run and the making of its guardian's successor: until then its result wants the processor."""
_NOTICING = tuple(vars(selectors)[name] for name in ("EpollSelector", "KqueueSelector") if hasattr(selectors, name))
"""Those that hear at once also who was registered while they wait."""


class Listening:
    """The one thread that hears all guardians."""

    def __init__(self) -> None:
        self.children: set[Child] = set()
        self._selector = selectors.DefaultSelector()
        self._awake, self._wake = socket.socketpair()
        self._new: deque[Child] = deque()
        self._replenish_at = math.inf
        self._selector.register(self._awake, selectors.EVENT_READ)
        threading.Thread(target=self._listen, name="kestra-magic", daemon=True).start()

    def look(self) -> None:
        """Someone must have answered by a certain time."""
        self._wake.send(b"?")

    def add(self, child: Child) -> None:
        child.look = self.look
        self.children.add(child)
        self._new.append(child)
        if isinstance(self._selector, _NOTICING):
            self._welcome()
        else:
            self._wake.send(b"+")

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
                self._end_guardian(child)
            if self._replenish_at <= time.monotonic():
                self._replenish_at = math.inf
                helpers.replenish()

    def _patience(self) -> float | None:
        first = min((self._replenish_at, *(child.answer_by for child in list(self.children))))
        return None if first == math.inf else max(0.0, first - time.monotonic())

    def _welcome(self) -> None:
        with suppress(IndexError):  # two threads may welcome at once: who finds nobody is done
            while True:
                child = self._new.popleft()
                if child.connection is not None:
                    self._selector.register(child.connection, selectors.EVENT_READ, child)

    def _hear(self, child: Child, fd: int) -> None:
        """Whatever goes wrong with one run, the others go on, and who waits for it must not wait for ever."""
        try:
            more = child.hear()
        except Exception as error:
            child.lose(f"what its guardian said was not understood: {error!r}")
            more = False
        if not more:
            self._selector.unregister(fd)  # before its number may be another's
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
