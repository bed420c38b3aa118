"""One run: spawns the command, owns its pipes, writes its log, ends its tree. Standard library only.

It is the parent of every process of the run that lost its own (a subreaper), so the run has ended when it has no child
left. It ends the tree when it is told to, when the kernel's socket closes, or when the kernel's process is gone: either
alone is not enough (a forked worker keeps the socket open; `os.execv` keeps the process).
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from contextlib import suppress
from functools import partial

from kestra_magic.process import cgroup
from kestra_magic.process.launch import LaunchError, Pipes, launch
from kestra_magic.process.lines import Lines, Mask
from kestra_magic.process.recorder import Recorder
from kestra_magic.process.system import LINUX, adopt_orphans, boot_id, name_process, reap, stat
from kestra_magic.process.tree import Tree
from kestra_magic.process.usage import Meter
from kestra_magic.process.wire import Frames, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Guardian", "Link", "exit_code", "guard"]

CHUNK = 256 << 10
SLICE = 4096
"""When both streams speak they are read in turns: that keeps their order as well as two pipes allow."""
NOTICE_SECONDS = 0.05
DRAINING_SECONDS = 2.0
BUSY_CHUNKS = 100
"""Chunks between two notices above which the guardian naps a little, so that many small writes are read as one."""


def exit_code(status: int) -> int:
    """Return what a shell says: 128 + n after signal n."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


