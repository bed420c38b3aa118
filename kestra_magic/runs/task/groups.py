"""Worker groups: which runner a task is for (Kestra's ``WorkerGroupService``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.runners.workers import Workers
from kestra_magic.settings import current
from kestra_magic.stores.environments import Interpreter

if TYPE_CHECKING:
    from collections.abc import Callable

    from kestra_magic.model.tasks import Task
    from kestra_magic.runners.job import Runner
    from kestra_magic.runs.context import Context

__all__ = ["WORKER_PYTHON", "runner_for", "wanted"]

WORKER_PYTHON = Interpreter("python", Path())
"""A worker's own: it comes first on its PATH."""


def wanted(task: Task, flow: Any, render: Callable[[str], str]) -> Workers | None:
    """Return which workers *task* asks for, or its flow; None: it does not."""
    for holder in (task, flow):
        if (group := getattr(holder, "worker_group", None)) is not None:
            return Workers((group.key.resolve(render),), fallback=group.fallback or "WAIT")
        if (selector := getattr(holder, "worker_selector", None)) is not None:
            tags = tuple(selector.tags.resolve(render))
            return Workers(tags, selector.match or "ALL", selector.fallback or "FAIL") if tags else None
    return None


def runner_for(task: Task, context: Context, render: Callable[[str], str]) -> Runner:
    """Return who runs *task*: without a cluster its worker group is told, and it runs here.

    Raises:
        KestraMagicError: no scheduler answers, or the run is to be strict and there is none.
    """
    workers = wanted(task, context.flow, render)
    if workers is None:
        return context.runner
    address = current().worker_groups
    if address:
        return _on_cluster(address, workers, context)
    said = f"{workers} is a worker group, and no cluster is known: name one with `%kestra workers ADDRESS`"
    if context.wishes.strict:
        raise KestraMagicError(said)
    context.notices.append(f"{said}; it runs here")
    return context.runner


def _on_cluster(address: str, workers: Workers, context: Context) -> Runner:
    try:
        from kestra_magic.runners.dask.cluster import connect
        from kestra_magic.runners.dask.runner import DaskRunner
    except ImportError as error:
        raise KestraMagicError(f"worker groups need `pip install 'kestra-magic[dask]'` here ({error})") from None
    cluster = connect(address)
    if workers.fallback == "IGNORE" and not workers.offered(cluster.groups()):
        context.notices.append(f"{cluster.absent(workers, cluster.groups())}; it runs here (`fallback: IGNORE`)")
        return context.runner
    return DaskRunner(cluster, workers)
