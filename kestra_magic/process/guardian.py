"""One run: spawns the command, owns its pipes, writes its log, ends its tree. Standard library only.

It is the parent of every process of the run that lost its own (a subreaper), so the run has ended when it has no child
left. It ends the tree when it is told to, when the kernel's socket closes, or when the kernel's process is gone: either
alone is not enough (a forked worker keeps the socket open; `os.execv` keeps the process). When a run has ended by
itself and nothing of it is left, the same process waits for the next.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import time
from contextlib import suppress
from functools import partial

from kestra_magic.process import cgroup
from kestra_magic.process.launch import Launch, LaunchError, Pipes, unmark
from kestra_magic.process.lines import Lines, Mask
from kestra_magic.process.link import Link, next_message
from kestra_magic.process.loop import Loop, wake_pipe
from kestra_magic.process.recorder import expect_status, write_status
from kestra_magic.process.system import LINUX, adopt_orphans, boot_id, exit_code, name_process, reap, stat
from kestra_magic.process.tree import Tree
from kestra_magic.process.usage import Meter
from kestra_magic.process.wire import pack
from kestra_magic.process.written import Written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Guardian", "guard"]

CHUNK = 256 << 10
SLICE = 4096
"""When both streams speak they are read in turns: that keeps their order as well as two pipes allow."""
NOTICE_SECONDS = 0.05
FIRST_SECONDS = 0.001
"""Between the first words and their notice: those of a short command are told with its end."""
LAST_SECONDS = 0.005
"""… and after the last words, which are told with the end too if that follows them."""
SHORT_SECONDS = 0.002
"""Between a start and its notice: of a command that has ended by then start and end are told together."""
REST_SECONDS = 0.03
"""Before a guardian goes whose run has ended by itself: that takes a millisecond, when its kernel has most to do."""
DRAINING_SECONDS = 2.0
LARGE_KB = 64 << 10
"""Of memory, above which a guardian does not wait for another command: what a flood took is given back with it."""
BUSY_CHUNKS = 100
"""Chunks between two notices above which the guardian naps a little, so that many small writes are read as one."""


def guard(connection: socket.socket, kernel: int | None, *, detached: bool = False) -> None:
    """Wait for a request and see it to its end, and so again as long as nothing is left of any. Does not return."""
    name_process("kst-guard")
    whole = adopt_orphans()
    cgroup.enter()
    guardian = Guardian(whole=whole)  # what can be made ready is ready before anyone waits for it
    _rehearse()
    while request := next_message(connection, kernel, "argv", detached=detached):
        try:
            guardian.run(request, connection, None if detached else kernel)
        except BaseException as error:
            guardian.give_up(error)
            raise
        if not guardian.again:
            break
        guardian.retire()
        guardian = Guardian(whole=whole)
    if not guardian.reason:
        time.sleep(REST_SECONDS)
    os._exit(0)


def _rehearse() -> None:
    """Hear a request before anyone waits for it: memory that is shared with the warden is copied when it is touched."""
    theirs, ours = socket.socketpair()
    numbers = {number for name, number in vars(resource).items() if name.startswith("RLIMIT_")}
    own: dict[str, Any] = {
        "limits": [[number, *resource.getrlimit(number)] for number in numbers],
        "mark": resource.RLIM_INFINITY,
    }
    if sys.platform == "linux":
        own["affinity"] = [*os.sched_getaffinity(0)]
    own |= {"argv": ["sh"] * 4, "env": dict(os.environ), "cwd": "/", "umask": 0o077, "oom_score": 1}
    theirs.sendall(pack(own))
    heard = next_message(ours, None, "argv", detached=False)
    theirs.close()
    ours.close()
    if heard:
        with suppress(LaunchError):
            Launch(heard).undo()
    list(Lines(lift=True).feed(*Mask([]).feed(b"a line\n")))


class Guardian:
    """Sees one command and its tree to their end."""

    def __init__(self, *, whole: bool) -> None:
        self.request: dict[str, Any] = {}
        self.loop = Loop()
        self.links: list[Link] = []
        self.listener: socket.socket | None = None
        self.detached = False
        self.tree = Tree(whole=whole)
        self.meter = Meter()
        self.streams: dict[int, int] = {}
        self.noticed = 0
        self.identity: dict[str, Any] = {}
        self.reason = ""
        self.errors: list[str] = []
        self.status: int | None = None
        self.code = 0
        self.alive = True
        self.announced = self.told = self.again = False
        self.started = 0.0
        self.chunks = 0
        self._born = stat(os.getpid())
        self._pipes: Pipes | None = None
        with suppress(OSError):  # it is tried again when they are needed
            self._pipes = Pipes(merge=False, tty=False)
        self._woken = wake_pipe()
        self.loop.on(self._woken, self._reap)

    # The whole life

    def run(self, request: dict[str, Any], connection: socket.socket, kernel: int | None) -> None:
        self.request = request
        self.detached = request["detach"]
        self.tree.mark = request["mark"]
        if kernel is not None:
            self.loop.on(kernel, self._kernel_gone)
        self.links.append(self._link(connection))
        try:
            pipes, prepared = self._prepare(), Launch(request)
            if next_message(connection, kernel, "go", detached=False) is None:
                self._unlisten()  # its kernel is gone, or could not write down that it begins
                os._exit(0)
            self._start(prepared, pipes)
            self.again = not self.detached and self.tree.whole and prepared.undone
        except LaunchError as error:
            self.errors.append(str(error))
            self._finish({"code": error.code})
            return
        self._reap()
        while self.alive:
            self._turn()
        self._drain()
        self._close_streams()
        if not self.told:
            self._finish(self._ending())

    def retire(self) -> None:
        """Another one takes its place in this process."""
        os.close(signal.set_wakeup_fd(-1))
        os.close(self._woken)

    def give_up(self, error: BaseException) -> None:
        """A fault of ours: nothing may outlive it, and someone must hear of it."""
        self.tree.kill()
        for link in self.links:
            link.say({"lost": f"the guardian failed: {error!r}"})
            link.finish(1.0)

    def _prepare(self) -> Pipes:
        request = self.request
        try:
            self.written = Written(request)
            if self.detached:
                self._listen()
            if self._pipes and not request["merge"] and not request["tty"]:
                return self._pipes
            if self._pipes:
                self._pipes.close()
            return Pipes(merge=request["merge"], tty=request["tty"])
        except OSError as error:
            why = f"the log in `{request['log_dir']}` cannot be written: {error.strerror or error}"
            raise LaunchError(126, why) from None

    def _start(self, prepared: Launch, pipes: Pipes) -> None:
        request = self.request
        self.tree.main = prepared.begin(pipes)
        self.started = time.time()
        self.written.log.open_index()
        expect_status(request["log_dir"])
        pipes.close_theirs()
        for pipe, number in pipes.streams.items():
            os.set_blocking(pipe, False)
            self.streams[pipe] = number
            self.loop.on(pipe, partial(self._read, pipe))
        self.loop.after(SHORT_SECONDS, self._announce)
        self.loop.after(1.0, self._sample)
        if request["timeout"] is not None:
            self.loop.after(request["timeout"], lambda: self.stop("timeout", request["grace"]), "timeout")

    def _announce(self) -> None:
        """Whoever hears that it lives must find it written down."""
        if not self.announced:
            self.announced = True
            self._write_status(self._identity())
            self._tell(self.identity)

    def _identity(self) -> dict[str, Any]:
        """Who it is, asked for when it has become its program: the system answers nothing while that is loaded."""
        if self.identity:
            return self.identity
        main, born = self.tree.main, self._born
        process = stat(main) if self.status is None else None
        self.identity = {
            "started": self.started,
            "pid": main,
            "start": process.start if process else 0,
            "guardian": os.getpid(),
            "guardian_start": born.start if born else 0,
            "boot": boot_id(),
            "mark": self.request["mark"],
            "socket": self.request["socket"],
            "task_run": self.request["task_run"],
            "attempt": self.request["attempt"],
        }
        return self.identity

    def _turn(self) -> None:
        ready = self.loop.wait()
        speaking = [fd for fd in ready if fd in self.streams]
        if len(speaking) == 2:
            self._read_in_turns(*speaking)
            ready = [fd for fd in ready if fd not in speaking]
        self.loop.handle(ready)
        if self.chunks > BUSY_CHUNKS:
            time.sleep(0.001)

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
            self.chunks += 1
            self.written.feed(data, self.streams[pipe])
            self._soon()
        else:
            self._close_stream(pipe)
        return bool(data)

    def _read_in_turns(self, first: int, second: int) -> None:
        for _ in range(16):
            more = [pipe for pipe in (first, second) if pipe in self.streams and self._read(pipe, SLICE)]
            if not more:
                return

    def _close_stream(self, pipe: int) -> None:
        number = self.streams.pop(pipe)
        self.loop.off(pipe)
        os.close(pipe)
        self.written.rest(number)
        self._soon()
        if not self.streams and self.status is not None and self.request["background"] == "kill" and not self.reason:
            self.loop.after(0.0, self._force)

    def _drain(self) -> None:
        """Where everyone is dead what is left in the pipes is finite; but for a stranger who was given one."""
        until = time.monotonic() + 1.0
        more = list(self.streams)
        while (
            more and time.monotonic() < until
        ):  # in turns: the tail of a log that was cut holds the last lines of both
            more = [pipe for pipe in more if self._read(pipe, SLICE)]

    def _close_streams(self) -> None:
        for pipe in list(self.streams):
            self._close_stream(pipe)
        self.written.log.close()

    # What the kernel is told: at once after silence, then twenty times a second, and only when it has asked for more

    def _soon(self) -> None:
        if self.told:
            return
        now = time.monotonic()
        due = self.loop.due("_quiet")
        due = now + FIRST_SECONDS if due == float("inf") else due
        if self.written.total == self.noticed:  # an unfinished line may still become whole
            due = max(due, now + NOTICE_SECONDS)
        if not self.streams:
            due = max(due, now + LAST_SECONDS)
        if due < self.loop.due("_notify") or not self.streams:
            self.loop.after(due - now, self._notify)

    def _notify(self) -> None:
        self.chunks = 0
        if not self.alive:  # it is told with the end
            return
        self._announce()
        self.noticed = self.written.total
        self.loop.after(NOTICE_SECONDS, self._quiet)
        notice = self.written.notice()
        for link in self.links:
            link.behind = not link.armed
            if link.armed:
                link.armed = False
                link.say(notice)

    def _quiet(self) -> None:
        """Nothing was told for a while: the next line goes at once."""

    def _tell(self, *messages: dict[str, Any]) -> None:
        for link in self.links:
            link.say(*messages)

    def _link(self, connection: socket.socket) -> Link:
        link = Link(connection, self.loop.poll)
        self.loop.on(link.fileno(), lambda: self._hear(link))
        return link

    def _hear(self, link: Link) -> None:
        link.flush()
        messages = link.hear()
        if messages is None:
            self._unlink(link)
            return
        for message in messages:
            if "stop" in message:
                link.say({"heard": message["stop"]})
                self.stop(message["stop"], message["grace"])
            elif "attach" in message:
                self.links.append(link)
                link.say(self._identity())
            link.armed = True
            if link.behind:
                self._soon()

    def _unlink(self, link: Link) -> None:
        self.loop.off(link.fileno())
        self.links = [other for other in self.links if other is not link]
        link.close()
        if not self.detached:
            self._kernel_gone()

    def _listen(self) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.request["socket"])
        self.listener.listen()
        self.loop.on(self.listener.fileno(), self._accept)

    def _unlisten(self) -> None:
        if self.listener:
            with suppress(OSError):
                os.unlink(self.request["socket"])

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
        self._announce()
        if grace <= 0:
            self._force()
        elif time.monotonic() + grace < self.loop.due("_force"):
            self.loop.after(grace, self._force)
        if first and grace > 0:
            self._tell({"killing": self.reason, "forced": False, "at": time.time()})
            self.tree.ask()

    def _force(self) -> None:
        if self.reason:
            self._tell({"killing": self.reason, "forced": True, "at": time.time()})
        if not self.tree.kill(self._reaped):
            held = ", ".join(map(str, self.tree.members()))
            why = "they are another user's, or the system itself holds them"
            self.errors.append(f"processes {held} could not be ended: {why}")
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

    def _reaped(self, pid: int, status: int, used: Any) -> None:
        self.meter.count(used)
        if pid == self.tree.main and self.status is None:
            self.status = status
            self.code = exit_code(status)
            self._main_ended()

    def _main_ended(self) -> None:
        policy = self.request["background"]
        if self.reason:
            return
        if policy == "wait":
            self.loop.after(DRAINING_SECONDS, self._say_draining)
        elif policy == "kill":
            self.loop.after(self.request["grace"] if self.streams else 0.0, self._force)
        else:
            self.loop.after(0.0, self._let_go)

    def _say_draining(self) -> None:
        self._tell({"draining": self.code, "processes": len(self.tree.members()), "at": time.time()})

    def _let_go(self) -> None:
        """The run has ended for whoever waits; what it left stays ours until it or the kernel ends."""
        kept = len(self.tree.members())
        self._drain()
        self.loop.forget()
        self.told, self.again = True, False
        self._report({**self._ending(), "kept": kept})

    def _ending(self) -> dict[str, Any]:
        self.errors += filter(None, [self.written.log.error])
        return {"code": self.code, "reason": self.reason}

    def _finish(self, ending: dict[str, Any]) -> None:
        unmark()
        for lock in self.request["locks"]:
            os.close(lock)
        large = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > LARGE_KB
        self.again = self.again and not (self.reason or self.errors or self.tree.ended or large)
        self._report({**ending, "again": self.again})
        for link in self.links:
            link.finish(2.0 if self.detached else None, close=not self.again)
        self._unlisten()
        if self.detached:
            cgroup.leave()
            cgroup.remove(os.getpid())

    def _report(self, ending: dict[str, Any]) -> None:
        """Whoever hears that it has ended must find it written down."""
        exited = {"exited": time.time(), **ending, **self._figures()}
        short, self.announced = not self.announced and not self.detached, True
        if self.tree.main:
            exited |= self._identity() | self.written.notice()
            self._write_status({**exited, "error": self._error()})
            exited |= self.written.small() if short else {}
        self._tell({**exited, "error": self._error()})

    def _error(self) -> str:
        return "; ".join(dict.fromkeys(self.errors))

    def _figures(self) -> dict[str, Any]:
        return {
            "ended": len(self.tree.ended),
            "strays": len(self.tree.ended & self.tree.strays),
            **(self.written.figures() if self.tree.main else {}),
            **self.meter.in_all(),
        }

    def _sample(self) -> None:
        usage = self.meter.read(self.tree.members()) if LINUX else {}
        self.loop.after(1.0 if usage.get("processes", 0) <= 100 else 2.0, self._sample)
        if usage:
            self._tell({"usage": time.time(), **usage})

    def _write_status(self, status: dict[str, Any]) -> None:
        """For a later kernel: who it is while it lives, how it ended afterwards."""
        try:
            write_status(self.request["log_dir"], status)
        except OSError as error:
            self.errors.append(f"its state could not be written down: {error.strerror or error}")
