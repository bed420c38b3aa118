"""Who still lives: processes found by a token in their arguments or environment, or by the mark of a run."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from contextlib import suppress

from kestra_magic.process import system

__all__ = ["Witness", "bearing", "helpers_of", "marked", "wait_until"]

PATIENCE = 10.0


def bearing(token: str) -> list[int]:
    """Return the living processes that bear *token* in argv or environment, but for this one."""
    found = []
    for pid, process in system.processes().items():
        if pid != os.getpid() and process.lives and (_has(pid, "cmdline", token) or _has(pid, "environ", token)):
            found.append(pid)
    return found


def marked(mark: int) -> list[int]:
    """Return the living processes of the run with *mark*, its guardian too."""
    return [p for p, process in system.processes().items() if process.lives and system.marked(p, mark)]


def helpers_of(kernel: int) -> list[int]:
    """Return the warden of *kernel* and its guardians, who have its command line."""
    return [pid for pid, p in system.processes().items() if p.lives and _is_warden(pid, kernel)]


def wait_until(true: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Look again and again, a little apart, until *true* is; return whether it came to be."""
    pause = select.poll()
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        pause.poll(3)
    return True


class Witness:
    """Sees that nothing with a token is left, three times in a row.

    A chain of forks may hide from a single look, and what was asked for right before its kernel died may be born a
    moment after it, and ended at once.
    """

    def __init__(self, token: str) -> None:
        self.token = token

    def left(self, seconds: float = PATIENCE) -> list[int]:
        looks = 0

        def gone() -> bool:
            nonlocal looks
            looks = 0 if bearing(self.token) else looks + 1
            return looks == 3

        return [] if wait_until(gone, seconds) else bearing(self.token)

    def end(self) -> None:
        """Whatever a test found, it leaves nothing behind."""
        for _ in range(1000):
            left = bearing(self.token)
            if not left:
                return
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)


def _has(pid: int, name: str, token: str) -> bool:
    with suppress(OSError), open(f"/proc/{pid}/{name}", "rb") as file:
        return token.encode() in file.read()
    return False


def _is_warden(pid: int, kernel: int) -> bool:
    with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        words = file.read().split(b"\0")
        return len(words) > 5 and words[3].endswith(b"warden.py") and words[5] == str(kernel).encode()
    return False
