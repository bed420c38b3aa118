"""The kernel's side: a Command in, Events out. One thread listens to all runs."""

from __future__ import annotations

import atexit
import base64
import json
import os
import selectors
import socket
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, quote_plus

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.events import Draining, Exited, Killing, Lost, Started, Usage
from kestra_magic.process.tail import Tail
from kestra_magic.process.wire import Frames, pack

if sys.platform == "win32":
    from kestra_magic.process import windows as system
else:
    from kestra_magic.process import posix as system

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kestra_magic.process.events import Event, Reason

__all__ = ["Child", "Command", "attach", "hidden_forms", "shutdown", "start", "warm"]

LAST_WORDS = 2.0
"""Seconds that shutdown waits for all trees to be gone; they go also when nobody waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is to be run.

    Attributes:
        env: the whole environment.
        log_dir: an existing folder (0700) for ``run.log`` and what belongs to it.
        task_run, attempt: stamped on every event.
        timeout: seconds, from the start; then the tree is ended with reason ``timeout``.
        grace: seconds between asking (TERM) and ending (KILL).
        background: whether processes that outlive the command are waited for, killed, or kept until the kernel ends.
        mask: strings that must not be seen in the log or in events, of three characters at least.
        lift: lines ``::{…}::`` become frames instead of lines of the log.
        merge: stderr goes where stdout goes, in exact order.
        tty: a terminal of 120×40 instead of pipes.
        log_cap: bytes of the log that are kept on disk; show_bytes: bytes of each stream whose text is told.
        oom_score: added to the command's oom_score_adj, so that it goes before the kernel when memory runs out.
        marker: 48 bits that all its processes bear; 0: some.
        detach: it outlives this kernel; see `attach`.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log_dir: Path
    task_run: str = ""
    attempt: int = 1
    timeout: float | None = None
    grace: float = 2.0
    background: Literal["wait", "kill", "keep"] = "wait"
    mask: tuple[str, ...] = ()
    lift: bool = True
    merge: bool = False
    tty: bool = False
    log_cap: int = 256 << 20
    show_bytes: int = 512 << 10
    oom_score: int = 300
    marker: int = 0
    detach: bool = False


class Child:
    """A command that runs, or has run.

    Attributes:
        pid: of the command; 0 until it has started. *start_time* (ticks since boot) makes it unmistakable.
        guardian_pid: of who watches over it.
        marker: what all its processes bear.
    """

    def __init__(self, *, folder: Path, grace: float, budget: int, detached: bool, marker: int, **stamp: Any) -> None:
        self.pid = self.guardian_pid = self.start_time = 0
        self.marker = marker
        self.detached = detached
        self.connection: socket.socket | None = None
        self.ended = threading.Event()
        self._folder = folder
        self._grace = grace
        self._stamp = stamp
        self._tail = Tail(folder, budget, **stamp)
        self._frames = Frames()
        self._events: deque[Event] = deque()
        self._news = threading.Event()
        self._over = False
        self._lock = threading.Lock()

    def events(self) -> Iterator[Event]:
        """Yield what happens, to the end. Called again after an interrupt it goes on where it was."""
        while not self._over:
            while not self._events:
                self._news.wait(system.WAIT)
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
        self.say({"stop": reason, "grace": self._grace if grace is None else grace})

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
        return self.connection is not None

    def take(self, message: dict[str, Any]) -> None:
        match message:
            case {"exited": at}:
                self._exited(message, at)
            case {"notice": _}:
                self._tell(*self._tail.read(message))
                self.say({"more": 1})
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

    def _started(self, message: dict[str, Any], at: float) -> None:
        self.pid, self.guardian_pid, self.start_time = message["pid"], message["guardian"], message["start"]
        with suppress(OSError):  # its folder is gone already: then there is nothing to be read
            self._tail.open()
        self._tell(Started(pid=self.pid, at=at, **self._stamp))

    def _exited(self, message: dict[str, Any], at: float) -> None:
        if "log" in message:
            self._tell(*self._tail.read(message, last=True))
        self._tell(Exited(at=at, **_of(Exited, message), **self._stamp))
        self._end(keep=bool(message.get("kept")))

    def lose(self, reason: str) -> None:
        if not self.ended.is_set():
            self._tell(Lost(reason=reason, at=time.time(), **self._stamp))
        self._end()

    def look_up(self) -> None:
        """Nobody speaks for it any more: what stands written decides whether it has ended or was lost."""
        status: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            status = json.loads((self._folder / "status").read_text("utf-8"))
        if self.ended.is_set():
            return
        if status and not self.pid:
            self._started(status, status["started"])
        if "exited" in status:
            self._exited(status, status["exited"])
        else:
            self.lose("who watched over it is gone: its machine was started anew, or someone ended it")

    def refuse(self, code: int, sentence: str) -> None:
        """It could not be started."""
        self._tell(Exited(code=code, error=sentence, at=time.time(), **self._stamp))
        self._end()

    def _tell(self, *events: Event) -> None:
        self._events.extend(events)
        self._news.set()

    def _end(self, *, keep: bool = False) -> None:
        """Processes that are kept go on holding to our end of the socket."""
        self._tail.close()
        self.ended.set()
        if not keep:
            self.close()

    def close(self) -> None:
        with self._lock:
            if self.connection is not None:
                self.connection.close()
            self.connection = None

    def _forget_frames(self) -> None:
        """Markers are kept unmasked only until they are collected."""
        with suppress(OSError):
            (self._folder / "run.frames").unlink()


def _of(kind: type, message: Mapping[str, Any]) -> dict[str, Any]:
    known = {f.name for f in fields(kind)} - {"task_run", "attempt", "at"}
    return {name: value for name, value in message.items() if name in known}


class Listening:
    """The one thread that hears all guardians."""

    def __init__(self) -> None:
        self.children: set[Child] = set()
        self._selector = selectors.DefaultSelector()
        self._awake, self._wake = socket.socketpair()
        self._new: deque[Child] = deque()
        self._selector.register(self._awake, selectors.EVENT_READ)
        threading.Thread(target=self._listen, name="kestra-magic", daemon=True).start()

    def add(self, child: Child) -> None:
        self.children.add(child)
        self._new.append(child)
        self._wake.send(b"+")

    def _listen(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._welcome()
                else:
                    self._hear(key.data, key.fd)

    def _welcome(self) -> None:
        self._awake.recv(4096)
        while self._new:
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
            with suppress(KeyError, ValueError):  # its socket is closed already
                self._selector.unregister(fd)
            child.close()
            self.children.discard(child)

    def close(self) -> None:
        for child in self.children:
            if child.connection is not None:
                child.connection.close()
        for end in (self._awake, self._wake, self._selector):
            end.close()


_helpers = system.Helpers()
_listening: Listening | None = None
_beginning = threading.Lock()


def warm() -> None:
    """Begin to prepare for the first run, in the background; once is enough."""
    with suppress(OSError):  # whoever starts a run is told
        _helpers.warm()


def start(command: Command) -> Child:
    """Start *command*. What keeps it from starting is told as its exit, with the code that a shell would give."""
    mark = command.marker or int.from_bytes(os.urandom(6), "little") | 1 << 47
    child = Child(
        folder=command.log_dir,
        grace=command.grace,
        budget=command.show_bytes,
        detached=command.detach,
        marker=mark,
        task_run=command.task_run,
        attempt=command.attempt,
    )
    try:
        request = pack(_request(command, mark))
        child.connection = _helpers.guardian(detached=command.detach)
        child.connection.sendall(request)
        child.connection.setblocking(False)
    except (OSError, KestraMagicError) as error:
        child.refuse(126, f"`{command.argv[0]}` could not be started: {error}")
        return child
    _listener().add(child)
    return child


def attach(log_dir: Path, *, show_bytes: int = 512 << 10) -> Child:
    """Return the run whose log lies in *log_dir*, live or ended, of any kernel: told from its beginning.

    Raises:
        KestraMagicError: there is none.
    """
    try:
        status = json.loads((log_dir / "status").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise KestraMagicError(f"no run is known in `{log_dir}`: {error}") from None
    stamp = {"task_run": status["task_run"], "attempt": status["attempt"]}
    child = Child(folder=log_dir, grace=2.0, budget=show_bytes, detached=True, marker=status["mark"], **stamp)
    if "exited" in status or not _met(child, status["socket"]):
        child.look_up()
    return child


def _met(child: Child, place: str) -> bool:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(place)
        connection.sendall(pack({"attach": 1}))
    except OSError:
        connection.close()
        return False
    connection.setblocking(False)
    child.connection = connection
    _listener().add(child)
    return True


def shutdown() -> None:
    """End every process at once, but for detached runs."""
    if _listening is not None:
        mine = [child for child in _listening.children if not child.detached]
        for child in mine:
            child.stop(grace=0, reason="kernel")
        until = time.monotonic() + LAST_WORDS
        for child in mine:
            child.ended.wait(max(0.0, until - time.monotonic()))
        for child in list(_listening.children):
            child.close()
    _helpers.close()


def _listener() -> Listening:
    global _listening
    with _beginning:
        if _listening is None:
            _listening = Listening()
        return _listening


_PLAIN = [
    "timeout", "grace", "background", "lift", "merge", "tty", "log_cap", "oom_score", "detach", "task_run", "attempt",
]  # fmt: skip


def _request(command: Command, mark: int) -> dict[str, Any]:
    return {
        **{name: getattr(command, name) for name in _PLAIN},
        **system.inherited(),
        "argv": list(command.argv),
        "env": dict(command.env),
        "cwd": str(command.cwd),
        "log_dir": str(command.log_dir.absolute()),
        "hidden": [form.decode("latin-1") for form in hidden_forms(command.mask)],
        "mark": mark,
        "socket": system.meeting_place(mark) if command.detach else "",
    }


def hidden_forms(values: tuple[str, ...]) -> set[bytes]:
    """Return *values* as they may be met: plain, in base64 anywhere in a text, quoted for URLs, escaped for JSON."""
    found: set[bytes] = set()
    for value in values:
        plain = value.encode("utf-8", "surrogateescape")
        escaped = (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
        quoted = (quote(plain), quote(plain, safe=""), quote_plus(plain))
        found |= {plain, *(e.encode("utf-8", "surrogateescape") for e in (*escaped, *quoted)), *_in_base64(plain)}
    return found


def _in_base64(plain: bytes) -> Iterator[bytes]:
    """Three bytes become four characters: a text may hold it in three ways, less what its edges share."""
    yield base64.b64encode(plain)
    for lead in range(3):
        text = base64.b64encode(bytes(lead) + plain)
        core = text[(0, 2, 3)[lead] : (lead + len(plain)) * 8 // 6]
        if len(core) >= 4:
            yield from {core, core.replace(b"+", b"-").replace(b"/", b"_")}


def _forked() -> None:
    """In a child that `os.fork` made: the runs are its parent's."""
    global _listening, _beginning
    _beginning = threading.Lock()
    if _listening is not None:
        _listening.close()
        _listening = None
    _helpers.forget()


atexit.register(shutdown)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
