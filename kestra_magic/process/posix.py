"""The kernel's side of warden and guardians, and what this system can do. `windows.py` has the same names."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from array import array
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.wire import pack

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Helpers", "capabilities", "end_guardian", "hand_over", "inherited", "meet", "meeting_place", "umask"]

WARM = 2
PACKAGE = Path(__file__).parents[1]
_LIMITS = sorted({value for name, value in vars(resource).items() if name.startswith("RLIMIT_")})


class _Refused(OSError):
    """The system gives no process more."""


class Helpers:
    """This kernel's warden, and the guardians that it holds ready."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._warden: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._ready: deque[socket.socket] = deque()
        self._lent: WeakSet[socket.socket] = WeakSet()
        self._asked = 0

    def warm(self) -> None:
        """Start the warden, if there is none, without waiting for it.

        Raises:
            OSError: it cannot be started.
        """
        with self._lock:
            self._ensure()

    def replenish(self) -> None:
        """Have as many guardians ready as at the beginning, without waiting for them.

        A new one moves into a group of its own, for which the system holds up whoever starts a process: so it is made
        when a run has ended, not while one begins.
        """
        if self._lock.acquire(blocking=False):  # else: who holds it comes by when its run has ended
            try:
                if self._warden is not None and self._warden.poll() is None:
                    with suppress(OSError):  # whoever starts a run is told
                        self._ask(b"g" * (WARM - self._asked - len(self._ready)))
            finally:
                self._lock.release()

    def guardian(self, *, detached: bool = False) -> socket.socket:
        """Return a connection to a guardian that waits for its command.

        Raises:
            KestraMagicError: there is none to be had, with the reason.
        """
        with self._lock:
            for _ in range(2):
                try:
                    self._ensure()
                    taken = self._taken(detached=detached)
                    self._lent.add(taken)
                    return taken
                except (BrokenPipeError, ConnectionError, EOFError):
                    self._bury()  # someone ended the warden: runs go on under their guardians, and a new one is made
                except OSError as error:
                    why = f"{error.strerror or error}"
                    raise KestraMagicError(f"a helper process could not be started: {why}") from None
            raise KestraMagicError(f"the helper process ends at once: try `{sys.executable} -S -I -c ''`")

    def give_back(self, one: socket.socket) -> None:
        """Its command has ended and has left nothing: it waits for another. Who did so last is taken first."""
        if self._lock.acquire(blocking=False):
            try:
                if one in self._lent and len(self._ready) < WARM:
                    self._ready.appendleft(one)
                    return
            finally:
                self._lock.release()
        one.close()

    @property
    def pid(self) -> int:
        return self._warden.pid if self._warden else 0

    def _ensure(self) -> None:
        if self._warden is not None and self._warden.poll() is not None:
            self._bury()
        if self._warden is None:
            self._start()

    def _start(self) -> None:
        if not sys.executable:
            raise OSError(2, "Python's own program is not known (sys.executable is empty)")
        ours, theirs = socket.socketpair()
        try:
            self._warden = _begun(theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._socket = ours
        self._ask(b"g" * WARM)

    def _ask(self, wishes: bytes) -> None:
        assert self._socket is not None
        self._socket.sendall(wishes)
        self._asked += wishes.count(b"g")

    def _taken(self, *, detached: bool) -> socket.socket:
        if detached:
            self._ask(b"d")
            return self._answer(b"D")
        taken = self._waiting() or self._coming()
        if not self._asked and not self._ready:
            self._ask(b"g")
        return taken

    def _coming(self) -> socket.socket:
        """Return the next that comes. What was refused long ago, as one was to be made ready, is asked for again."""
        while self._asked:
            with suppress(_Refused):
                return self._answer(b"G")
        self._ask(b"g")
        return self._answer(b"G")

    def _waiting(self) -> socket.socket | None:
        """Return who was kept ready and still lives: the system may have ended it, to have its memory."""
        while self._ready:
            one = self._ready.popleft()
            if _is_there(one):
                return one
            one.close()
        return None

    def _answer(self, wanted: bytes) -> socket.socket:
        """Return who comes. Whoever comes meanwhile is kept ready, and what else was refused nobody waits for.

        Raises:
            OSError: it was refused, or this kernel may open nothing more.
            EOFError: the warden is gone.
        """
        assert self._socket is not None
        while True:
            said, descriptors, flags = _received(self._socket)
            if not said:
                raise EOFError
            kind, number = said[:1], said[1]
            self._asked -= kind in b"gG"
            if kind in b"gd":
                if kind == wanted.lower():
                    why = f"{os.strerror(number)}: the limit of processes may be reached (`ulimit -u`)"
                    raise _Refused(number, why)
                continue
            if not descriptors or flags & socket.MSG_CTRUNC:
                raise OSError(24, "too many open files in this kernel: close some or raise `ulimit -n`")
            one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptors[0])  # else it is asked what it is
            if kind == wanted:
                return one
            if kind == b"G":
                self._ready.append(one)

    def _bury(self) -> None:
        for one in self._ready:
            one.close()
        self._ready.clear()
        self._lent.clear()
        self._asked = 0
        if self._socket is not None:
            self._socket.close()
        if self._warden is not None:
            self._warden.kill()  # one that lives on without a socket is of no use
            self._warden.wait()
        self._warden = self._socket = None

    def close(self, seconds: float = 3.0) -> None:
        """Let the warden go: it ends what is left and then itself."""
        with self._lock:
            for one in self._ready:
                one.close()
            self._ready.clear()
            self._lent.clear()
            if self._socket is not None:
                self._socket.close()
            if self._warden is not None:
                with suppress(subprocess.TimeoutExpired):
                    self._warden.wait(seconds)
            self._warden = self._socket = None
            self._asked = 0

    def forget(self) -> None:
        """In a forked child: these are the parent's; our copies must not keep them open."""
        for one in (*self._ready, *filter(None, [self._socket])):
            one.close()
        if self._warden is not None:
            self._warden.returncode = 0  # not our child: nobody shall wait for it here
        self.__init__()  # type: ignore[misc]


