"""A command that runs, or has run, as its kernel sees it: what its guardian says becomes events."""

from __future__ import annotations

import math
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

from kestra_magic.process.awaited import step_seconds
from kestra_magic.process.events import Draining, Exited, Killing, Lost, Started, Usage
from kestra_magic.process.recorder import FRAMES, read_status
from kestra_magic.process.tail import Tail
from kestra_magic.process.wire import Frames, pack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kestra_magic.process.events import Event, Reason
    from kestra_magic.process.listening import Listening

__all__ = ["ANSWER", "Child"]

ANSWER = 2.0
"""Seconds that a guardian has to answer: it does so at once, or it stands still."""


class Child:
    """A command that runs, or has run.

    Attributes:
        pid: of the command; 0 until it has started. *start_time* (ticks since boot) makes it unmistakable.
        guardian_pid: of who watches over it, and *guardian_start*.
        answer_by: when its guardian must have answered (monotonic): *listening* minds that.
        alone: whoever waits for its events hears its guardian himself, and the listening thread does not.
        again: its guardian waits for another command.
        marker: what all its processes bear.
    """

    def __init__(self, *, folder: Path, grace: float, budget: int, detached: bool, marker: int, **stamp: Any) -> None:
        self.pid = self.start_time = self.guardian_pid = self.guardian_start = 0
        self.answer_by = math.inf
        self.marker = marker
        self.detached = detached
        self.connection: socket.socket | None = None
        self.listening: Listening | None = None
        self.alone = self.again = False
        self.ended = threading.Event()
        self._folder = folder
        self._grace = grace
        self._stamp = stamp
        self._tail = Tail(folder, budget, **stamp)
        self._frames = Frames()
        self._events: deque[Event] = deque()
        self._news = threading.Event()
        self._over = self._kept = self._gone = False
        self._lifted = True
        self._lock = threading.Lock()
        self.hearing = threading.Lock()

    def events(self) -> Iterator[Event]:
        """Yield what happens, to the end. Called again after an interrupt it goes on where it was."""
        try:
            if self.listening is not None and _is_undisturbed():
                self.listening.leave(self)
            while not self._over:
                while not self._events:
                    self._wait()
                # No call between taking and yielding: Python looks for interrupts at calls, and none may fall between.
                event = self._events[0]
                del self._events[0]
                if isinstance(event, Exited | Lost):
                    self._over = True
                yield event
        finally:
            if self.listening is not None and self.alone:
                self.listening.take_back(self)
        self._forget_frames()

    def _wait(self) -> None:
        """Hear its guardian: another thread that does so and then wakes this one takes longer than a short command."""
        connection, step = self.connection, step_seconds()
        if sys.platform != "win32" and self.listening is not None and self.alone and connection is not None:
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            if poll.poll(step and step * 1000):
                with self.hearing:
                    self.listening.hear(self)
        else:
            self._news.wait(step)
            self._news.clear()

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None:
        """Ask every process of the tree to end (TERM); end those that have not after *grace* seconds, 0: all now."""
        self.answer_by = min(self.answer_by, time.monotonic() + ANSWER)
        self.say({"stop": reason, "grace": self._grace if grace is None else grace})
        if self.listening is not None:
            self.listening.look()

    def say(self, message: dict[str, Any]) -> None:
        with self._lock, suppress(OSError):  # it has ended: there is nobody to be told
            if self.connection is not None:
                self.connection.sendall(pack(message))

    @property
    def silent(self) -> bool:
        """Whether its guardian has said nothing that is not heard yet."""
        with self._lock:
            if self.connection is None:
                return False
            try:
                self.connection.recv(1, socket.MSG_PEEK)
            except OSError as error:  # else it is gone: who hears it will see
                return isinstance(error, BlockingIOError)
            return False

    # What the guardian says, in the listening thread or in that of who waits for it

    def hear(self) -> None:
        """Take what the guardian says."""
        assert self.connection is not None
        try:
            data = self.connection.recv(1 << 18)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._gone = True
            self.look_up()
        for message in self._frames.feed(data):
            self.take(message)

    @property
    def over(self) -> bool:
        """Whether its guardian has no more to say."""
        return self._gone or (self.ended.is_set() and not self._kept)

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
        if "text" not in message:
            with suppress(OSError):  # its folder is gone already: then there is nothing to be read
                self._tail.open()
        self._tell(Started(pid=self.pid, at=at, **self._stamp))

    def _exited(self, message: dict[str, Any], at: float) -> None:
        """Of a short command it is told at once that it started, what it wrote, and how it ended."""
        if "started" in message and not self.pid:
            self._started(message, message["started"])
        if "log" in message:
            self._tell(*self._tail.read(message, last=True))
        self._kept, self.again = bool(message.get("kept")), bool(message.get("again")) and not self._gone
        self._lifted = bool(message.get("frames", True))
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
        if "exited" in status or (status and not self.pid):
            self.take(status)
        if "exited" not in status:
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

    def release(self) -> socket.socket | None:
        """Speak no more to its guardian, who has seen it to its end: return the connection."""
        with self._lock:
            connection, self.connection = self.connection, None
            return connection

    def close(self) -> None:
        """Speak no more. Processes that are kept hold to our end of the socket: while it is open they live."""
        with self._lock:
            if self.connection is not None:
                self.connection.close()
            self.connection = None

    def _forget_frames(self) -> None:
        """Markers are kept unmasked only until they are collected."""
        if self._lifted:
            with suppress(OSError):
                (self._folder / FRAMES).unlink()


def _is_undisturbed() -> bool:
    """Whether no interrupt can hit this thread between hearing something and writing it down."""
    if threading.current_thread() is not threading.main_thread():
        return True
    return signal.getsignal(signal.SIGINT) is not signal.default_int_handler


def _of(kind: type, message: Mapping[str, Any]) -> dict[str, Any]:
    return {name: message[name] for name in _told(kind) if name in message}


@cache
def _told(kind: type) -> list[str]:
    """What a guardian says of it, besides whose it is and when."""
    return [each.name for each in fields(kind) if each.name not in ("task_run", "attempt", "at")]
