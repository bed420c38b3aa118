"""Who owns a run: one process of one boot of one machine, told apart from any that comes later with its number."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

from kestra_magic.process.system import boot_id, stat

__all__ = ["Owner", "started_ticks"]


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that can be recognised.

    Attributes:
        host: the machine's name: only there can anybody know whether it lives.
        boot: what was started since the machine was.
        space: the namespace of process numbers; containers have their own.
        pid, ticks: its number, and when it started.
    """

    host: str = ""
    boot: str = ""
    space: str = ""
    pid: int = 0
    ticks: int = 0

    @classmethod
    def me(cls) -> Owner:
        return _of_process(os.getpid())

    @classmethod
    def read(cls, text: str) -> Owner:
        """Read what `text` wrote.

        Raises:
            ValueError: something else did.
        """
        host, boot, space, pid, ticks = text.split("\t")
        return cls(host, boot, space, int(pid), int(ticks))

    def text(self) -> str:
        return "\t".join(map(str, (self.host, self.boot, self.space, self.pid, self.ticks)))

    def is_foreign(self) -> bool:
        """Whether nobody here can know if it lives: another machine, or another container."""
        return self.host not in ("", Owner.me().host)

    def lives(self) -> bool:
        here = Owner.me()
        same = (self.host, self.boot, self.space) == (here.host, here.boot, here.space)
        return same and self.ticks != 0 and started_ticks(self.pid) == self.ticks


@cache
def _of_process(pid: int) -> Owner:
    """Cached by number: a forked child is another owner."""
    return Owner(socket.gethostname(), boot_id(), _space(), pid, started_ticks(pid))


def _space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:  # a system without namespaces has one
        return ""


if sys.platform == "win32":

    def started_ticks(pid: int) -> int:
        """Return when a process started, in units of 100 ns; 0 if there is none, or a dead one."""
        import ctypes
        from ctypes import wintypes

        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        created, exited, in_kernel, in_user = (wintypes.FILETIME() for _ in range(4))
        try:
            times = (ctypes.byref(time) for time in (created, exited, in_kernel, in_user))
            if not handle or not kernel.GetProcessTimes(handle, *times) or exited.dwLowDateTime:
                return 0
            return (created.dwHighDateTime << 32) + created.dwLowDateTime
        finally:
            kernel.CloseHandle(handle)

else:

    def started_ticks(pid: int) -> int:
        """Return when a process started, in the system's own unit; 0 if there is none, or a dead one nobody fetched."""
        process = stat(pid)
        if process is None or not process.lives:
            return 0
        return process.start or _asked(pid)

    def _asked(pid: int) -> int:
        """What `ps` says where the system gives no number: one that differs when it does."""
        asked = ["ps", "-o", "lstart=", "-p", str(pid)]
        said = subprocess.run(asked, capture_output=True, env={**os.environ, "LC_ALL": "C", "TZ": "UTC"}).stdout.strip()
        return int.from_bytes(hashlib.blake2b(said, digest_size=7).digest(), "big") if said else 0
