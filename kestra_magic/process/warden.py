"""The warden: keeps guardians warm and is the last line of defence. Standard library only; run as a file.

It lives in a session of its own (a kernel's restart kills the kernel's process group) and ends when its kernel has.
Then, or when a guardian dies, it is the parent of what is left, and ends it.

    python -S -I warden.py SOCKET KERNEL_PID [FOLDER_OF_THE_PACKAGE]
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["Warden", "main"]

PATIENCE = 2.0
"""Seconds that guardians have to end their trees once the kernel is gone: then the warden does it, if it can."""
LONG_PATIENCE = 12.0
"""Where it cannot, because nobody adopts orphans: a guardian gives up before."""


def _enter_the_house(folder: str) -> None:
    """Make the package's rooms importable without opening its front door."""
    for name, path in (("kestra_magic", folder), ("kestra_magic.process", os.path.join(folder, "process"))):
        room = ModuleType(name)
        room.__path__ = [path]
        sys.modules.setdefault(name, room)


class Warden:
    """Forks guardians when it is asked: ``g`` for one that ends with the kernel, ``d`` for one that outlives it.

    It answers each wish with two bytes: ``G`` or ``D`` and the connection, or the wish and why it was refused.
    """

    def __init__(self, kernel: socket.socket, kernel_pid: int) -> None:
        from kestra_magic.process import cgroup, system, tree

        self.cgroup = cgroup
        self.system = system
        self.tree = tree.Tree
        self.kernel = kernel
        self.kernel_pid = kernel_pid
        self.pidfd: int | None = None
        with suppress(OSError):
            self.pidfd = system.open_pidfd(kernel_pid)
        self.guardians: dict[int, socket.socket] = {}
        self.detached: set[int] = set()
        self.woken, self.wake = os.pipe()

    def live(self) -> NoReturn:
        """Do as asked until the kernel is gone, and then see to it that nothing else is left."""
        self._prepare()
        poll = select.poll()
        for fd in filter(None, (self.kernel.fileno(), self.woken, self.pidfd)):
            poll.register(fd, select.POLLIN)
        # Without a pidfd it is seen from our new parent that the kernel is gone.
        while os.getppid() == self.kernel_pid:
            ready = {fd for fd, _ in poll.poll(None if self.pidfd else 1000)}
            if self.woken in ready:
                self._bury()
            if self.pidfd in ready or (self.kernel.fileno() in ready and not self._obey()):
                break
        self._end()

    def _prepare(self) -> None:
        self.patience = PATIENCE if self.system.adopt_orphans() else LONG_PATIENCE
        self.system.boot_id()  # asked here once for all guardians
        self.cgroup.tidy()
        self.system.name_process("kst-warden")
        for number in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGPIPE"):
            signal.signal(getattr(signal, number), signal.SIG_IGN)
        for end in (self.woken, self.wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake, warn_on_full_buffer=False)
        gc.collect()
        gc.freeze()  # what guardians share with us stays shared

    def _obey(self) -> bool:
        try:
            wishes = self.kernel.recv(64)
        except OSError:  # unread data at its death
            wishes = b""
        for wish in wishes:
            self._new_guardian(detached=wish == ord("d"))
        return bool(wishes)

    def _new_guardian(self, *, detached: bool) -> None:
        try:
            theirs, ours = socket.socketpair()
            pid = os.fork()
        except OSError as error:
            self._answer((b"d" if detached else b"g") + bytes([error.errno or 0]), [])
            return
        if pid == 0:
            theirs.close()
            self._become_guardian(ours, detached=detached)
        if detached:
            self.detached.add(pid)
            ours.close()
        else:
            self.guardians[pid] = ours
        self._answer(b"D\0" if detached else b"G\0", [theirs.fileno()])
        theirs.close()

    def _answer(self, said: bytes, descriptors: list[int]) -> None:
        with suppress(OSError):  # the kernel is gone; the loop will see it
            socket.send_fds(self.kernel, [said], descriptors)

    def _become_guardian(self, connection: socket.socket, *, detached: bool) -> NoReturn:
        from kestra_magic.process.guardian import guard

        try:
            self.kernel.close()
            for other in self.guardians.values():
                other.close()
            for end in (self.woken, self.wake):
                os.close(end)
            if detached:
                os.setsid()
            guard(connection, self.pidfd, detached=detached)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(70)

    def _bury(self) -> None:
        """Wait for guardians that ended, and end what they left behind.

        Our copy of a guardian's socket is closed last: when the kernel reads its end, nothing of the run lives.
        """
        with suppress(BlockingIOError):
            os.read(self.woken, 4096)
        gone: list[int] = []
        self.system.reap(lambda pid, *_: gone.append(pid))
        for pid in gone:
            self.cgroup.kill(pid)
        keep = (self.guardians.keys() | self.detached) - set(gone)
        if any(pid not in keep for pid in self.system.children(os.getpid())):
            self.tree(keep=keep).kill(lambda pid, *_: gone.append(pid))
        for pid in gone:
            self.cgroup.remove(pid)
            self.detached.discard(pid)
            if connection := self.guardians.pop(pid, None):
                connection.close()

    def _end(self) -> NoReturn:
        """Guardians end their own trees; what is left after a while is ended from here.

        Their socket may be held open by a forked worker of the kernel: they read its end nevertheless.
        """
        for connection in self.guardians.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        until = time.monotonic() + self.patience
        while self.guardians and time.monotonic() < until:
            self._bury()
            time.sleep(0.002)
        self.tree(keep=self.detached).kill()
        self.cgroup.tidy()
        os._exit(0)


def main() -> NoReturn:
    _, descriptor, kernel_pid, *folder = sys.argv
    _enter_the_house(folder[0] if folder else os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from kestra_magic.process import guardian  # noqa: F401 - loaded once, shared by all guardians

    Warden(socket.socket(fileno=int(descriptor)), int(kernel_pid)).live()


if __name__ == "__main__":
    main()
