"""A Dask cluster of real processes on this machine: a scheduler, and workers that share nothing with the client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.process.survivors import wait_until

__all__ = ["TestCluster"]

DASK = (sys.executable, "-m", "dask.__main__")
CONFIG = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "6s", "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "warning"}


class TestCluster:
    """Starts with one scheduler; its processes write to files in *folder*, and end with `close`."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._port = 0
        self.start_scheduler()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self._port}"

    def start_scheduler(self) -> None:
        """Start it, again on the same port if there was one."""
        said = self.folder / "scheduler.json"
        said.unlink(missing_ok=True)
        port = ("--port", str(self._port))
        self._start(
            "scheduler", "scheduler", "--host", "127.0.0.1", *port, "--scheduler-file", str(said), "--no-dashboard"
        )
        assert wait_until(lambda: said.exists() and said.read_text().endswith("}"), 60), self.log("scheduler")
        self._port = int(json.loads(said.read_text())["address"].rpartition(":")[2])

    def start_worker(self, name: str, resources: str, *more: str, threads: int = 2) -> None:
        own = ("--local-directory", str(self.folder / f"{name}-space"), "--resources", resources, "--no-dashboard")
        self._start(name, "worker", self.address, "--name", name, "--nthreads", str(threads), *own, *more)

    def _start(self, name: str, *words: str) -> None:
        home = self.folder / f"{name}-home"
        home.mkdir(exist_ok=True)
        env = {**os.environ, **CONFIG, "HOME": str(home), "TMPDIR": str(home)}
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [*DASK, *words],
                cwd=home,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to the process that was started; with a nanny this is the nanny."""
        self.processes[name].send_signal(number)

    def worker_pid(self, name: str, info: dict[str, Any]) -> int:
        """Return the process that is the worker itself."""
        return next(worker["pid"] for worker in info.values() if worker["name"] == name)

    def close(self) -> None:
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
                process.terminate()
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
