"""A control group of one's own, where this process may make one: everything in it can be ended in one stroke (cgroup v2)."""

from __future__ import annotations

import os
from contextlib import suppress

from kestra_magic.process.tree import LINUX, WITHOUT

__all__ = ["enter", "kill", "leave", "own", "remove", "said"]


def own() -> str:
    """Return the folder of this process's group; empty where there is none that it may change."""
    folder = _folder() if LINUX and "cgroup" not in WITHOUT else ""
    writable = folder and os.access(folder, os.W_OK) and os.access(os.path.join(folder, "cgroup.procs"), os.W_OK)
    return folder if writable else ""


def _folder() -> str:
    with suppress(OSError), open("/proc/self/cgroup") as file:
        for line in file:
            if line.startswith("0::"):
                mount = _mount()
                return mount + line[3:].strip().rstrip("/") if mount else ""
    return ""


def _mount() -> str:
    with suppress(OSError), open("/proc/self/mounts") as file:
        for line in file:
            _, where, kind, *_ = line.split()
            if kind == "cgroup2":
                return where
    return ""


def enter(folder: str, name: str) -> str:
    """Move this process into a new group *name* below *folder*; return it, or nothing if that is not allowed after all."""
    made = os.path.join(folder, name)
    try:
        os.mkdir(made)
        _write(made, "cgroup.procs", "0")
    except OSError:  # a limit, or a group that may have no processes beside groups: it goes without
        remove(made)
        return ""
    return made


def leave(folder: str) -> None:
    """Move this process back into *folder*."""
    _write(folder, "cgroup.procs", "0")


def kill(folder: str) -> None:
    """End everything in *folder* at once; Linux before 5.14 cannot."""
    with suppress(OSError):
        _write(folder, "cgroup.kill", "1")


def remove(folder: str) -> None:
    with suppress(OSError):  # a process of it is not quite gone: an empty group is left, which costs nothing
        os.rmdir(folder)


def said() -> str:
    """Say for a person whether it can be used."""
    folder = own()
    if not folder:
        return "no (no cgroup v2, or not writable)"
    return "yes" if os.path.exists("/sys/kernel/cgroup/features") else "yes, if Linux is 5.14 or later"


def _write(folder: str, name: str, value: str) -> None:
    with open(os.path.join(folder, name), "w") as file:
        file.write(value)
