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

from kestra_magic.runners.dask.cluster import connect, disconnect
from tests.process.survivors import wait_until

__all__ = ["TestCluster"]

DASK = (sys.executable, "-m", "dask.__main__")
CONFIG = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "warning"}


class TestCluster:
    """Its processes write to files in *folder*, and end with `close`; *workers* are names and what each offers.

    Args:
        patience: after so long a worker that is not heard of counts as gone.
        pem: certificate and key of everyone; then all speak TLS.
    """

    __test__ = False

    def __init__(self, folder: Path, workers: dict[str, str], patience: str = "5m", pem: Path | None = None) -> None:
        self.folder = folder
        self.workers = workers
        self.patience = patience
        self.pem = pem
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._port = 0

    def heal(self) -> None:
        """Start what does not run, and wait until all workers are there."""
        assert wait_until(self._healed, 120), [self.log(name) for name in self.processes]

    def _healed(self) -> bool:
        """Workers end when their scheduler has: those that are just ending are started again as well."""
        if not self.lives("scheduler"):
            disconnect(self.address)
            self.start_scheduler()
        for name, resources in self.workers.items():
            if not self.lives(name):
                self.start_worker(name, resources)
        return self.info().keys() >= self.workers.keys()

    def lives(self, name: str) -> bool:
        return name in self.processes and self.processes[name].poll() is None

    def info(self) -> dict[str, dict[str, Any]]:
        """Return the workers that the scheduler knows, by name."""
        return {str(worker["name"]): worker for worker in connect(self.address).workers().values()}

    @property
    def address(self) -> str:
        return f"{'tls' if self.pem else 'tcp'}://127.0.0.1:{self._port}"

    @property
    def _tls(self) -> tuple[str, ...]:
        pem = str(self.pem)
        return ("--tls-ca-file", pem, "--tls-cert", pem, "--tls-key", pem) if self.pem else ()

    def start_scheduler(self) -> None:
        """Start it, again on the same port if there was one."""
        said = self.folder / "scheduler.json"
        said.unlink(missing_ok=True)
        port = ("--port", str(self._port), *self._tls, *(("--protocol", "tls") if self.pem else ()))
        self._start(
            "scheduler", "scheduler", "--host", "127.0.0.1", *port, "--scheduler-file", str(said), "--no-dashboard"
        )
        assert wait_until(lambda: said.exists() and said.read_text().endswith("}"), 60), self.log("scheduler")
        self._port = int(json.loads(said.read_text())["address"].rpartition(":")[2])

    def start_worker(self, name: str, resources: str, *more: str, threads: int = 2) -> None:
        """Start a worker with its nanny."""
        own = (
            "--local-directory",
            str(self.folder / f"{name}-space"),
            "--resources",
            resources,
            "--no-dashboard",
            *self._tls,
        )
        self._start(name, "worker", self.address, "--name", name, "--nthreads", str(threads), *own, *more)

    def _start(self, name: str, *words: str) -> None:
        home = self.folder / f"{name}-home"
        home.mkdir(exist_ok=True)
        env = {
            **os.environ,
            **CONFIG,
            "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": self.patience,
            "HOME": str(home),
            "TMPDIR": str(home),
        }
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

    def address_of(self, name: str) -> str:
        return next(a for a, worker in connect(self.address).workers().items() if worker["name"] == name)

    def pid(self, name: str) -> int:
        """Return the process that is the worker itself; what was started is its nanny."""
        found = connect(self.address).client.run(os.getpid, workers=[self.address_of(name)])
        return int(next(iter(found.values())))

    def close(self) -> None:
        disconnect(self.address)
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