class Link:
    """One who listens: a kernel."""

    def __init__(self, connection: socket.socket, poll: select.poll) -> None:
        self.armed = True
        self.behind = True
        self._connection = connection
        self._poll = poll
        self._frames = Frames()
        self._unsent = b""
        connection.setblocking(False)
        poll.register(connection, select.POLLIN)

    def fileno(self) -> int:
        return self._connection.fileno()

    def hear(self) -> list[dict[str, Any]] | None:
        """Return what was said; None when nobody is there: an error instead of an end if data was unread."""
        try:
            data = self._connection.recv(1 << 16)
        except BlockingIOError:
            return []
        except OSError:
            return None
        return self._frames.feed(data) if data else None

    def say(self, message: dict[str, Any]) -> None:
        self._unsent += pack(message)
        self.flush()

    def flush(self) -> None:
        try:
            self._unsent = self._unsent[self._connection.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent = b""  # nobody is there; `hear` will say so
        self._poll.modify(self._connection, select.POLLIN | (select.POLLOUT if self._unsent else 0))

    def finish(self, seconds: float | None) -> None:
        """Say what is unsaid, however long a kernel stands still; one that is gone is an error."""
        self._connection.settimeout(seconds)
        with suppress(OSError):
            self._connection.sendall(self._unsent)
        self._connection.close()

    def close(self) -> None:
        self._poll.unregister(self._connection)
        self._connection.close()


def guard(connection: socket.socket, kernel: int | None, *, detached: bool = False) -> None:
    """Wait for a request and see it to its end. Does not return."""
    name_process("kst-guard")
    whole = adopt_orphans()
    cgroup.enter()
    request = _request(connection, kernel)
    if request is None:
        os._exit(0)
    guardian = Guardian(request, connection, None if detached else kernel, whole=whole)
    try:
        guardian.run()
    except BaseException as error:
        guardian.give_up(error)
        raise
    os._exit(0)


def _request(connection: socket.socket, kernel: int | None) -> dict[str, Any] | None:
    frames = Frames()
    while True:
        ready, _, _ = select.select([connection.fileno(), *([] if kernel is None else [kernel])], [], [])
        if kernel in ready:
            return None
        try:
            data = connection.recv(1 << 16)
        except OSError:
            return None
        if not data:
            return None
        for message in frames.feed(data):
            return message


class Guardian:
    """Sees one command and its tree to their end."""

    def __init__(self, request: dict[str, Any], connection: socket.socket, kernel: int | None, *, whole: bool) -> None:
        self.request = request
        self.poll = select.poll()
        self.handlers: dict[int, Callable[[], object]] = {}
        self.timers: dict[str, tuple[float, Callable[[], None]]] = {}
        self.links: list[Link] = []
        self.listener: socket.socket | None = None
        self.detached = bool(request["detach"])
        self.tree = Tree(mark=request["mark"], whole=whole)
        self.meter = Meter()
        self.streams: dict[int, int] = {}
        self.masks = {number: Mask(h.encode("latin-1") for h in request["hidden"]) for number in (1, 2)}
        self.lines = {number: Lines(lift=request["lift"]) for number in (1, 2)}
        self.sizes = {1: 0, 2: 0}
        self.noticed = 0
        self.identity: dict[str, Any] = {}
        self.reason = ""
        self.errors: list[str] = []
        self.status: int | None = None
        self.code = 0
        self.alive = True
        self.told = False
        self.started = 0.0
        self.chunks = 0
        self._woken = _wake_pipe()
        self._on(self._woken, self._reap)
        if kernel is not None:
            self._on(kernel, self._kernel_gone)
        self.links.append(self._link(connection))

    # The whole life

    def run(self) -> None:
        try:
            self._start()
        except LaunchError as error:
            self._finish({"code": error.code, "error": str(error)})
            return
        self._reap()
        while self.alive:
            self._turn()
        self._drain()
        self._close_streams()
        if not self.told:
            self._finish(self._ending())

    def give_up(self, error: BaseException) -> None:
        """A fault of ours: nothing may outlive it, and someone must hear of it."""
        self.tree.kill()
        for link in self.links:
            link.say({"lost": f"the guardian failed: {error!r}"})
            link.finish(1.0)

    def _start(self) -> None:
        request = self.request
        try:
            self.log = Recorder(request["log_dir"], request["log_cap"])
            pipes = Pipes(merge=request["merge"], tty=request["tty"])
            if self.detached:
                self._listen()
        except OSError as error:
            why = f"the log in `{request['log_dir']}` cannot be written: {error.strerror or error}"
            raise LaunchError(126, why) from None
        self.tree.main = launch(request, pipes)
        self.started = time.time()
        pipes.close_theirs()
        for pipe, number in pipes.streams.items():
            os.set_blocking(pipe, False)
            self.streams[pipe] = number
            self._on(pipe, partial(self._read, pipe))
        self.identity = self._identity()
        self._write_status(self.identity)  # whoever hears that it lives must find it
        self._tell(self.identity)
        self._in(1.0, self._sample)
        if request["timeout"] is not None:
            self._in(request["timeout"], lambda: self.stop("timeout", request["grace"]), "timeout")

    def _identity(self) -> dict[str, Any]:
        main = self.tree.main
        process = stat(main)
        return {
            "started": self.started,
            "pid": main,
            "start": process.start if process else 0,
            "guardian": os.getpid(),
            "boot": boot_id(),
            "mark": self.request["mark"],
            "socket": self.request["socket"],
            "task_run": self.request["task_run"],
            "attempt": self.request["attempt"],
        }

    def _turn(self) -> None:
        ready = self.poll.poll(self._patience())
        speaking = [fd for fd, _ in ready if fd in self.streams]
        if len(speaking) == 2:
            self._read_in_turns(*speaking)
            ready = [(fd, event) for fd, event in ready if fd not in speaking]
        for fd, _ in ready:
            if handler := self.handlers.get(fd):
                handler()
        now = time.monotonic()
        for name in [name for name, (due, _) in self.timers.items() if due <= now]:
            if name in self.timers:
                self.timers.pop(name)[1]()
        if self.chunks > BUSY_CHUNKS:
            time.sleep(0.001)

    def _patience(self) -> float | None:
        if not self.timers:
            return None
        return max(0.0, min(due for due, _ in self.timers.values()) - time.monotonic()) * 1000

    def _on(self, fd: int, handler: Callable[[], object]) -> None:
        self.poll.register(fd, select.POLLIN)
        self.handlers[fd] = handler

    def _off(self, fd: int) -> None:
        self.poll.unregister(fd)
        del self.handlers[fd]

    def _in(self, seconds: float, call: Callable[[], None], name: str = "") -> None:
        self.timers[name or call.__name__] = (time.monotonic() + seconds, call)

    # What the command writes

    def _read(self, pipe: int, size: int = CHUNK) -> bool:
        """Take what is there; return whether there may be more."""
        try:
            data = os.read(pipe, size)
        except BlockingIOError:
            return False
        except OSError:  # how a terminal says that nobody writes to it any more
            data = b""
        if data:
            self._written(data, self.streams[pipe])
        else:
            self._close_stream(pipe)
        return bool(data)

    def _read_in_turns(self, first: int, second: int) -> None:
        for _ in range(16):
            more = [pipe for pipe in (first, second) if pipe in self.streams and self._read(pipe, SLICE)]
            if not more:
                return

    def _written(self, data: bytes, number: int) -> None:
        self.chunks += 1
        self._record(self.lines[number].feed(*self.masks[number].feed(data)), number)
        self._soon()

    def _record(self, pieces: Any, number: int) -> None:
        for data, lifted in pieces:
            if lifted:
                self.log.lift(data, number)
            else:
                self.log.write(data, number)
                self.sizes[number] += len(data)

    def _close_stream(self, pipe: int) -> None:
        number = self.streams.pop(pipe)
        self._off(pipe)
        os.close(pipe)
        lines = self.lines[number]
        self._record(lines.feed(*self.masks[number].rest()), number)
        self._record(lines.rest(), number)
        self._soon()
        if not self.streams and self.status is not None and self.request["background"] == "kill" and not self.reason:
            self._in(0.0, self._force)

    def _drain(self) -> None:
        """Everyone is dead, so what is left in the pipes is finite; but for a stranger who was given one."""
        until = time.monotonic() + 1.0
        for pipe in list(self.streams):
            while pipe in self.streams and self._read(pipe) and time.monotonic() < until:
                pass

    def _close_streams(self) -> None:
        for pipe in list(self.streams):
            self._close_stream(pipe)
        self.log.close()

    # What the kernel is told: at once after silence, then twenty times a second, and only when it has asked for more

    def _soon(self) -> None:
        now = time.monotonic()
        due, _ = self.timers.get("_quiet", (now, None))
        if self._lines_so_far() == self.noticed:  # an unfinished line may still become whole
            due = max(due, now + NOTICE_SECONDS)
        if "_notify" not in self.timers or due < self.timers["_notify"][0]:
            self.timers["_notify"] = (due, self._notify)

    def _notify(self) -> None:
        self.log.commit()
        self.chunks = 0
        self.noticed = self._lines_so_far()
        self._in(NOTICE_SECONDS, self._quiet)
        notice = self._notice()
        for link in self.links:
            link.behind = not link.armed
            if link.armed:
                link.armed = False
                link.say(notice)

    def _quiet(self) -> None:
        """Nothing was told for a while: the next line goes at once."""

    def _lines_so_far(self) -> int:
        return sum(lines.total for lines in self.lines.values())

    def _notice(self) -> dict[str, Any]:
        return {
            "notice": time.time(),
            "log": self.log.size,
            "frames": self.log.frames,
            "lines": [self.lines[n].total for n in (1, 2)],
            "sizes": [self.sizes[n] for n in (1, 2)],
            "open": [self.lines[n].open.decode("latin-1") for n in (1, 2)],
        }

    def _tell(self, message: dict[str, Any]) -> None:
        for link in self.links:
            link.say(message)

    def _link(self, connection: socket.socket) -> Link:
        link = Link(connection, self.poll)
        self.handlers[link.fileno()] = lambda: self._hear(link)
        return link

    def _hear(self, link: Link) -> None:
        link.flush()
        messages = link.hear()
        if messages is None:
            self._unlink(link)
            return
        for message in messages:
            if "stop" in message:
                self.stop(message["stop"], message["grace"])
            elif "attach" in message:
                self.links.append(link)
                link.say(self.identity)
            link.armed = True
            if link.behind:
                self._soon()

    def _unlink(self, link: Link) -> None:
        del self.handlers[link.fileno()]
        self.links = [other for other in self.links if other is not link]
        link.close()
        if not self.detached:
            self._kernel_gone()

    def _listen(self) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.request["socket"])
        self.listener.listen()
        self._on(self.listener.fileno(), self._accept)

    def _accept(self) -> None:
        assert self.listener is not None
        self._link(self.listener.accept()[0])

    # The end

    def stop(self, reason: str, grace: float) -> None:
        """Ask every process to end, and end those that have not after *grace* seconds; 0: end them now."""
        if not self.alive:
            return
        first = not self.reason
        self.reason = self.reason or reason
        due = self.timers.get("_force", (float("inf"),))[0]
        if grace <= 0:
            self._force()
        elif time.monotonic() + grace < due:
            self._in(grace, self._force)
        if first and grace > 0:
            self._tell({"killing": self.reason, "forced": False, "at": time.time()})
            self.tree.ask()

    def _force(self) -> None:
        if self.reason:
            self._tell({"killing": self.reason, "forced": True, "at": time.time()})
        if not self.tree.kill(self._reaped):
            held = ", ".join(map(str, self.tree.members()))
            self.errors.append(f"processes {held} could not be ended: the system itself holds them")
        self.alive = False

    def _kernel_gone(self) -> None:
        self.reason = self.reason or "kernel"
        self._force()

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._woken, 4096)
        self.alive = reap(self._reaped)
        if not self.alive and not self.tree.whole:
            self.alive = bool(self.tree.members())

    def _reaped(self, pid: int, status: int, _usage: Any) -> None:
        if pid == self.tree.main and self.status is None:
            self.status = status
            self.code = exit_code(status)
            self._main_ended()

    def _main_ended(self) -> None:
        policy = self.request["background"]
        if self.reason:
            return
        if policy == "wait":
            self._in(DRAINING_SECONDS, self._say_draining)
        elif policy == "kill":
            self._in(self.request["grace"] if self.streams else 0.0, self._force)
        else:
            self._in(0.0, self._let_go)

    def _say_draining(self) -> None:
        self._tell({"draining": self.code, "processes": len(self.tree.members()), "at": time.time()})

    def _let_go(self) -> None:
        """The run has ended for whoever waits; what it left stays ours until it or the kernel ends."""
        kept = len(self.tree.members())
        for pipe in list(self.streams):
            while pipe in self.streams and self._read(pipe):
                pass
        self.timers.clear()
        self.told = True
        self._report({**self._ending(), "kept": kept})

    def _ending(self) -> dict[str, Any]:
        errors = [*self.errors, self.log.error]
        return {"code": self.code, "reason": self.reason, "error": "; ".join(filter(None, errors))}

    def _finish(self, ending: dict[str, Any]) -> None:
        self._report(ending)
        for link in self.links:
            link.finish(2.0 if self.detached else None)
        if self.listener:
            with suppress(OSError):
                os.unlink(self.request["socket"])
        if self.detached:
            cgroup.leave()
            cgroup.remove(os.getpid())

    def _report(self, ending: dict[str, Any]) -> None:
        """Whoever hears that it has ended must find it written down."""
        exited = {"exited": time.time(), **ending, **self._figures()}
        if self.tree.main:
            self.log.commit()
            exited |= self._notice()
            self._write_status({**self.identity, **exited})
        self._tell(exited)

    def _figures(self) -> dict[str, Any]:
        import resource

        own = resource.getrusage(resource.RUSAGE_CHILDREN)
        totals = self.meter.totals()
        return {
            "ended": len(self.tree.ended),
            "strays": len(self.tree.ended & self.tree.strays),
            "stdout_lines": self.lines[1].total,
            "stderr_lines": self.lines[2].total,
            "log_bytes": self.log.size if self.tree.main else 0,
            "lost_bytes": self.log.lost if self.tree.main else 0,
            "cpu_seconds": max(own.ru_utime + own.ru_stime, totals["cpu_seconds"]),
            "rss_bytes": max(self.meter.peak, own.ru_maxrss * (1024 if LINUX else 1)),
            "read_bytes": totals["read_bytes"],
            "write_bytes": totals["write_bytes"],
        }

    def _sample(self) -> None:
        usage = self.meter.read(self.tree.members()) if LINUX else {}
        self._in(1.0 if usage.get("processes", 0) <= 100 else 2.0, self._sample)
        if usage:
            self._tell({"usage": time.time(), **usage})

    def _write_status(self, status: dict[str, Any]) -> None:
        """For a later kernel: who it is while it lives, how it ended afterwards."""
        path = os.path.join(self.request["log_dir"], "status")
        try:
            with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(status, file)
            os.replace(f"{path}.new", path)
        except OSError as error:
            self.errors.append(f"its end could not be written down: {error.strerror or error}")


def _wake_pipe() -> int:
    """Return a descriptor that can be read when a child has ended."""
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    return woken
