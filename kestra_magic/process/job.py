"""A Job Object of Windows: every process of a run is in it, and all end when its last handle closes.

Untested: written after Microsoft's documentation; only the sizes of its structures are checked. What runs here on
Linux is who uses it (see `windows.py`).
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from ctypes import c_int64, c_size_t, c_uint32, c_uint64
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Job", "JobObject"]

_KILL_ON_CLOSE = 0x2000
_EXTENDED_LIMITS, _PROCESS_IDS = 9, 3
_SUSPENDED, _NO_WINDOW, _NEW_GROUP = 0x4, 0x08000000, 0x200
_MOST = 4096


class Job(Protocol):
    """What a run's processes are held by."""

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: str, stdout: int, stderr: int
    ) -> subprocess.Popen[bytes]:
        """Start the command within.

        Raises:
            OSError: it cannot be started.
        """

    def pids(self) -> list[int]:
        """Return those that live."""

    def ask(self) -> None:
        """Tell them to end, as far as they can be told."""

    def kill(self) -> None:
        """End them all."""

    def close(self) -> None:
        """Let go: whoever still lives ends."""


class _Basic(ctypes.Structure):
    _fields_: ClassVar = [
        ("PerProcessUserTimeLimit", c_int64),
        ("PerJobUserTimeLimit", c_int64),
        ("LimitFlags", c_uint32),
        ("MinimumWorkingSetSize", c_size_t),
        ("MaximumWorkingSetSize", c_size_t),
        ("ActiveProcessLimit", c_uint32),
        ("Affinity", c_size_t),
        ("PriorityClass", c_uint32),
        ("SchedulingClass", c_uint32),
    ]


class _Extended(ctypes.Structure):
    _fields_: ClassVar = [
        ("Basic", _Basic),
        ("Io", c_uint64 * 6),
        ("ProcessMemoryLimit", c_size_t),
        ("JobMemoryLimit", c_size_t),
        ("PeakProcessMemoryUsed", c_size_t),
        ("PeakJobMemoryUsed", c_size_t),
    ]


class _Pids(ctypes.Structure):
    _fields_: ClassVar = [("Assigned", c_uint32), ("Listed", c_uint32), ("Pids", c_size_t * _MOST)]


def _libraries() -> tuple[Any, Any]:
    if sys.platform == "win32":
        return ctypes.WinDLL("kernel32", use_last_error=True), ctypes.WinDLL("ntdll")
    raise OSError("Job Objects are Windows's own")


class JobObject:
    """The real one. The command is born standing still, put into the job, and only then runs: nothing escapes.

    Raises:
        OSError: no job can be made.
    """

    def __init__(self) -> None:
        self._kernel32, self._ntdll = _libraries()
        handle, dword = ctypes.c_void_p, c_uint32
        self._kernel32.CreateJobObjectW.restype = handle
        self._kernel32.CreateJobObjectW.argtypes = [handle, ctypes.c_wchar_p]
        self._kernel32.SetInformationJobObject.argtypes = [handle, ctypes.c_int, handle, dword]
        self._kernel32.QueryInformationJobObject.argtypes = [handle, ctypes.c_int, handle, dword, handle]
        self._kernel32.AssignProcessToJobObject.argtypes = [handle, handle]
        self._kernel32.TerminateJobObject.argtypes = [handle, dword]
        self._kernel32.CloseHandle.argtypes = [handle]
        self._ntdll.NtResumeProcess.argtypes = [handle]
        self._handle = self._kernel32.CreateJobObjectW(None, None)
        limits = _Extended()
        limits.Basic.LimitFlags = _KILL_ON_CLOSE
        size = ctypes.sizeof(limits)
        self._check(self._kernel32.SetInformationJobObject(self._handle, _EXTENDED_LIMITS, ctypes.byref(limits), size))

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: str, stdout: int, stderr: int
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=dict(env),
            cwd=cwd,
            creationflags=_SUSPENDED | _NO_WINDOW | _NEW_GROUP,
        )
        handle = int(process._handle)  # type: ignore[attr-defined,unused-ignore]
        try:
            self._check(self._kernel32.AssignProcessToJobObject(self._handle, handle))
        except OSError:
            process.kill()
            raise
        self._ntdll.NtResumeProcess(handle)  # Popen has closed the handle of its thread
        return process

    def pids(self) -> list[int]:
        found = _Pids()
        size = ctypes.sizeof(found)
        self._kernel32.QueryInformationJobObject(self._handle, _PROCESS_IDS, ctypes.byref(found), size, None)
        return list(found.Pids[: found.Listed])

    def ask(self) -> None:
        """A process without a console of ours cannot be asked: the grace is what it has left to end by itself."""

    def kill(self) -> None:
        self._kernel32.TerminateJobObject(self._handle, 137)

    def close(self) -> None:
        self._kernel32.CloseHandle(self._handle)

    def _check(self, done: int) -> None:
        if sys.platform == "win32" and not done:
            raise ctypes.WinError(ctypes.get_last_error())
