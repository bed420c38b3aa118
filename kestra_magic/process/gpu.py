"""NVIDIA's GPUs: which of them a run gets, and what its tree of processes uses of them."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["Device", "GpuMeter", "GpuUse", "GpuWatch", "Gpus", "choose", "devices", "nvml"]


@dataclass(frozen=True, slots=True)
class Device:
    """One GPU as the driver numbers it."""

    index: int
    uuid: str
    name: str
    free_bytes: int
    total_bytes: int

    def __str__(self) -> str:
        return f"GPU {self.index}"


@dataclass(frozen=True, slots=True)
class GpuUse:
    """What is used now; *label* says of what these are the figures where they are not the run's own."""

    percent: float
    bytes: int
    label: str = ""


def nvml() -> Any:
    """Return NVIDIA's library, ready; None where there is none."""
    try:
        library = import_module("pynvml")
        library.nvmlInit()
    except Exception:  # no package, no driver, no device: each says so in its own class
        return None
    return library


def devices(library: Any) -> list[Device]:
    return [_device(library, index) for index in range(library.nvmlDeviceGetCount())] if library else []


def _device(library: Any, index: int) -> Device:
    handle = library.nvmlDeviceGetHandleByIndex(index)
    memory = library.nvmlDeviceGetMemoryInfo(handle)
    uuid, name = (_text(ask(handle)) for ask in (library.nvmlDeviceGetUUID, library.nvmlDeviceGetName))
    return Device(index, uuid, name, memory.free, memory.total)


def _text(said: bytes | str) -> str:
    return said.decode() if isinstance(said, bytes) else said


class Gpus:
    """The GPUs of a run, held for it against the other runs on this machine until `release`.

    Attributes:
        visible: for ``CUDA_VISIBLE_DEVICES``.
        said: which it got, and why.
        held: descriptors of the locks: whoever is given them holds the GPUs too, also when this process has ended.
    """

    def __init__(self, visible: str, said: str, held: Sequence[int] = ()) -> None:
        self.visible = visible
        self.said = said
        self.held = list(held)

    def release(self) -> None:
        while self.held:
            os.close(self.held.pop())


def choose(wish: str, found: Sequence[Device], *, within: str | None, folder: Path, run: str) -> Gpus:
    """Return the GPUs for *run*.

    Args:
        wish: ``auto``, ``none``, or positions as ``0,1``.
        within: the kernel's own ``CUDA_VISIBLE_DEVICES``; positions count in it, as CUDA does.
        folder: where runs of all kernels of this user say what they hold; a lock ends with who holds it.

    Raises:
        KestraMagicError: there is no such GPU, or none that is free.
    """
    if wish == "none":
        return Gpus("", "no GPU: `--gpu none`")
    visible = _visible(found, within)
    if wish == "auto" and not visible:
        return Gpus(within or "", "no GPU is seen here: it runs on the processor")
    return _freest(visible, folder, run) if wish == "auto" else _named(wish, visible, folder, run)


def _visible(found: Sequence[Device], within: str | None) -> list[Device]:
    """As CUDA reads it: the first name that is none ends the list."""
    if within is None:
        return list(found)
    seen: list[Device] = []
    for word in filter(None, map(str.strip, within.split(","))):
        match = [device for device in found if word == str(device.index) or device.uuid.startswith(word)]
        if len(match) != 1:
            break
        seen += match
    return seen


def _freest(visible: Sequence[Device], folder: Path, run: str) -> Gpus:
    passed: list[str] = []
    for device in sorted(visible, key=lambda device: -device.free_bytes):
        lock, holder = _hold(device, folder, run)
        if lock is not None:
            free = f"{device.free_bytes / 1e9:.1f} of {device.total_bytes / 1e9:.1f} GB free"
            why = f"{device}: {free}, the most" + (f"; {', '.join(passed)}" if passed else "")
            return Gpus(device.uuid, why, [lock])
        passed.append(f"{device} is held by `{holder}`")
    raise KestraMagicError(f"no GPU is free: {', '.join(passed)}; wait, or share one: `--gpu 0`")


