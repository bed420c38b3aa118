"""A worker compared with this machine: a scheduler and two workers as processes of their own, over loopback."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from benchmarks.figure import Figure
from kestra_magic import settings
from kestra_magic.process.events import Event, Exited, Output, Started
from kestra_magic.runners.dask.cluster import connect
from kestra_magic.runners.dask.runner import DaskRunner
from kestra_magic.runners.job import Job, Runner
from kestra_magic.runners.local import LocalRunner
from kestra_magic.runners.workers import Workers
from tests.runners.cluster import TestCluster
from tests.runners.going import job

__all__ = ["figures"]

SIZE = 256 << 20
REPEATS = 3
"""Of a throughput the best counts: the others say what else the machine did."""
TREE = "sleep 100 & sleep 100 & (sleep 100 & sleep 100) & echo ready; wait"


def figures() -> Iterator[Figure]:
    with TemporaryDirectory() as folder:
        cluster = TestCluster(Path(folder), {"a": "g=2", "b": "g=2"})
        try:
            cluster.heal()
            settings.update(worker_root=str(Path(folder) / "root"))
            yield from Measures(cluster, Path(folder)).all()
        finally:
            cluster.close()


class Measures:
    def __init__(self, cluster: TestCluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.there = DaskRunner(connect(cluster.address), Workers(("g",)))
        self.here = LocalRunner(folder / "here")

    def all(self) -> Iterator[Figure]:
        for _ in range(8):  # every thread of every worker has done it once
            self.run(self.there, "true")
        yield from self.one_task()
        yield from self.many_tasks()
        yield self.log()
        yield from self.files()
        yield self.cancelled()

    def job(self, runner: Runner, script: str, **more: object) -> Job:
        return job(self.folder, runner.root("x").parent, "/bin/sh", "-c", script, **more)

    def run(self, runner: Runner, script: str, **more: object) -> tuple[float, list[Event], Job]:
        what = self.job(runner, script, **more)
        start = time.perf_counter()
        running = runner.start(what)
        events = list(running.events())
        running.collect()
        seconds = time.perf_counter() - start
        assert isinstance(events[-1], Exited), events
        assert events[-1].code == 0, events
        return seconds, events, what

    def one_task(self) -> Iterator[Figure]:
        here, there = [], []
        for _ in range(30):
            here.append(self.run(self.here, "echo hi")[0])
            there.append(self.run(self.there, "echo hi")[0])
        local, dask = statistics.median(here) * 1000, statistics.median(there) * 1000
        yield Figure("one process task, here", local, "ms")
        yield Figure("one process task, on a worker: more than here", dask - local, "ms", most=25)

    def many_tasks(self) -> Iterator[Figure]:
        before = self.cpu()
        yield Figure("200 small tasks at once, all right", max(self.at_once() for _ in range(REPEATS)), "/s", least=80)
        yield Figure("one of them, CPU of all processes", (self.cpu() - before) / REPEATS / 200 * 1000, "ms")

    def cpu(self) -> float:
        """Return the CPU seconds of client, scheduler, workers, and what they started and waited for."""
        roots = [psutil.Process(process.pid) for process in self.cluster.processes.values()]
        there = [process for root in roots for process in (root, *root.children(recursive=True))]
        return time.process_time() + sum(map(_spent, there))

    def at_once(self) -> float:
        jobs = [self.job(self.there, f"echo {n}") for n in range(200)]
        start = time.perf_counter()
        running = [self.there.start(what) for what in jobs]
        said = ["".join(e.text for e in one.events() if isinstance(e, Output)) for one in running]
        seconds = time.perf_counter() - start
        assert said == [f"{n}\n" for n in range(200)]
        return 200 / seconds

    def log(self) -> Figure:
        count = 1_000_000
        seconds, events, what = self.run(self.there, f"seq -f 'line number %.0f of many' {count}")
        log = (Path(what.log_dir) / "run.log").read_text().splitlines()
        assert log == [f"line number {n} of many" for n in range(1, count + 1)]
        assert sum(e.lines for e in events if isinstance(e, Output)) == count
        return Figure("1,000,000 lines, complete and in order", count / seconds, "lines/s", least=200_000)

    def files(self) -> Iterator[Figure]:
        pids = {"client": os.getpid(), "scheduler": self.cluster.processes["scheduler"].pid}
        pids |= {f"worker {name}": self.cluster.pid(name) for name in ("a", "b")}
        before = {name: _peak(pid, forget=True) for name, pid in pids.items()}
        yield Figure("256 MB in", max(self.sent() for _ in range(REPEATS)), "MB/s", least=150)
        yield Figure("256 MB out", max(self.fetched() for _ in range(REPEATS)), "MB/s", least=200)
        for name, pid in pids.items():
            more = (_peak(pid) - before[name]) / 1e6
            yield Figure(f"memory at its peak above that before, {name}", more, "MB", most=128)  # some chunks of 8 MB

    def sent(self) -> float:
        big, some = self.folder / "big", os.urandom(1 << 20)
        with open(big, "wb") as file:
            for n in range(SIZE >> 20):
                file.write(some[n:] + some[:n])
        start = time.time()
        _, events, _ = self.run(self.there, "test -s in", inputs={"in": {"source": str(big)}})
        return SIZE / 1e6 / (next(e.at for e in events if isinstance(e, Started)) - start)

    def fetched(self) -> float:
        _, events, what = self.run(self.there, f"truncate -s {SIZE} out; echo made", outputs=("out",))
        seconds = time.time() - next(e.at for e in events if isinstance(e, Output))
        (Path(what.log_dir) / "files" / "out").unlink()
        return SIZE / 1e6 / seconds

    def cancelled(self) -> Figure:
        took = []
        for _ in range(15):
            running = self.there.start(self.job(self.there, TREE))
            stopped = 0.0
            for event in running.events():
                if isinstance(event, Output) and "ready" in event.text:
                    stopped = time.perf_counter()
                    running.stop()
            took.append(time.perf_counter() - stopped)
        return Figure("cancel, until a tree that dies on TERM is dead", statistics.median(took) * 1000, "ms", most=100)


def _spent(process: psutil.Process) -> float:
    """A guardian that has just ended is counted with its parent."""
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.NoSuchProcess:
        return 0.0


def _peak(pid: int, *, forget: bool = False) -> int:
    """Return the most memory that a process held (bytes), since it was last forgotten."""
    if forget:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
