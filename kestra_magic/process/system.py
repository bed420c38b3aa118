"""What Linux and its relatives say of processes, and a signal that cannot hit another one. Standard library only."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Final

    Reaped = Callable[[int, int, Any], None]

__all__ = [
    "COOKIE", "LINUX", "WITHOUT", "Process", "adopt_orphans", "boot_id", "carries", "children", "exit_code",
    "lists_children", "marked", "name_process", "open_pidfd", "processes", "reap", "send", "send_pidfd", "stat",
    "youngest_first",
]  # fmt: skip

LINUX = sys.platform.startswith("linux")
COOKIE = "KESTRA_MAGIC_MARK"
WITHOUT: Final = frozenset(os.environ.get("KESTRA_MAGIC_WITHOUT", "").split(","))
"""Abilities not to use, for sandboxes that pretend to have them: pidfd, pidfd_open, children, subreaper, cgroup."""
_SUBREAPER, _NAME = 36, 15
_PIDFD_OPEN, _PIDFD_SEND_SIGNAL = 434, 424
_libc: Final = ctypes.CDLL(None, use_errno=True) if LINUX else None
_HAS_CHILDREN = os.path.exists(f"/proc/self/task/{os.getpid()}/children") and "children" not in WITHOUT


class Process:
    """What the system says of one process. *start* is in ticks since the machine booted (0 where it is not known)."""

    __slots__ = ("group", "parent", "session", "start", "state")

    def __init__(self, state: str, parent: int, group: int, session: int, start: int) -> None:
        self.state, self.parent, self.group, self.session, self.start = state, parent, group, session, start

    @property
    def lives(self) -> bool:
        return self.state not in "ZX"


def adopt_orphans() -> bool:
    """Make this process the parent of all its orphaned descendants. Return whether the system can."""
    return "subreaper" not in WITHOUT and _prctl(_SUBREAPER, 1)


def name_process(name: str) -> None:
    _prctl(_NAME, ctypes.c_char_p(name.encode()))


def _prctl(option: int, value: Any) -> bool:
    zero = ctypes.c_ulong(0)
    value = ctypes.c_ulong(value) if isinstance(value, int) else value
    return _libc is not None and _libc.prctl(option, value, zero, zero, zero) == 0


def open_pidfd(pid: int) -> int:
    """Return a descriptor of process *pid*, also where Python was built without `os.pidfd_open` (conda).

    Raises:
        OSError: there is no such process, or no such ability.
    """
    if "pidfd" in WITHOUT or _libc is None:
        raise OSError(38, "no pidfd here")
    if hasattr(os, "pidfd_open") and "pidfd_open" not in WITHOUT:
        return int(os.pidfd_open(pid))
    return _syscall(_PIDFD_OPEN, pid, 0)


def send_pidfd(pidfd: int, number: int) -> None:
    if hasattr(signal, "pidfd_send_signal") and "pidfd_open" not in WITHOUT:
        signal.pidfd_send_signal(pidfd, number)
    else:
        _syscall(_PIDFD_SEND_SIGNAL, pidfd, number, 0, 0)


def _syscall(number: int, *arguments: int) -> int:
    assert _libc is not None
    done = int(_libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)))
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done


def send(pid: int, number: int, *, known: Callable[[Process], bool]) -> bool:
    """Send a signal to *pid* if it is *known* as ours: looked at while a descriptor holds it, so it is no other."""
    pidfd = None
    with suppress(OSError):
        pidfd = open_pidfd(pid)
    try:
        process = stat(pid)
        if process is None or not known(process):
            return False
        if pidfd is None:
            os.kill(pid, number)  # microseconds in which the number may be given to another: what older systems have
        else:
            send_pidfd(pidfd, number)
    except OSError:
        return False
    finally:
        if pidfd is not None:
            os.close(pidfd)
    return True


@cache
def boot_id() -> str:
    """Return what is different after each start of the machine; empty where it is not known."""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()
    return ""


def stat(pid: int) -> Process | None:
    """Return what is known of *pid*; None if there is no such process."""
    if not LINUX:
        return processes().get(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb", 0) as file:
            data = file.read()
    except OSError:
        return None
    fields = data[data.rindex(b")") + 2 :].split()
    return Process(chr(fields[0][0]), int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))


def processes() -> dict[int, Process]:
    """Return every process that can be seen."""
    if LINUX:
        return dict(youngest_first())
    return _by_psutil() if sys.platform == "win32" else _by_ps()


def _by_ps() -> dict[int, Process]:
    """Untested on macOS, whose `ps` knows no session (0) and births to the second."""
    found = {}
    for line in _ps("pid=,ppid=,pgid=,sess=,state=,lstart=").splitlines():
        pid, parent, group, session, state, *birth = line.split()
        born = time.mktime(time.strptime(" ".join(birth), "%a %b %d %H:%M:%S %Y"))
        found[int(pid)] = Process(state[:1], int(parent), int(group), int(session, 16), int(born))
    return found


def _by_psutil() -> dict[int, Process]:
    """Untested on Windows; it has no groups, and milliseconds of birth."""
    import psutil

    found = {}
    for process in psutil.process_iter(["ppid", "create_time"]):
        about = process.info
        found[process.pid] = Process("R", about["ppid"] or 0, 0, 0, int(1000 * (about["create_time"] or 0)))
    return found


def youngest_first() -> Iterator[tuple[int, Process]]:
    """Yield every process that can be seen, each as it is at that moment, the highest number first."""
    if not LINUX:
        yield from sorted(processes().items(), reverse=True)
        return
    for pid in sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True):
        if process := stat(pid):
            yield pid, process


def _ps(columns: str, *more: str) -> str:
    import subprocess

    command = ["/bin/ps", "-axww", *more, "-o", columns]
    env = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env).stdout


def children(pid: int, known: dict[int, Process] | None = None) -> list[int]:
    """Return the children of *pid*, of all its threads; from *known* if that is given."""
    if known is not None:
        return [child for child, process in known.items() if process.parent == pid]
    if not _HAS_CHILDREN:
        return children(pid, processes())
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def marked(pid: int, mark: int) -> bool:
    """Whether *pid* was born with *mark*: a limit that Linux inherits and ignores, or a cookie in its environment."""
    with suppress(OSError), open(f"/proc/{pid}/limits", "rb") as file:
        if b" %d " % mark in file.read().partition(b"Max file locks")[2].partition(b"\n")[0]:
            return True
    return carries(pid, mark)


def carries(pid: int, mark: int) -> bool:
    cookie = f"{COOKIE}={mark:x}"
    if not LINUX:
        listed = (line.split(None, 1) for line in _ps("pid=,command=", "-E").splitlines())
        return any(fields[0] == str(pid) and cookie in fields[-1] for fields in listed)
    with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        return cookie.encode() in file.read().split(b"\0")
    return False


def reap(told: Reaped | None = None) -> bool:
    """Wait for the children that have ended. Return whether there are others."""
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        if told:
            told(pid, status, usage)


def exit_code(status: int) -> int:
    """Return what a shell says: 128 + n after signal n."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def lists_children() -> bool:
    """Whether /proc says who the children of a process are; else all processes are looked at."""
    return _HAS_CHILDREN
