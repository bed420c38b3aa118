"""A control group for each run, where this user may make one: everything in it can be ended in one stroke (cgroup v2).

Moving a process takes a grace period of the system, 10 to 20 ms. So a guardian enters its group while it waits for
work, its command is born there, and only when killing one by one does not do does the guardian leave, to end the rest.
Standard library only.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache

from kestra_magic.process.system import LINUX, WITHOUT

__all__ = ["enter", "kill", "leave", "own", "remove", "said", "tidy"]

PREFIX = "kestra-magic-"


@cache
def own() -> str:
    """Return the folder of this process's group; empty where there is none that it may change."""
    folder = _folder() if LINUX and "cgroup" not in WITHOUT else ""
    usable = folder and os.path.exists(os.path.join(folder, "cgroup.procs"))
    writable = usable and os.access(folder, os.W_OK) and os.access(os.path.join(folder, "cgroup.procs"), os.W_OK)
    return folder if writable else ""


def _folder() -> str:
    mount = _mount()
    with suppress(OSError), open("/proc/self/cgroup") as file:
        for line in file:
            if line.startswith("0::") and mount:
                return mount + line[3:].strip().rstrip("/")
    return ""


def _mount() -> str:
    with suppress(OSError), open("/proc/self/mounts") as file:
        for line in file:
            _, where, kind, *_ = line.split()
            if kind == "cgroup2":
                return where
    return ""


def enter() -> None:
    """Move this process into a group of its own, if that is allowed after all."""
    if own():
        with suppress(OSError):  # a limit, or a group that may not have processes beside groups: it goes without
            os.mkdir(_of(os.getpid()))
            _write(_of(os.getpid()), "cgroup.procs", "0")


def leave() -> bool:
    """Move this process back where it came from. Return whether it is outside now."""
    with suppress(OSError):
        _write(own(), "cgroup.procs", "0")
        return True
    return False


def kill(guardian: int) -> None:
    """End everything in the group of *guardian* at once; Linux before 5.14 cannot."""
    if own():
        with suppress(OSError):
            _write(_of(guardian), "cgroup.kill", "1")


def remove(guardian: int) -> None:
    if own():
        with suppress(OSError):  # there was none, or something in it is not quite gone: `tidy` comes later
            os.rmdir(_of(guardian))


def tidy() -> None:
    """Remove the empty groups of guardians that nobody buried."""
    if own():
        for name in os.listdir(own()):
            if name.startswith(PREFIX):
                with suppress(OSError):  # it is in use
                    os.rmdir(os.path.join(own(), name))


def said() -> str:
    """Say for a person whether it can be used."""
    if not own():
        return "no (no cgroup v2, or not writable): needed only for processes of other users (sudo)"
    return "yes" if os.path.exists("/sys/kernel/cgroup/features") else "yes, from Linux 5.14 on"


def _of(guardian: int) -> str:
    return os.path.join(own(), f"{PREFIX}{guardian}")


def _write(folder: str, name: str, value: str) -> None:
    with open(os.path.join(folder, name), "w") as file:
        file.write(value)
