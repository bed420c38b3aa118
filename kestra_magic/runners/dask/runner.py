"""On other machines: jobs go to the workers of a Dask cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError
from kestra_magic.runners.dask.running import DaskRunning
from kestra_magic.runners.workers import NoWorker
from kestra_magic.settings import current
from kestra_magic.workspace.transfer import make_private

if TYPE_CHECKING:
    from collections.abc import Callable

    from kestra_magic.runners.dask.cluster import Cluster
    from kestra_magic.runners.job import Job
    from kestra_magic.runners.workers import Workers

__all__ = ["DaskRunner"]


class DaskRunner:
    """Runs jobs on the workers of a cluster.

    A worker offers a group as a Dask resource of that name; a task takes one of it, so ``gpu=2`` is two at a time.
    """

    def __init__(self, cluster: Cluster, workers: Workers) -> None:
        self.cluster = cluster
        self.workers = workers

    def root(self, run: str) -> Path:
        return Path(current().worker_root) / run

    def start(self, job: Job, ready: Callable[[], object] = bool) -> DaskRunning:
        """Give *job* to the cluster; *ready* is called before.

        Raises:
            NoWorker: nobody offers what it asks for.
            KestraMagicError: there is no scheduler any more, or the job can only run here.
        """
        _portable(job)
        self.cluster.ensure()
        make_private(Path(job.log_dir))
        ready()
        return DaskRunning(self.cluster, job, self.workers.choices(), self._absent())

    def attach(self, job: Job) -> DaskRunning:
        """There is none to attach to.

        Raises:
            KestraMagicError: what ran on a worker ended with the kernel that asked for it.
        """
        raise KestraMagicError(f"`{job.name}` ran on a worker, and ended with the kernel that had asked for it")

    def _absent(self) -> str:
        """Return why it will have to wait, or nothing."""
        offered = self.cluster.groups()
        if self.workers.offered(offered):
            return ""
        said = self.cluster.absent(self.workers, offered)
        if self.workers.fallback == "WAIT":
            return said
        cancelled = self.workers.fallback == "CANCEL"
        raise NoWorker(f"{said}; with `fallback: WAIT` it would wait for one", cancelled=cancelled)


def _portable(job: Job) -> None:
    if job.here:
        raise KestraMagicError("`--here` means this notebook's own folder, which no worker has: leave one of them out")
    if job.background == "keep" or job.detach:
        raise KestraMagicError("what runs on a worker ends with this kernel: it cannot be kept or detached")