def _is_there(one: socket.socket) -> bool:
    try:
        return bool(one.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _begun(connection: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-S", "-I", *_source(), str(connection.fileno()), str(os.getpid()), str(PACKAGE)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        pass_fds=[connection.fileno()],
        start_new_session=True,
    )


def _received(connection: socket.socket) -> tuple[bytes, array[int], int]:
    """`socket.recv_fds` forgets its flags: what is started by others must not inherit these descriptors."""
    descriptors = array("i")
    room = socket.CMSG_SPACE(descriptors.itemsize)
    said, told, flags, _ = connection.recvmsg(2, room, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
    for level, kind, data in told:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return said, descriptors, flags


def _source() -> list[str]:
    """The warden's file, or where the package lies in an archive its text."""
    file = PACKAGE / "process" / "warden.py"
    if file.exists():
        return [str(file)]
    from importlib.resources import files

    return ["-c", (files("kestra_magic.process") / "warden.py").read_text("utf-8")]


def end_guardian(who: tuple[int, int], root: tuple[int, int], mark: int, *, detached: bool) -> None:
    """End a guardian that does not answer; both are known by number and time of birth.

    Its tree is ended by the warden, who is its next parent; that of a detached run, which may have none, by us.
    """
    from kestra_magic.process import sweep, system

    pid, born = who
    system.send(pid, signal.SIGKILL, known=lambda process: process.start == born)
    if detached:
        sweep.end_left(sweep.Identity(system.boot_id(), *root), mark)


def hand_over(connection: socket.socket, request: bytes, descriptors: Sequence[int], seconds: float) -> None:
    """Give a guardian what it is to do, and *descriptors* with it; the connection does not wait from here on.

    Raises:
        OSError: it does not take it in *seconds*.
    """
    connection.setblocking(False)
    sent = socket.send_fds(connection, [request], list(descriptors)) if descriptors else connection.send(request)
    if sent < len(request):
        connection.settimeout(seconds)
        connection.sendall(request[sent:])
        connection.setblocking(False)


def inherited() -> dict[str, Any]:
    """What a child would inherit from this process, to be sent along: the warden's own is from its start."""
    affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return {
        "umask": umask(),
        "limits": [(which, *resource.getrlimit(which)) for which in _LIMITS],
        "affinity": affinity,
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
    }


def umask() -> int:
    """Linux says it without changing it, which other threads could notice."""
    with suppress(OSError):
        file = os.open("/proc/self/status", os.O_RDONLY)
        try:
            _, known, after = os.read(file, 4096).partition(b"\nUmask:")
        finally:
            os.close(file)
        if known:
            return int(after.split(None, 1)[0], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def meeting_place(name: str) -> str:
    """Return the path of a socket for others of this user: short (108 bytes at most), in a folder of ours alone.

    Raises:
        KestraMagicError: the folder is somebody else's.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    base = runtime if os.path.isdir(runtime) and len(runtime) < 60 else tempfile.gettempdir()
    folder = Path(base) / f"kestra-magic-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if about.st_uid != os.getuid() or about.st_mode & 0o077 or folder.is_symlink():
        raise KestraMagicError(f"`{folder}` must be yours alone (chmod 0700): runs elsewhere are spoken to through it")
    return str(folder / name)


def meet(place: str) -> socket.socket:
    """Return a connection to the guardian of a detached run.

    Raises:
        OSError: nobody is there.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(place)
        connection.sendall(pack({"attach": 1}))
    except OSError:
        connection.close()
        raise
    return connection


def capabilities() -> dict[str, str]:
    """What this system can do for the promise that nothing is left running, in words for a person."""
    from kestra_magic.process import cgroup, system

    return {
        "subreaper": "yes" if system.LINUX and "subreaper" not in system.WITHOUT else _NO_SUBREAPER,
        "pidfd": _pidfd(),
        "cgroup.kill": cgroup.said(),
        "children in /proc": "yes" if system.lists_children() else "no: whole process lists are read instead",
    }


_NO_SUBREAPER = "no: a daemon that leaves its session and empties its environment can get away"


def _pidfd() -> str:
    from kestra_magic.process import system

    try:
        os.close(system.open_pidfd(os.getpid()))
    except OSError as error:
        return f"no ({error.strerror}): the kernel's end is seen once a second"
    return "yes"
