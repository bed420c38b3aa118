"""A command that runs, or has run, as its kernel sees it: what its guardian says becomes events."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from kestra_magic.process.events import Draining, Exited, Killing, Lost, Started, Usage
from kestra_magic.process.recorder import FRAMES, read_status
from kestra_magic.process.tail import Tail
from kestra_magic.process.wire import Frames, pack

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from kestra_magic.process.events import Event, Reason

__all__ = ["ANSWER", "Child"]

WAIT = 0.1 if sys.platform == "win32" else None
"""Seconds that one wait may last: on Windows no interrupt is heard meanwhile."""
ANSWER = 2.0
"""Seconds that a guardian has to answer: it does so at once, or it stands still."""


class Child:
    """A command that runs, or has run.

    Attributes:
        pid: of the command; 0 until it has started. *start_time* (ticks since boot) makes it unmistakable.
        guardian_pid: of who watches over it, and *guardian_start*.
        answer_by: when its guardian must have answered (monotonic); *look* makes the listening thread mind it.
        marker: what all its processes bear.
    """

    def __init__(self, *, folder: Path, grace: float, budget: int, detached: bool, marker: int, **stamp: Any) -> None:
        self.pid = self.start_time = self.guardian_pid = self.guardian_start = 0
        self.answer_by = math.inf
        self.marker = marker
        self.detached = detached
        self.connection: socket.socket | None = None
        self.look: Callable[[], object] = bool
        self.ended = threading.Event()
        self._folder = folder
        self._grace = grace
        self._stamp = stamp
        self._tail = Tail(folder, budget, **stamp)
        self._frames = Frames()
        self._events: deque[Event] = deque()
        self._news = threading.Event()
        self._over = self._kept = False
        self._lock = threading.Lock()

    def events(self) -> Iterator[Event]:
        """Yield what happens, to the end. Called again after an interrupt it goes on where it was."""
        while not self._over:
            while not self._events:
                self._news.wait(WAIT)
                self._news.clear()
            # No call between taking and yielding: Python looks for interrupts at calls, and none may fall between.
            event = self._events[0]
            del self._events[0]
            if isinstance(event, Exited | Lost):
                self._over = True
            yield event
        self._forget_frames()

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None:
        """Ask every process of the tree to end (TERM); end those that have not after *grace* seconds, 0: all now."""
        self.answer_by = min(self.answer_by, time.monotonic() + ANSWER)
        self.say({"stop": reason, "grace": self._grace if grace is None else grace})
        self.look()

    def say(self, message: dict[str, Any]) -> None:
        with self._lock, suppress(OSError):  # it has ended: there is nobody to be told
            if self.connection is not None:
                self.connection.sendall(pack(message))

    # What the guardian says, in the listening thread

    def hear(self) -> bool:
        """Take what the guardian says; return whether more may come."""
        assert self.connection is not None
        try:
            data = self.connection.recv(1 << 18)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            data = b""
        if not data:
            self.look_up()
            return False
        for message in self._frames.feed(data):
            self.take(message)
        return self._kept or not self.ended.is_set()

    def take(self, message: dict[str, Any]) -> None:
        match message:
            case {"exited": at}:
                self._exited(message, at)
            case {"notice": _}:
                self._tell(*self._tail.read(message))
                self.say({"more": 1})
            case {"heard": _}:
                self.answer_by = math.inf
            case {"started": at}:
                self._started(message, at)
            case {"usage": at}:
                self._tell(Usage(at=at, **{**_of(Usage, message), "pids": tuple(message["pids"])}, **self._stamp))
            case {"killing": reason, "forced": forced, "at": at}:
                self._tell(Killing(reason=reason, forced=forced, at=at, **self._stamp))
            case {"draining": code, "processes": processes, "at": at}:
                self._tell(Draining(code=code, processes=processes, at=at, **self._stamp))
            case {"lost": reason}:
                self.lose(reason)

    def _meet(self, message: dict[str, Any]) -> None:
        self.pid, self.start_time = message["pid"], message["start"]
        self.guardian_pid, self.guardian_start = message["guardian"], message["guardian_start"]

    def _started(self, message: dict[str, Any], at: float) -> None:
        self._meet(message)
        with suppress(OSError):  # its folder is gone already: then there is nothing to be read
            self._tail.open()
        self._tell(Started(pid=self.pid, at=at, **self._stamp))

    def _exited(self, message: dict[str, Any], at: float) -> None:
        if "log" in message:
            self._tell(*self._tail.read(message, last=True))
        self._kept = bool(message.get("kept"))
        self._end()
        self._tell(Exited(at=at, **_of(Exited, message), **self._stamp))

    def lose(self, reason: str) -> None:
        if not self.ended.is_set():
            self._end()
            self._tell(Lost(reason=reason, at=time.time(), **self._stamp))

    def look_up(self) -> None:
        """Nobody speaks for it any more: what stands written decides whether it has ended or was lost."""
        status = read_status(self._folder)
        if self.ended.is_set():
            return
        if status and not self.pid:
            self.take({key: value for key, value in status.items() if key not in ("exited", "notice")})
        if "exited" in status:
            self.take(status)
        else:
            self.lose("who watched over it is gone: its machine was started anew, or someone ended it")

    def refuse(self, code: int, sentence: str) -> None:
        """It could not be started."""
        self.take({"exited": time.time(), "code": code, "error": sentence})
        self.close()

    def _tell(self, *events: Event) -> None:
        self._events.extend(events)
        self._news.set()

    def _end(self) -> None:
        """Whoever hears of the end finds it ended."""
        self._tail.close()
        self.ended.set()

    def close(self) -> None:
        """Speak no more. Processes that are kept hold to our end of the socket: while it is open they live."""
        with self._lock:
            if self.connection is not None:
                self.connection.close()
            self.connection = None

    def _forget_frames(self) -> None:
        """Markers are kept unmasked only until they are collected."""
        with suppress(OSError):
            (self._folder / FRAMES).unlink()


def _of(kind: type, message: Mapping[str, Any]) -> dict[str, Any]:
    known = {f.name for f in fields(kind)} - {"task_run", "attempt", "at"}
    return {name: value for name, value in message.items() if name in known}
