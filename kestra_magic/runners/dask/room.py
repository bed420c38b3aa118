"""On a worker: the attempts that run there, and how it hears what their clients say."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from distributed import Worker, WorkerPlugin, get_worker

from kestra_magic.runners.dask.attempt import Attempt
from kestra_magic.runners.dask.cache import Cache
from kestra_magic.runners.dask.remote import OP, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Room", "attempt"]

LAST_WORDS = 2.0
"""Seconds that a worker which ends waits for its trees to be gone."""
_making = threading.Lock()


def attempt(topic: str) -> None:
    """Run one attempt on the worker whose thread this is: what, its client says when it is told that it begins."""
    worker = get_worker()
    key = str(worker.get_current_task())
    one = Attempt(room_of(worker), key, topic)
    one.run()


def room_of(worker: Worker) -> Room:
    """Return the worker's room; made when first asked for, so that no cluster has to be prepared."""
    with _making:
        if Room.name not in worker.plugins:
            made = asyncio.run_coroutine_threadsafe(worker.plugin_add(Room(), Room.name), _loop(worker))
            made.result()
        return cast("Room", worker.plugins[Room.name])


def _loop(worker: Worker) -> asyncio.AbstractEventLoop:
    loop: Any = worker.loop
    return cast("asyncio.AbstractEventLoop", loop.asyncio_loop)


class Room(WorkerPlugin):
    """One worker's attempts, by their keys."""

    name = "kestra-magic"

    def __init__(self) -> None:
        self.attempts: dict[str, Attempt] = {}

    def setup(self, worker: Worker) -> None:
        self.worker = worker
        self.cache = Cache(Path(worker.local_directory) / "kestra-magic")
        worker.handlers[OP] = self.hear

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002
        """The worker ends: so do its trees; the clients see that it is gone and run them elsewhere."""
        ending = list(self.attempts.values())
        for one in ending:
            one.give_up(keep=True)
        await asyncio.to_thread(lambda: [one.ended.wait(LAST_WORDS) for one in ending])

    def transition(self, key: object, start: str, finish: str, **_: Any) -> None:  # noqa: ARG002
        """A task was forgotten while it ran: nobody wants it, or nobody is left to want it."""
        if finish == "released" and (one := self.attempts.get(str(key))):
            one.give_up()

    def wanted(self, key: str) -> bool:
        """Whether the scheduler still wants what runs under *key*."""
        task = self.worker.state.tasks.get(key)
        return task is not None and task.state in ("executing", "long-running")

    def wake(self) -> None:
        for one in list(self.attempts.values()):
            one.wake()

    async def hear(self, do: str, key: str = "", **what: Any) -> Any:
        """What a client says: about an attempt, a part of an input file, or that it wants a part of an output."""
        if do == "put":
            await asyncio.to_thread(self.cache.put, **what)
            self.wake()
            return None
        one = self.attempts.get(key)
        if one is None:
            return None
        return whole(await asyncio.to_thread(one.read, **what)) if do == "read" else _said(one)[do](**what)

    def describe(self) -> dict[str, str]:
        return {"worker": str(self.worker.address), "name": str(self.worker.name)}


def _said(one: Attempt) -> Mapping[str, Any]:
    return {"answer": one.answer, "stop": one.stop, "ack": one.ack, "done": one.done}
