"""What a dead kernel left, found by identity and mark, and ended: never a process that only got its number.

Those that fork faster than they can be listed are frozen first: of one that stands still the list of children is final.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from functools import partial

from kestra_magic.process import system
from kestra_magic.process.system import Process

__all__ = ["Identity", "Sweep", "end_left", "gone", "identity", "lives"]

_KILL, _STOP = 9, getattr(signal, "SIGSTOP", 19)
QUIET = 4
"""Rounds without anyone after which nobody is left."""
LOOKS = 40
"""Rounds of freezing after which those that stand still are ended although others may still come."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One process of one start of one machine: its number alone may be another's by now."""

    boot: str
    pid: int
    start: int


def identity(pid: int | None = None) -> Identity:
    """Return who *pid*, or this process, is."""
    pid = os.getpid() if pid is None else pid
    process = system.stat(pid)
    return Identity(system.boot_id(), pid, process.start if process else 0)


def lives(who: Identity) -> bool:
    """Whether this very process still runs. Locks do not tell: a forked child keeps them."""
    process = system.stat(who.pid) if who.boot == system.boot_id() else None
    return process is not None and process.lives and process.start == who.start


def gone(who: Identity, seconds: float) -> bool:
    """Wait until this very process has ended; not for one that stands still. Return whether it has."""
    until = time.monotonic() + seconds
    while lives(who):
        process = system.stat(who.pid)
        if time.monotonic() > until or (process and process.state == "T"):
            return False
        time.sleep(0.002)
    return True


def end_left(root: Identity, mark: int, *, seconds: float = 5.0) -> int:
    """End what still lives of the run whose command was *root*, and return how many processes that were.

    Args:
        root: pid 0 if the command was never seen.
        mark: what all its processes bear.
    """
    if root.boot != system.boot_id():
        return 0
    sweep = Sweep(root, mark)
    deadline = time.monotonic() + seconds
    quiet = 0
    while quiet < QUIET and time.monotonic() < deadline:
        quiet = 0 if sweep.round() else quiet + 1
    sweep.kill()
    return len(sweep.ended)


class Sweep:
    """Freezes and ends the processes of one run."""

    def __init__(self, root: Identity, mark: int) -> None:
        self.ended: set[int] = set()
        self._root = root
        self._mark = mark
        self._sessions: set[int] = set()
        self._frozen: dict[int, int] = {}
        self._rounds = 0

    def round(self) -> bool:
        """Freeze who is new, or else end who is frozen. Return whether there was anyone."""
        self._rounds += 1
        known, new = self._seen()
        new = self._freeze(self._mine(known)) or new
        again = self._freeze({child for pid in list(self._frozen) for child in system.children(pid)})
        found = bool(self._frozen)
        if not (new or again) or self._rounds % LOOKS == 0:
            self.kill()
        if not new:
            time.sleep(0.003)
        return found

    def _seen(self) -> tuple[dict[int, Process], bool]:
        """Look at all processes, the youngest first: one that forks away is gone before the others have been read."""
        known: dict[int, Process] = {}
        new = False
        for pid, process in system.youngest_first():
            known[pid] = process
            new = (self._is_mine(pid, process) and self._freeze({pid})) or new
        return known, new

    def kill(self) -> None:
        for pid, start in self._frozen.items():
            if system.send(pid, _KILL, known=partial(_born, start)):
                self.ended.add(pid)
        self._frozen.clear()

    def _mine(self, known: dict[int, Process]) -> set[int]:
        mine = {pid for pid, process in known.items() if pid in self._frozen or self._is_mine(pid, process)}
        self._sessions = {known[pid].session for pid in mine if self._is_led_by_us(known[pid].session, mine, known)}
        mine |= {pid for pid, process in known.items() if process.lives and process.session in self._sessions}
        while more := {p for p, process in known.items() if process.lives and process.parent in mine and p not in mine}:
            mine |= more
        return mine - {os.getpid()}

    def _is_mine(self, pid: int, process: Process) -> bool:
        if pid == os.getpid() or not process.lives:
            return False
        return (pid, process.start) == (self._root.pid, self._root.start) or system.marked(pid, self._mark)

    def _is_led_by_us(self, session: int, mine: set[int], known: dict[int, Process]) -> bool:
        """While one of ours is in it its number is no other's; but a warden may lead it, who is above us."""
        leader = known.get(session)
        return session > 0 and (leader is None or not leader.lives or session in mine)

    def _freeze(self, level: set[int]) -> bool:
        """Stop *level*, and only then ask each for its children, which by then are all it will have."""
        some = False
        while level := {pid for pid in level if pid not in self._frozen and self._stop(pid)}:
            some = True
            level = {child for pid in level for child in system.children(pid)}
        return some

    def _stop(self, pid: int) -> bool:
        def belongs(process: Process) -> bool:
            if process.lives and (self._is_near(process) or self._is_mine(pid, process)):
                self._frozen[pid] = process.start
                return True
            return False

        return system.send(pid, _STOP, known=belongs)

    def _is_near(self, process: Process) -> bool:
        return process.parent in self._frozen or process.session in self._sessions


def _born(start: int, process: Process) -> bool:
    return process.start == start
