"""GPUs without one: a fake of NVML's own functions, as nvidia-ml-py names them."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.gpu import GpuMeter, GpuUse, choose, devices
from tests.process.conftest import Start, says, sh, text, until

GB = 10**9


class FakeNvml:
    """What is asked of pynvml. *free* bytes of each GPU; *processes* and *samples* by GPU."""

    class NVMLError(Exception):
        pass

    def __init__(self, *free: int, processes: dict[int, list[Any]] | None = None, samples: Any = None) -> None:
        self.free = free
        self.processes = processes or {}
        self.samples = samples

    def nvmlDeviceGetCount(self) -> int:
        return len(self.free)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(free=self.free[handle], total=80 * GB, used=80 * GB - self.free[handle])

    def nvmlDeviceGetUUID(self, handle: int) -> bytes:
        return f"GPU-{handle}{handle}-abc".encode()

    def nvmlDeviceGetName(self, handle: int) -> str:
        return "NVIDIA H100"

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        return SimpleNamespace(gpu=33, memory=1)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        return self.processes.get(handle, [])

    def nvmlDeviceGetProcessUtilization(self, handle: int, seen: int) -> list[Any]:
        if self.samples is None:
            raise self.NVMLError("not found")
        return list(self.samples)


def process(pid: int, used: int | None) -> Any:
    return SimpleNamespace(pid=pid, usedGpuMemory=used)


def sample(pid: int, share: int, at: int = 1) -> Any:
    return SimpleNamespace(pid=pid, smUtil=share, timeStamp=at)


def chosen(tmp_path: Path, wish: str, *free: int, within: str | None = None, run: str = "train") -> Any:
    return choose(wish, devices(FakeNvml(*free)), within=within, folder=tmp_path, run=run)


def test_auto_takes_the_gpu_with_most_free_memory_and_says_why(tmp_path: Path) -> None:
    gpus = chosen(tmp_path, "auto", 10 * GB, 70 * GB, 20 * GB)

    assert gpus.visible == "GPU-11-abc"
    assert gpus.said == "GPU 1: 70.0 of 80.0 GB free, the most"


def test_auto_skips_what_a_live_run_holds_until_it_ends(tmp_path: Path) -> None:
    first = chosen(tmp_path, "auto", 10 * GB, 70 * GB)
    second = chosen(tmp_path, "auto", 10 * GB, 70 * GB, run="other")

    assert second.visible == "GPU-00-abc"
    assert second.said.endswith("; GPU 1 is held by `train`")
    with pytest.raises(KestraMagicError, match="no GPU is free: GPU 1 is held by `train`, GPU 0 is held by `other`"):
        chosen(tmp_path, "auto", 10 * GB, 70 * GB)
    first.release()
    assert chosen(tmp_path, "auto", 10 * GB, 70 * GB).visible == "GPU-11-abc"


def test_a_guardian_holds_them_as_long_as_its_run_lives(tmp_path: Path, start: Start) -> None:
    gpus = chosen(tmp_path, "auto", 10 * GB, run="far")
    child = start(sh("ls /proc/$$/fd; echo up; sleep 300"), detach=True, locks=tuple(gpus.held))
    inherited = text(until(child, says("up")))
    gpus.release()  # as the end of a kernel does

    with pytest.raises(KestraMagicError, match="GPU 0 is held by `far`"):
        chosen(tmp_path, "auto", 10 * GB)
    assert inherited == "0\n1\n2\nup\n"
    child.stop(grace=0)
    list(child.events())
    chosen(tmp_path, "auto", 10 * GB).release()


def test_auto_stays_inside_what_the_kernel_sees(tmp_path: Path) -> None:
    assert chosen(tmp_path, "auto", 10 * GB, 70 * GB, 20 * GB, within="0,2").visible == "GPU-22-abc"
    assert chosen(tmp_path, "auto", 10 * GB, 70 * GB, within="GPU-00").visible == "GPU-00-abc"


def test_positions_count_in_what_the_kernel_sees(tmp_path: Path) -> None:
    assert chosen(tmp_path, "0", 10 * GB, 70 * GB, 20 * GB, within="2,1").visible == "GPU-22-abc"
    assert chosen(tmp_path, "0,1", 10 * GB, 70 * GB, within=None, run="b").visible == "GPU-00-abc,GPU-11-abc"


def test_a_named_gpu_may_be_shared_and_that_is_said(tmp_path: Path) -> None:
    held = chosen(tmp_path, "auto", 10 * GB)

    assert chosen(tmp_path, "0", 10 * GB, run="b").said == "GPU 0: `--gpu 0`; GPU 0 is shared with `train`"
    held.release()


@pytest.mark.parametrize("wish", ["1", "7", "x", "-1", "0,1"])
def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path, wish: str) -> None:
    with pytest.raises(KestraMagicError, match=r"there is no GPU .*, 1 can be seen here"):
        chosen(tmp_path, wish, 10 * GB)


def test_none_hides_all_and_auto_without_one_goes_on(tmp_path: Path) -> None:
    assert chosen(tmp_path, "none", 10 * GB).visible == ""
    assert chosen(tmp_path, "auto").said == "no GPU is seen here: it runs on the processor"


def test_the_tree_is_measured_and_strangers_are_not() -> None:
    own = os.getpid()
    running = {0: [process(own, 3 * GB), process(1, 9 * GB)], 1: [process(own, GB)]}
    samples = [sample(own, 10, 1), sample(own, 40, 2), sample(1, 50)]
    meter = GpuMeter(FakeNvml(0, 0, processes=running, samples=samples), "GPU-00-abc")

    assert meter.read([own]) == GpuUse(40.0, 3 * GB)
    assert meter.read([]) == GpuUse(0, 0)


def test_nothing_measured_since_is_no_use() -> None:
    assert GpuMeter(FakeNvml(0, processes={0: [process(os.getpid(), GB)]})).read([os.getpid()]) == GpuUse(0, GB)


@pytest.mark.parametrize("running", [[process(os.getpid(), None)], [process(2**22 + 1, GB)]], ids=["untold", "foreign"])
def test_where_processes_are_not_told_the_whole_gpu_is_shown_and_said(running: list[Any]) -> None:
    use = GpuMeter(FakeNvml(70 * GB, processes={0: running})).read([os.getpid()])

    assert use == GpuUse(33, 10 * GB, "whole GPU: this machine gives no figures of processes")


def test_without_a_gpu_nothing_is_measured() -> None:
    assert GpuMeter(None).read([1]) is None
