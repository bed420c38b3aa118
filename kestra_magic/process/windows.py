"""Windows: a thread of the kernel is the guardian, a Job Object holds the tree. The names are those of `posix.py`.

Untested on Windows; on Linux its tests hold the tree by a stand-in for the Job Object. No run outlives its kernel, and
none can be detached: the job ends with the last handle on it, which is the kernel's.
"""

from __future__ import annotations

import os
import queue
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.job import Job, JobObject
from kestra_magic.process.recorder import write_status
from kestra_magic.process.wire import Frames, pack
from kestra_magic.process.written import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Helpers", "Keeper", "capabilities", "end_guardian", "hand_over", "inherited", "meet", "meeting_place"]

NOTICE_SECONDS = 0.05
DRAINING_SECONDS = 2.0
_NOT_MET = "on Windows only its own kernel reaches a run: `--detach` needs Linux or macOS"


class Helpers:
    """Nothing waits for work here: a thread begins in no time."""

    pid = 0

    def __init__(self, job: Callable[[], Job] = JobObject) -> None:
        self._job = job
        self._keepers: set[Keeper] = set()

    def warm(self) -> None:
        pass

    def replenish(self) -> None:
        pass

    def guardian(self, *, detached: bool = False) -> socket.socket:
        """Return a connection to a thread that waits for its command.

        Raises:
            KestraMagicError: it is to be detached.
        """
        if detached:
            raise KestraMagicError(_NOT_MET)
        ours, theirs = socket.socketpair()
        self._keepers = {keeper for keeper in self._keepers if keeper.is_alive()}
        keeper = Keeper(theirs, self._job)
        self._keepers.add(keeper)
        keeper.start()
        return ours

    def give_back(self, one: socket.socket) -> None:
        """No thread waits for a second command."""
        one.close()

    def close(self) -> None:
        for keeper in self._keepers:
            keeper.end()

    def forget(self) -> None:
        self._keepers.clear()