def _named(wish: str, visible: Sequence[Device], folder: Path, run: str) -> Gpus:
    chosen, locks, shared = [], [], []
    for word in map(str.strip, wish.split(",")):
        if not word.isdecimal() or int(word) >= len(visible):
            seen = f"{len(visible)} can be seen here" if visible else "none can be seen here"
            raise KestraMagicError(f"`--gpu {wish}`: there is no GPU {word}, {seen}")
        chosen.append(visible[int(word)])
        lock, holder = _hold(chosen[-1], folder, run)
        locks += [lock] if lock is not None else []
        shared += [f"{chosen[-1]} is shared with `{holder}`"] if lock is None else []
    why = "; ".join([f"{', '.join(map(str, chosen))}: `--gpu {wish}`", *shared])
    return Gpus(",".join(device.uuid for device in chosen), why, locks)


def _hold(device: Device, folder: Path, run: str) -> tuple[int | None, str]:
    """Return a lock, or None and whose it is."""
    import fcntl

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / device.uuid, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 200, 0).decode(errors="replace")
        os.close(lock)
        return None, holder
    os.ftruncate(lock, 0)
    os.pwrite(lock, run.encode()[:200], 0)
    return lock, run


class GpuMeter:
    """Measures a run's processes on the GPUs that it was given, or on all."""

    def __init__(self, library: Any, visible: str = "") -> None:
        self._nvml = library
        names = set(visible.split(",")) if visible else None
        self._known = [device for device in devices(library) if names is None or device.uuid in names]

    def read(self, pids: Iterable[int]) -> GpuUse | None:
        """Return what the processes use; None where there is no GPU."""
        if not self._known:
            return None
        own, memory, percent, whole = set(pids), 0, 0.0, False
        for device in self._known:
            handle = self._nvml.nvmlDeviceGetHandleByIndex(device.index)
            running = self._nvml.nvmlDeviceGetComputeRunningProcesses(handle)
            if not _tells(running):
                whole = True
                memory += self._nvml.nvmlDeviceGetMemoryInfo(handle).used
                percent += self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu
                continue
            memory += sum(process.usedGpuMemory for process in running if process.pid in own)
            percent += sum(self._busy(handle, own))
        return GpuUse(percent, memory, "whole GPU: this machine gives no figures of processes" if whole else "")

    def _busy(self, handle: Any, own: set[int]) -> Iterator[float]:
        """The last share of each process; NVML says «not found» where nothing was measured since."""
        with suppress(self._nvml.NVMLError):
            latest = {
                sample.pid: float(sample.smUtil)
                for sample in sorted(self._nvml.nvmlDeviceGetProcessUtilization(handle, 0), key=lambda s: s.timeStamp)
            }
            yield from (share for pid, share in latest.items() if pid in own)


class GpuWatch:
    """Measures a run beside it, in a thread of its own: a driver may take its time.

    Args:
        visible: the GPUs that it was given, empty for none; None: all of the machine.
        told: hears of each measure.
    """

    def __init__(self, visible: str | None, told: Callable[[GpuUse], None]) -> None:
        self._visible = visible
        self._told = told
        self._asked: SimpleQueue[Sequence[int] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def look(self, pids: Sequence[int]) -> None:
        """Measure these processes soon."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._measure, name="kestra-gpu", daemon=True)
            self._thread.start()
        if self._thread.is_alive():
            self._asked.put(pids)

    def close(self) -> None:
        """End when what was asked is measured; nobody waits for it."""
        self._asked.put(None)

    def _measure(self) -> None:
        library = None if self._visible == "" else nvml()
        if library is None:
            return
        with suppress(library.NVMLError):  # this driver cannot say it, or the GPU is lost: nothing is measured
            meter = GpuMeter(library, self._visible or "")
            while (pids := self._asked.get()) is not None and (use := meter.read(pids)):
                self._told(use)


def _tells(running: Sequence[Any]) -> bool:
    """In a container the numbers may be those outside it, and on some systems the memory is not told."""
    known = [process for process in running if process.usedGpuMemory is not None]
    if len(known) < len(running):
        return False
    return not running or any(os.path.exists(f"/proc/{process.pid}") for process in running)
