"""On a worker: the attempts that run there, and how it hears what their clients say."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from distributed import Worker, WorkerPlugin, get_worker

from kestra_magic.runners.dask.attempt import Attempt
from kestra_magic.runners.dask.cache import Cache
from kestra_magic.runners.dask.remains import forget, salvage
from kestra_magic.runners.dask.remote import OP, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Room", "attempt"]

LAST_WORDS = 10.0
"""Seconds that a worker which ends waits for its trees to be gone, and for clients to take what they wrote."""
KEPT = 60.0
"""Seconds that a client has to ask for what an attempt wrote that could not be told."""
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


@dataclass(frozen=True, slots=True)
class Kept:
    """What an ended attempt wrote: below *root*, until it is taken."""

    root: str
    delivered: bool
    since: float = field(default_factory=time.monotonic)
    taken: threading.Event = field(default_factory=threading.Event)


class Room(WorkerPlugin):
    """One worker's attempts, by their keys."""

    name = "kestra-magic"

    def __init__(self) -> None:
        self.attempts: dict[str, Attempt] = {}
        self.kept: dict[str, Kept] = {}

    def setup(self, worker: Worker) -> None:
        self.worker = worker
        self.cache = Cache(Path(worker.local_directory) / "kestra-magic")
        worker.handlers[OP] = self.hear

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002
        """The worker ends: so do its trees; the clients see that it is gone, ask for what is left, and begin again."""
        until = time.monotonic() + LAST_WORDS
        ending = list(self.attempts.values())
        for one in ending:
            one.give_up()
        await asyncio.to_thread(_wait, [one.ended for one in ending], until)
        fresh = [kept.taken for kept in list(self.kept.values()) if kept.since > until - 2 * LAST_WORDS]
        await asyncio.to_thread(_wait, fresh, until)

    def transition(self, key: object, start: str, finish: str, **_: Any) -> None:  # noqa: ARG002
        """A task was forgotten: while it ran, nobody wants it any more; when it had ended, its client has it all."""
        if finish != "released":
            return
        if one := self.attempts.get(str(key)):
            one.give_up()
        elif (kept := self.kept.get(str(key))) and kept.delivered:
            asyncio.get_running_loop().run_in_executor(None, self.forget, str(key))

    def wanted(self, key: str) -> bool:
        """Whether the scheduler still wants what runs under *key*."""
        task = self.worker.state.tasks.get(key)
        return task is not None and task.state in ("executing", "long-running")

    def wake(self) -> None:
        for one in list(self.attempts.values()):
            one.wake()

    def keep(self, key: str, root: str, *, delivered: bool) -> None:
        """The log of an attempt stays until its client, to whom all was *delivered*, lets go of *key*.

        If it was not, the scheduler has let go of the key, or is gone: then its client may ask for the rest directly.
        """
        self.kept[key] = Kept(root, delivered)
        if not delivered:
            loop = _loop(self.worker)
            going = partial(loop.run_in_executor, None, self.forget, key)
            loop.call_soon_threadsafe(loop.call_later, KEPT, going)

    def forget(self, key: str) -> None:
        if kept := self.kept.pop(key, None):
            forget(Path(kept.root))
            kept.taken.set()

    def _rest(self, key: str, root: str, told: dict[str, int]) -> dict[str, Any] | None:
        """Return the next part of what an attempt wrote and could not tell; its client says when it has the last."""
        rest = salvage(root, told)
        if rest is None:
            self.forget(key)
        return rest

    async def hear(self, do: str, key: str = "", **what: Any) -> Any:
        """What a client says: about an attempt, a part of an input file, or that it wants a part of an output."""
        if do == "put":
            await asyncio.to_thread(self.cache.put, **what)
            self.wake()
            return None
        if do == "rest":
            if ending := self.attempts.get(key):
                ending.give_up()
                await asyncio.to_thread(ending.ended.wait, LAST_WORDS)
            return await asyncio.to_thread(self._rest, key, **what)
        if do == "taken":
            await asyncio.to_thread(self.forget, key)
            return None
        one = self.attempts.get(key)
        if one is None:
            return None
        return whole(await asyncio.to_thread(one.read, **what)) if do == "read" else _said(one)[do](**what)

    def describe(self) -> dict[str, str]:
        return {"worker": str(self.worker.address), "name": str(self.worker.name)}


def _wait(events: Iterable[threading.Event], until: float) -> None:
    for event in events:
        event.wait(max(0.0, until - time.monotonic()))


def _said(one: Attempt) -> Mapping[str, Any]:
    return {"answer": one.answer, "stop": one.stop, "ack": one.ack, "done": one.done}
