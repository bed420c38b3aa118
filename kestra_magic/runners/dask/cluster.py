"""One connection to a Dask scheduler: one topic on which all its workers speak, and a way to answer each of them."""

from __future__ import annotations

import asyncio
import atexit
import logging
import queue
import threading
from collections import defaultdict, deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import distributed
from distributed.client import ClosedClientError
from distributed.comm.core import CommClosedError

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.runners.dask.remote import OP, Remote, unlike

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from distributed import Security

    from kestra_magic.runners.dask.running import DaskRunning
    from kestra_magic.runners.workers import Workers

__all__ = ["REMEDY", "UNREACHED", "Cluster", "connect", "disconnect"]

PATIENCE = 10.0
"""Seconds that a scheduler may take to answer, and to come back after it was lost."""
FIRST_WORD = 3.0
"""Seconds after which a worker that does not answer is spoken to through its scheduler."""
CROWD, TOGETHER = 8, 0.03
"""When more than so many wait for a thread, what comes next waits so many seconds for others to go with."""
ONE_WAY = ("ack", "answer", "done", "taken")
"""What needs no reply: if it was lost, so is the worker, and the scheduler says so."""
UNREACHED = (OSError, TimeoutError, CommClosedError)
connecting: Any = distributed.Client
"""Dask's client has no types to speak of."""
for _logger in ("batched", "client", "core", "utils"):  # what they would say of a lost connection, we say in a sentence
    logging.getLogger(f"distributed.{_logger}").setLevel(logging.CRITICAL)
_ATTEMPT = Remote("kestra_magic.runners.dask.room", "attempt")


