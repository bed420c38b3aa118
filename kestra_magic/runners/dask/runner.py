"""On other machines: which workers a task is for, and the runner that gives it to them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kestra_magic.errors import KestraMagicError
from kestra_magic.runners.dask.running import DaskRunning
from kestra_magic.settings import current

if TYPE_CHECKING:
    from kestra_magic.runners.dask.cluster import Cluster
    from kestra_magic.runners.job import Job

__all__ = ["DaskRunner", "NoWorker", "Workers"]


class NoWorker(KestraMagicError):
    """No worker offers what the task asks for, and it does not want to wait for one."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Which workers: those that offer all of the *tags*, or any of them; and what happens when there is none.

    Kestra 1.x writes ``workerGroup: {key, fallback}``, 2.0 ``workerSelector: {tags, match, fallback}``.
    """

    tags: tuple[str, ...]
    match: Literal["ALL", "ANY"] = "ALL"
    fallback: Literal["FAIL", "WAIT", "CANCEL", "IGNORE"] = "WAIT"

    def choices(self) -> list[tuple[str, ...]]:
        """Return what may be asked for: each a set of groups that one worker has to offer."""
        return [(tag,) for tag in self.tags] if self.match == "ANY" else [self.tags]


class DaskRunner:
    """Runs jobs on the workers of a cluster.

    A worker offers a group as a Dask resource of that name; a task takes one of it, so ``gpu=2`` is two at a time.
    """

    def __init__(self, cluster: Cluster, workers: Workers) -> None:
        self.cluster = cluster
        self.workers = workers

    def root(self, run: str) -> Path:
        return Path(current().worker_root) / run

    def start(self, job: Job) -> DaskRunning:
        """Give *job* to the cluster.

        Raises:
            NoWorker: nobody offers what it asks for.
            KestraMagicError: there is no scheduler any more, or the job can only run here.
        """
        _portable(job)
        self.cluster.ensure()
        os.makedirs(job.log_dir, mode=0o700, exist_ok=True)
        return DaskRunning(self.cluster, job, self.workers.choices(), self._absent())

    def _absent(self) -> str:
        """Return why it will have to wait, or nothing."""
        offered = self.cluster.groups()
        wanted = [tag for tag in self.workers.tags if tag not in offered]
        if not wanted or (self.workers.match == "ANY" and len(wanted) < len(self.workers.tags)):
            return ""
        said = self.cluster.absent(wanted, offered)
        if self.workers.fallback == "WAIT":
            return said
        raise NoWorker(f"{said}; with `fallback: WAIT` it would wait for one")


def _portable(job: Job) -> None:
    if job.here:
        raise KestraMagicError("`--here` means this notebook's own folder, which no worker has: leave one of them out")
    if job.background == "keep" or job.detach:
        raise KestraMagicError("what runs on a worker ends with this kernel: it cannot be kept or detached")
