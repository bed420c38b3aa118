"""All descendants of this process, and their end.

A process that adopts orphans (a subreaper) has its whole tree below it, whatever the tree does: it has ended when there
is no child left to wait for. Where the system has no such thing, a tree is what descends from the command, shares its
process group or session, or carries its cookie in the environment. Standard library only.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from kestra_magic.process import cgroup
from kestra_magic.process.system import Process, carries, children, lists_children, processes, reap, send, stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Reaped = Callable[[int, int, Any], None]

__all__ = ["Tree"]

CALM = 0.05
"""Seconds without anyone after which all are gone, where nobody adopts orphans: one look misses who just forks away."""
STUBBORN = 0.02
"""Seconds of killing one by one, after which all are ended in one stroke where that is possible."""


class Tree:
    """The descendants of this process, but for *keep* and theirs.

    Attributes:
        mark: what all of them bear, where it is known.
        ended: the processes that were told to end; *strays* of them had left the process group of the command.
    """

    def __init__(self, main: int = 0, *, whole: bool = True, keep: Iterable[int] = ()) -> None:
        self.main = main
        self.ended: set[int] = set()
        self.strays: set[int] = set()
        self.mark = 0
        self.whole = whole
        self._keep = frozenset(keep)

    def members(self, limit: int = 5000) -> list[int]:
        """Return those that live, parents first."""
        known = None if lists_children() else processes()
        found: dict[int, None] = {}
        level = [pid for pid in children(os.getpid(), known) if pid not in self._keep]
        while level and len(found) < limit:
            found.update(dict.fromkeys(level))
            level = [pid for parent in level for pid in children(parent, known) if pid not in found]
        if not self.whole:
            found.update(dict.fromkeys(self._lost()))
        return [pid for pid in found if self._noted(pid)]

    def _noted(self, pid: int) -> bool:
        process = stat(pid)
        if process is None or not process.lives:
            return False
        if process.group != self.main:
            self.strays.add(pid)
        return True

    def _lost(self) -> list[int]:
        """Those that no longer descend from here, where nobody adopts orphans."""
        own = os.getpid()
        return [
            pid
            for pid, process in processes().items()
            if pid != own and process.parent != own and process.session != own and self._mine(pid, process)
        ]

    def _mine(self, pid: int, process: Process) -> bool:
        return self.main in (process.group, process.session) or bool(self.mark and carries(pid, self.mark))

    def ask(self) -> None:
        """Tell every process to end (TERM), also those that stand still or have left the group."""
        members = self.members()
        mine = {os.getpid(), *members}
        for number in (signal.SIGTERM, signal.SIGCONT):
            for pid in members:
                send(pid, number, known=lambda p: p.parent in mine or self.main in (p.group, p.session))
        self.ended.update(members)

    def kill(self, told: Reaped | None = None, *, seconds: float = 10.0) -> bool:
        """End every process now. Return whether all are gone; only one that the system itself holds is not."""
        self.ended.update(self.members())
        self._kill_group()
        begun, pause, stroke, last = time.monotonic(), 0.0001, False, 0.0
        while reap(told) or not self.whole:
            seen = time.monotonic() - begun
            last = seen if self._kill_round() else last
            if seen > seconds or (seen > last and (self.whole or seen - last > CALM)):
                break
            if seen > STUBBORN and not stroke:
                stroke = True
                self._kill_in_one_stroke()
            time.sleep(pause)
            pause = min(pause * 1.5, 0.002)
        return not self.members()

    def _kill_in_one_stroke(self) -> None:
        if self.main and cgroup.leave():
            cgroup.kill(os.getpid())

    def _kill_group(self) -> None:
        if self.main:
            with suppress(OSError):
                os.killpg(self.main, signal.SIGKILL)

    def _kill_round(self) -> bool:
        """Parents first. A child's number stays its own until we wait for it; of the others the parent is looked at."""
        known = None if lists_children() else processes()
        level = [pid for pid in children(os.getpid(), known) if pid not in self._keep]
        for pid in level:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        mine = {os.getpid(), *level}
        found = len(level)
        while level := [pid for parent in level for pid in children(parent, known) if pid not in mine]:
            mine.update(level)
            found += sum(send(pid, signal.SIGKILL, known=lambda p: p.lives and p.parent in mine) for pid in level)
        self.ended.update(mine - {os.getpid()})
        return bool(found) or (not self.whole and self._kill_lost())

    def _kill_lost(self) -> bool:
        def still_mine(process: Process) -> bool:
            return process.lives and self._mine(pid, process)

        sent = 0
        for pid in self._lost():
            sent += send(pid, signal.SIGKILL, known=still_mine)
        return sent > 0
