"""What a tree of processes uses: processor, memory, input and output. From /proc in the guardian, else by psutil."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = ["Meter", "memory_limit", "sample"]

if sys.platform == "win32":
    _TICKS, _PAGE, _PAGES = 100, 4096, 0
else:
    _TICKS, _PAGE, _PAGES = (os.sysconf(name) for name in ("SC_CLK_TCK", "SC_PAGE_SIZE", "SC_PHYS_PAGES"))


class Meter:
    """Adds up what the processes of a tree use; those that have ended count with what was last seen of them."""

    def __init__(self) -> None:
        self._cpu: dict[int, float] = {}
        self._io: dict[int, tuple[int, int]] = {}
        self._counted = 0.0
        self.peak = 0

    def count(self, used: Any) -> None:
        """Take in what the system counted (a rusage) of a process that has ended, and of those it had waited for."""
        self._counted += used.ru_utime + used.ru_stime
        self.peak = max(self.peak, used.ru_maxrss * (1024 if sys.platform == "linux" else 1))

    def read(self, pids: Iterable[int]) -> dict[str, Any]:
        """Return the fields of a `Usage` event."""
        resident, living = 0, []
        for pid in pids:
            with suppress(OSError, ValueError, IndexError):  # it ended while we looked
                cpu, rss = _processor_and_memory(pid)
                self._cpu[pid] = cpu
                resident += rss
                living.append(pid)
            with suppress(OSError):
                self._io[pid] = _input_and_output(pid)
        self.peak = max(self.peak, resident)
        return {**self.totals(), "rss_bytes": resident, "processes": len(living), "pids": living[:1000]}

    def totals(self) -> dict[str, Any]:
        reads, writes = (sum(io[side] for io in self._io.values()) for side in (0, 1))
        return {"cpu_seconds": sum(self._cpu.values()), "read_bytes": reads, "write_bytes": writes}

    def in_all(self) -> dict[str, Any]:
        """Return the fields of an `Exited` event: the system counts the short-lived too."""
        totals = self.totals()
        return {**totals, "cpu_seconds": max(self._counted, totals["cpu_seconds"]), "rss_bytes": self.peak}


def _processor_and_memory(pid: int) -> tuple[float, int]:
    with open(f"/proc/{pid}/stat", "rb", 0) as file:
        data = file.read()
    fields = data[data.rindex(b")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE


def _input_and_output(pid: int) -> tuple[int, int]:
    with open(f"/proc/{pid}/io", "rb", 0) as file:
        fields = dict(line.split(b": ") for line in file.read().splitlines())
    return int(fields[b"rchar"]), int(fields[b"wchar"])


def memory_limit() -> int:
    """Return the bytes that processes here may hold: the machine's, or what a group of control allows; 0 if unknown."""
    limits = [_PAGES * _PAGE] if _PAGES else []
    for path in _limit_files():
        with suppress(OSError, ValueError), open(path) as file:  # no such group, or «max»
            limits.append(int(file.read()))
    return min(limits, default=0)


def _limit_files() -> list[str]:
    """Our group's and those around it: below /sys/fs/cgroup a container sees only its own."""
    try:
        with open("/proc/self/cgroup") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:  # not Linux
        return []
    found = []
    for number, controllers, path in lines:
        if number != "0" and "memory" not in controllers.split(","):
            continue
        base, name = ("", "memory.max") if number == "0" else ("/memory", "memory.limit_in_bytes")
        parts = [part for part in path.split("/") if part]
        found += ["/".join([f"/sys/fs/cgroup{base}", *parts[:n], name]) for n in range(len(parts) + 1)]
    return found


def sample(root: int) -> dict[str, Any]:
    """Return the fields of a `Usage` event for *root* and its descendants, where there is no /proc."""
    import psutil

    usage = {"cpu_seconds": 0.0, "rss_bytes": 0, "read_bytes": 0, "write_bytes": 0}
    pids = []
    with suppress(psutil.NoSuchProcess):
        top = psutil.Process(root)
        for process in (top, *top.children(recursive=True)):
            with suppress(psutil.Error):
                _add(usage, process)
                pids.append(process.pid)
    return {**usage, "processes": len(pids), "pids": pids}


def _add(usage: dict[str, Any], process: Any) -> None:
    with process.oneshot():
        times = process.cpu_times()
        usage["cpu_seconds"] += times.user + times.system
        usage["rss_bytes"] += process.memory_info().rss
        if hasattr(process, "io_counters"):
            io = process.io_counters()
            usage["read_bytes"] += io.read_bytes
            usage["write_bytes"] += io.write_bytes