class Keeper(threading.Thread):
    """Sees one command and its job to their end. What happens to it comes through one queue."""

    def __init__(self, connection: socket.socket, job: Callable[[], Job]) -> None:
        super().__init__(name="kestra-magic run", daemon=True)
        self._connection = connection
        self._new_job = job
        self._events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._reading: set[int] = set()
        self._code: int | None = None
        self._reason = ""
        self._due: dict[str, float] = {}
        self._ended = 0
        self._armed = True
        self._over = self._kept = False

    def end(self) -> None:
        self._events.put(("gone", None))

    def run(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        kind, self._request = self._events.get()
        if kind != "message" or self._events.get()[0] != "message":  # the second says that it may begin
            self._connection.close()
            return
        try:
            self._start()
        except OSError as error:
            self._refuse(error)
            return
        try:
            while not self._over:
                self._turn()
        finally:
            self._job.kill()
            self._job.close()
            self._written.log.close()
            self._connection.close()

    def _start(self) -> None:
        request = self._request
        self._written = Written(request)
        self._written.log.open_index()
        out, out_end = os.pipe()
        err, err_end = (out, out_end) if request["merge"] else os.pipe()
        try:
            self._job = self._new_job()
            argv, env, cwd = request["argv"], request["env"], request["cwd"]
            self._process = self._job.start(argv, env=env, cwd=cwd, stdout=out_end, stderr=err_end)
        except OSError:
            for end in {out, err}:
                os.close(end)
            raise
        finally:
            for end in {out_end, err_end}:
                os.close(end)
        for pipe, number in {err: 2, out: 1}.items():
            self._reading.add(number)
            threading.Thread(target=self._read, args=(pipe, number), daemon=True).start()
        threading.Thread(target=lambda: self._events.put(("ended", self._process.wait())), daemon=True).start()
        self._identity = self._who()
        write_status(request["log_dir"], self._identity)
        self._say(self._identity)
        self._set("usage", 1.0)
        if request["timeout"] is not None:
            self._set("timeout", request["timeout"])

    def _who(self) -> dict[str, Any]:
        start = {"started": time.time(), "pid": self._process.pid, "start": 0, "guardian": os.getpid()}
        known = {name: self._request[name] for name in ("mark", "socket", "task_run", "attempt")}
        return {**start, "guardian_start": 0, "boot": "", **known}

    def _refuse(self, error: OSError) -> None:
        code = 127 if isinstance(error, FileNotFoundError) else 126
        said = f"`{self._request['argv'][0]}` could not be started: {error.strerror or error}"
        self._say({"exited": time.time(), "code": code, "error": said})
        self._connection.close()

    # What happens

    def _listen(self) -> None:
        frames = Frames()
        with suppress(OSError):
            while data := self._connection.recv(1 << 16):
                for message in frames.feed(data):
                    self._events.put(("message", message))
        self._events.put(("gone", None))

    def _read(self, pipe: int, number: int) -> None:
        with os.fdopen(pipe, "rb", 0) as file:
            while data := file.read(1 << 18):
                self._events.put(("data", (number, data)))
        self._events.put(("closed", number))

    def _turn(self) -> None:
        patience = min(self._due.values(), default=None)
        with suppress(queue.Empty):
            kind, what = self._events.get(timeout=None if patience is None else max(0.0, patience - time.monotonic()))
            getattr(self, f"_on_{kind}")(what)
        now = time.monotonic()
        for name in [name for name, due in self._due.items() if due <= now]:
            del self._due[name]
            getattr(self, f"_due_{name}")()

    def _set(self, name: str, seconds: float) -> None:
        self._due[name] = min(self._due.get(name, float("inf")), time.monotonic() + seconds)

    def _on_message(self, message: dict[str, Any]) -> None:
        self._armed = True
        if "stop" in message:
            self._say({"heard": message["stop"]})
            self._end_run(message["stop"], message["grace"])

    def _on_gone(self, _: None) -> None:
        self._over = True

    def _on_data(self, what: tuple[int, bytes]) -> None:
        number, data = what
        self._written.feed(data, number)
        self._set("notice", NOTICE_SECONDS)

    def _on_closed(self, number: int) -> None:
        self._written.rest(number)
        self._reading.discard(number)
        self._set("look", 0.0)

    def _on_ended(self, code: int) -> None:
        self._code = code if code >= 0 else 128 - code
        policy = self._request["background"]
        if policy == "kill":
            self._set("force", self._request["grace"] if self._reading else 0.0)
        elif policy == "keep":
            self._report(kept=len(self._job.pids()))
            self._kept = True
        else:
            self._set("draining", DRAINING_SECONDS)
        self._set("look", 0.0)

    # What is due

    def _due_notice(self) -> None:
        if self._armed and not self._kept:
            self._armed = False
            self._say(self._written.notice())
        elif not self._kept:
            self._set("notice", NOTICE_SECONDS)

    def _due_look(self) -> None:
        """It has ended when nothing lives and nothing more can be read."""
        if self._kept or self._code is None:
            return
        if self._reading or self._job.pids():
            self._set("look", 0.1)
            return
        self._report()
        self._over = True

    def _due_draining(self) -> None:
        self._say({"draining": self._code, "processes": len(self._job.pids()), "at": time.time()})

    def _due_timeout(self) -> None:
        self._end_run("timeout", self._request["grace"])

    def _due_force(self) -> None:
        if self._reason:
            self._say({"killing": self._reason, "forced": True, "at": time.time()})
        self._ended = max(self._ended, len(self._job.pids()))
        self._job.kill()

    def _due_usage(self) -> None:
        from kestra_magic.process.usage import sample

        if not self._kept:
            self._say({"usage": time.time(), **sample(self._process.pid)})
            self._set("usage", 1.0)

    def _end_run(self, reason: str, grace: float) -> None:
        first, self._reason = not self._reason, self._reason or reason
        if first and grace > 0:
            self._say({"killing": reason, "forced": False, "at": time.time()})
            self._job.ask()
        self._set("force", max(0.0, grace))

    # What is told

    def _report(self, *, kept: int = 0) -> None:
        ending = {"code": self._code, "reason": self._reason, "error": self._written.log.error, "kept": kept}
        figures = {"ended": self._ended, **self._written.figures(), **self._written.notice()}
        exited = {"exited": time.time(), **ending, **figures}
        with suppress(OSError):  # its folder is gone: then nobody will look for it there
            write_status(self._request["log_dir"], {**self._identity, **exited})
        self._say(exited)

    def _say(self, message: dict[str, Any]) -> None:
        with suppress(OSError):  # nobody is there; `_listen` says so
            self._connection.sendall(pack(message))


def end_guardian(who: tuple[int, int], root: tuple[int, int], mark: int, *, detached: bool) -> None:
    """The guardian is a thread of this process: there is nobody to be ended."""


def hand_over(connection: socket.socket, request: bytes, _descriptors: Sequence[int], seconds: float) -> None:
    """The guardian is a thread of this process: what is open here is open to it.

    Raises:
        OSError: it does not take it in *seconds*.
    """
    connection.settimeout(seconds)
    connection.sendall(request)
    connection.setblocking(False)


def inherited() -> dict[str, Any]:
    """What a child inherits from this process it inherits by itself here."""
    return {}


def meeting_place(_name: str) -> str:
    """Say that there is none.

    Raises:
        KestraMagicError: always.
    """
    raise KestraMagicError(_NOT_MET)


def meet(place: str) -> socket.socket:
    """Meet nobody.

    Raises:
        OSError: always; nothing is detached here.
    """
    raise OSError(f"nothing listens at `{place}` on Windows")


def capabilities() -> dict[str, str]:
    """What this system can do for the promise that nothing is left running, in words for a person."""
    return {"Job Object": "yes: all processes of a run end with it, and it ends with the kernel"}
