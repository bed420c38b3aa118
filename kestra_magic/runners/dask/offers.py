"""Who offers what; and a cluster on this machine, to try it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import distributed

from kestra_magic import __version__
from kestra_magic.errors import KestraMagicError
from kestra_magic.runners.dask.cluster import REMEDY, disconnect
from kestra_magic.runners.dask.remote import Remote, unlike

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kestra_magic.runners.dask.cluster import Cluster

__all__ = ["Offer", "local", "offers", "stop_local"]

_OFFER = Remote("kestra_magic.runners.dask.remote", "offer")
_local: list[Any] = []
APART = ["import os; os.name == 'nt' or os.getpgrp() == os.getpid() or os.setsid()"]
"""Run by each local worker as it starts: interrupting a kernel signals its whole group, which must not end them."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One worker.

    Attributes:
        groups: what it offers, and how many tasks of each it takes at once.
        version: of its kestra-magic; empty if it has none.
    """

    name: str
    host: str
    threads: int
    groups: Mapping[str, float]
    version: str

    @property
    def problem(self) -> str:
        """Return why it cannot run anything, or nothing."""
        if not self.version:
            return f"worker `{self.name}` has no kestra-magic, or an older one: {REMEDY}"
        if unlike(self.version):
            return f"worker `{self.name}` has kestra-magic {self.version}, here is {__version__}: {REMEDY}"
        return ""


def offers(cluster: Cluster) -> list[Offer]:
    """Return the workers that are there now, by name."""
    cluster.ensure()
    versions = cluster.client.run(_OFFER, on_error="return")
    found = [
        Offer(
            name=str(worker["name"]),
            host=address.rpartition(":")[0].partition("://")[2],
            threads=int(worker["nthreads"]),
            groups=dict(worker["resources"]),
            version=said if isinstance(said := versions.get(address), str) else "",
        )
        for address, worker in cluster.workers().items()
    ]
    return sorted(found, key=lambda offer: offer.name)


def local(count: int, group: str, threads: int = 2) -> str:
    """Start a scheduler and *count* workers on this machine, which end with this kernel; return its address.

    Raises:
        KestraMagicError: they do not start.
    """
    stop_local()
    making: Any = distributed.LocalCluster
    try:
        made = making(
            n_workers=count,
            threads_per_worker=threads,
            resources={group: threads},
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
            memory_limit=0,
            preload=APART,
        )
        made.wait_for_workers(count, timeout=120)
    except (OSError, RuntimeError, TimeoutError) as error:
        raise KestraMagicError(f"the workers do not start: {error}") from None
    _local.append(made)
    return str(made.scheduler_address)


def stop_local() -> None:
    """End what `local` started."""
    while _local:
        made = _local.pop()
        disconnect(str(made.scheduler_address))
        made.close()