class Cluster:
    """A scheduler, and this kernel's runs on its workers.

    Args:
        address: ``tcp://HOST:PORT`` or ``tls://HOST:PORT``.
        security: a `distributed.Security`; else what Dask's own configuration says.

    Raises:
        KestraMagicError: there is no such scheduler.
    """

    def __init__(self, address: str, security: Security | None = None) -> None:
        self.address = address
        self._security = security
        self.live: dict[str, DaskRunning] = {}
        self._said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._direct: dict[str, bool] = {}
        self._asked: deque[tuple[str, tuple[str, ...], Callable[[Any], object]]] = deque()
        self._handing_over = False
        self._answering: set[asyncio.Task[Any]] = set()
        self._groups: set[str] | None = None
        self.client = self._connected()
        threading.Thread(target=self._listen, name="kestra-magic-dask", daemon=True).start()

    def _connected(self) -> Any:
        try:
            client = connecting(self.address, timeout=PATIENCE, set_as_default=False, security=self._security)
        except (*UNREACHED, ValueError, TypeError, RuntimeError) as error:
            raise KestraMagicError(
                f"no Dask scheduler answers at `{self.address}`: {_why(error)}; start one with `dask scheduler`"
            ) from None
        self.topic = f"kestra-magic-{client.id}"
        client.subscribe_topic(self.topic, lambda event: self._hear(event[1]))
        client.subscribe_topic("all", lambda event: self._hear_of(event[1]))
        return client

    def ensure(self) -> None:
        """Connect anew if the scheduler was lost.

        Raises:
            KestraMagicError: it does not come back.
        """
        if self.client.status != "running":
            self._groups = None
            old, self.client = self.client, self._connected()
            threading.Thread(target=_close, args=(old,), daemon=True).start()

    def close(self) -> None:
        self._said.put({})
        _close(self.client)

    # What it offers

    def workers(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.client.scheduler_info(n_workers=-1)["workers"]
        return found

    def groups(self) -> set[str]:
        """Return the groups that are offered now: asked once, and again when a worker has come or gone."""
        if self._groups is None:
            self._groups = {group for worker in self.workers().values() for group in worker["resources"]}
        return self._groups

    def submit(self, key: str, groups: Iterable[str], take: Callable[[Any], object]) -> None:
        """Ask for a thread of a worker that offers all *groups*: it takes one of each, as many as it says it has.

        *take* gets the future, in the client's loop. What comes while others wait for a thread waits a moment with
        them: a graph of one task costs Dask as much as a graph of twenty.
        """
        self._asked.append((key, tuple(groups), take))
        self.client.loop.add_callback(self._hand_over)

    async def _hand_over(self) -> None:
        if self._handing_over:
            return
        self._handing_over = True
        if sum(not running.address for running in list(self.live.values())) > CROWD:
            await asyncio.sleep(TOGETHER)
        self._handing_over = False
        asked: defaultdict[tuple[str, ...], dict[str, Callable[[Any], object]]] = defaultdict(dict)
        while self._asked:
            key, groups, take = self._asked.popleft()
            asked[groups][key] = take
        for groups, takers in asked.items():
            self._send(groups, takers)

    def _send(self, groups: Iterable[str], takers: Mapping[str, Callable[[Any], object]]) -> None:
        keys = list(takers)
        what = {"key": keys, "pure": False, "resources": dict.fromkeys(groups, 1)}
        try:
            futures = self.client.map(_ATTEMPT, [self.topic] * len(keys), **what)
        except ClosedClientError:
            for key in keys:
                self._said.put({"key": key, "gone": self._lost})
            return
        for key, future in zip(keys, futures, strict=True):
            future.add_done_callback(partial(self._over, key))
            takers[key](future)

    # What workers say

    def _hear(self, message: dict[str, Any]) -> None:
        """In the client's loop: what needs an answer is answered from there, all else goes to the listening thread."""
        if "begin" in message:
            self._soon(self._begin(message))
        elif "need" in message:
            self._soon(self._supply(message))
        else:
            self._said.put(message)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _begin(self, message: dict[str, Any]) -> None:
        worker, key = message["begin"], message["key"]
        running = self.live.get(key)
        job = None
        if running is not None and unlike(message["version"]):
            running.refuse(f"worker `{worker['name']}` has kestra-magic {message['version']}: {REMEDY}")
        elif running is not None:
            job = await asyncio.to_thread(running.begin, key, worker)
        with suppress(*UNREACHED):  # it is gone: the scheduler will say so
            await self.tell(worker["worker"], "answer", key=key, job=job)

    async def _supply(self, message: dict[str, Any]) -> None:
        running = self.live.get(message["key"])
        if running is not None:
            await running.supply(message["worker"], message["need"])

    def _hear_of(self, message: dict[str, Any]) -> None:
        """What the scheduler says to all: a worker has come, or is gone."""
        if message.get("action") in ("add-worker", "remove-worker"):
            self._groups = None
        if message.get("action") == "remove-worker":
            self._direct.pop(message["worker"], None)
            for key, running in list(self.live.items()):
                if running.address == message["worker"]:
                    self._said.put({"key": key, "gone": f"worker `{running.worker}` is gone"})

    def _over(self, key: str, future: Any) -> None:
        """Its task has ended, of which the attempt itself should have told."""
        if key in self.live:
            self._said.put({"key": key, **_ending(future, self._lost)})

    @property
    def _lost(self) -> str:
        return f"the connection to the scheduler `{self.address}` was lost"

    def _listen(self) -> None:
        while message := self._said.get():
            running = self.live.get(message["key"])
            if running is not None:
                running.hear(message)

    # What is said to workers

    async def tell(self, worker: str, do: str, **what: Any) -> Any:
        """Say something to a worker's room: directly where it is reachable, else through the scheduler.

        Raises:
            OSError: it is not there.
        """
        known = self._direct.get(worker)
        if known:
            return await _call(self.client.rpc(worker), do, {"reply": do not in ONE_WAY, **what})
        if known is None:
            try:
                answer = await asyncio.wait_for(_call(self.client.rpc(worker), do, what), FIRST_WORD)
                self._direct[worker] = True
                return answer
            except UNREACHED:
                self._direct[worker] = False
        if self.client.status != "running":
            raise CommClosedError(self._lost)
        message = {"op": OP, "do": do, **what}
        return (await self.client.scheduler.broadcast(msg=message, workers=[worker]))[worker]

    def post(self, worker: str, do: str, otherwise: Callable[[], object] = lambda: None, **what: Any) -> None:
        """Say something from any thread, and do not wait; do *otherwise* if the worker is not there."""

        async def posted() -> None:
            try:
                await self.tell(worker, do, **what)
            except UNREACHED:
                otherwise()

        self.client.loop.add_callback(posted)

    def ask(self, worker: str, do: str, seconds: float | None = None, **what: Any) -> Any:
        """Say something and return the answer.

        Raises:
            OSError: it is not there, or does not answer within *seconds*.
        """
        return self.client.sync(self.tell, worker, do, callback_timeout=seconds, **what)

    # What is amiss

    def absent(self, wanted: Workers, offered: set[str]) -> str:
        """Say that nobody offers what is *wanted*; a group that is offered, but not together with the others, is."""
        others = [group for group in offered if group not in wanted.tags]
        near = next((near for tag in wanted.tags if tag not in offered and (near := did_you_mean(tag, others))), "")
        known = ", ".join(f"`{group}`" for group in sorted(offered)) or "no group"
        return f"no worker at `{self.address}` offers {wanted}: it offers {known}{near}"


REMEDY = "install there what is here: `pip install 'kestra-magic[dask]'`"


async def _call(rpc: Any, do: str, what: Mapping[str, Any]) -> Any:
    return await getattr(rpc, OP)(do=do, **what)


def _close(client: Any) -> None:
    with suppress(Exception):  # it is lost: what matters is that its threads end
        client.close(timeout=2)


def _why(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _ending(future: Any, lost: str) -> dict[str, Any]:
    """Return what a task's end means for whoever has not heard of the attempt's own end."""
    if future.status == "error":
        error = future.exception()
        if isinstance(error, ImportError):
            return {"refused": f"a worker has no kestra-magic, or an older one ({_why(error)}): {REMEDY}"}
        if type(error).__name__ == "KilledWorker":
            return {"refused": f"the workers that ran it died one after the other: {_why(error)}"}
        return {"refused": f"a worker failed: {type(error).__name__}: {_why(error)}"}
    if future.status == "cancelled":
        return {"gone": lost}
    return {"gone": "its worker was stopped"}


_clusters: dict[str, Cluster] = {}
_connecting = threading.Lock()


def connect(address: str, security: Security | None = None) -> Cluster:
    """Return the connection to a scheduler; made when first asked for.

    Raises:
        KestraMagicError: there is no such scheduler.
    """
    with _connecting:
        if address not in _clusters:
            _clusters[address] = Cluster(address, security)
        return _clusters[address]


def disconnect(address: str) -> None:
    """Close the connection to a scheduler; what runs there through it ends."""
    with _connecting:
        cluster = _clusters.pop(address, None)
    if cluster is not None:
        cluster.close()


@atexit.register
def _close_all() -> None:
    for address in list(_clusters):
        disconnect(address)
