"""A job that runs on a worker, as its client sees it: the same events, the same log, the same files as at home."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.child import Child
from kestra_magic.process.events import Lost, Queued, Requeued, Started
from kestra_magic.runners.dask.cluster import UNREACHED
from kestra_magic.runners.dask.packed import Packed
from kestra_magic.runners.dask.parcels import Copy
from kestra_magic.runners.dask.remote import AT_ONCE, CHUNK, WINDOW, Remote
from kestra_magic.runners.job import Found, Job
from kestra_magic.settings import current
from kestra_magic.workspace.directory import WorkDirectory
from kestra_magic.workspace.transfer import make_private, naming, new_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from kestra_magic.process.events import Event, Reason
    from kestra_magic.runners.dask.cluster import Cluster

__all__ = ["DaskRunning"]

SALVAGE_SECONDS = 10.0
"""How long a worker may take to tell the end of a log, and the machine of a dead one to offer another that can."""
_SALVAGE = Remote("kestra_magic.runners.dask.remains", "salvage")


class Gone(Exception):
    """A worker does not answer any more."""


class Mirror(Child):
    """Reads a log that is written elsewhere, as it reads one that is written here."""

    where = ""

    def _tell(self, *events: Event) -> None:
        super()._tell(*(replace(e, where=self.where) if isinstance(e, Started) else e for e in events))

    def queue(self, reason: str) -> None:
        self._tell(Queued(reason=reason, at=time.time(), **self._stamp))


class DaskRunning:
    """A job on a worker.

    Attributes:
        worker: its name, and *address* its address; empty as long as none has taken it.
    """

    def __init__(self, cluster: Cluster, job: Job, choices: Sequence[Sequence[str]], reason: str) -> None:
        self.worker = self.address = ""
        self._cluster = cluster
        self._job = job
        self._lock = threading.RLock()
        self._copy = Copy(Path(job.log_dir))
        self._mirror = _mirror(job)
        self._mirror.queue(reason)
        self._failure = self._unreached = ""
        self._again = self._finishing = False
        self._key = ""
        self._unacked = 0
        self._found = Found({})
        self._packed = Packed(job)
        self._futures: dict[str, Any] = {}
        with self._lock:
            self._submit(choices)

    def _submit(self, choices: Sequence[Sequence[str]]) -> None:
        name = f"{self._job.name}-{self._job.task_run}-{self._job.attempt}"
        self._keys = [f"{name}-{number}" if number else name for number in range(len(choices))]
        for key, groups in zip(self._keys, choices, strict=True):
            self._cluster.live[key] = self
            self._cluster.submit(key, groups, partial(self._asked, key))

    def _asked(self, key: str, future: Any) -> None:
        with self._lock:
            if self._mirror.ended.is_set() or self.address:
                future.release()
            else:
                self._futures[key] = future

    # Running

    @property
    def ended(self) -> bool:
        return self._mirror.ended.is_set()

    def events(self) -> Iterator[Event]:
        """Yield what happens, to the end.

        Raises:
            KestraMagicError: it could not run there.
        """
        for event in self._mirror.events():
            if isinstance(event, Lost) and self._failure:
                raise KestraMagicError(self._failure)
            yield event
            if isinstance(event, Lost) and self._again:
                yield Requeued(task_run=event.task_run, attempt=event.attempt, at=event.at, reason=event.reason)

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None:
        with self._lock:
            if self._mirror.ended.is_set():
                return
            if not self.address:
                self._end({"exited": time.time(), "code": 143, "reason": reason})
                return
        self._cluster.post(self.address, "stop", self._forget, key=self._key, grace=grace, reason=reason)

    def collect(self) -> Found:
        return self._found

    # What the cluster says, in its loop

    def begin(self, key: str, worker: dict[str, str]) -> bytes | None:
        """A worker has a thread for it: return the job, unless it is not wanted, or another was faster."""
        with self._lock:
            if self._mirror.ended.is_set() or self.address:
                return None
            self._key, self.address, self.worker = key, worker["worker"], worker["name"]
            self._mirror.where = self.worker
            for other in set(self._keys) - {key}:
                self._cluster.live.pop(other, None)
                if future := self._futures.pop(other, None):
                    future.release()
            return self._packed.data

    async def supply(self, worker: str, addresses: list[str]) -> None:
        """Send large input files to a worker that has not got them."""
        try:
            for address in addresses:
                await self._packed.send(address, partial(self._cluster.tell, worker, "put"))
        except UNREACHED:
            pass  # it is gone: the scheduler will say so
        except KestraMagicError as error:
            self.refuse(str(error))

    # What the worker says, in the listening thread

    def hear(self, message: dict[str, Any]) -> None:
        if self._again:
            return  # what is still on its way is fetched from where it was written
        for piece in message.get("pieces", ()):
            self._copy.take(piece)
            self._acknowledge(len(piece.get("data", b"")))
        for said in message.get("said", (message,)):
            self._take(said)

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"refused": sentence}:
                self.refuse(sentence)
            case {"gone": reason}:
                if not self._finishing:
                    self._again = True
                    threading.Thread(target=self._lose, args=(reason,), daemon=True).start()
            case {"exited": _} | {"lost": _} if message.get("contents") is None and message.get("files"):
                self._finishing = True
                threading.Thread(target=self._finish, args=(self._after_its_words(message),), daemon=True).start()
            case {"exited": _} | {"lost": _}:
                self._finish(message)
            case _:
                self._mirror.take(message)

    def _after_its_words(self, message: dict[str, Any]) -> dict[str, Any]:
        """Tell what came with its end, which its files hold up; return what is left to be told."""
        words = {key: said for key, said in message.items() if key not in ("exited", "lost")}
        if "started" in words and not self._mirror.pid:
            self._mirror.take({key: said for key, said in words.items() if key != "notice"})
        if "notice" in words:
            self._mirror.take(words)
        return {**message, "text": []} if "text" in message else message

    def _acknowledge(self, size: int) -> None:
        self._unacked += size
        if self._unacked >= WINDOW // 4:
            self._cluster.post(self.address, "ack", key=self._key, size=self._unacked)
            self._unacked = 0

    def _finish(self, message: dict[str, Any]) -> None:
        """The tree has ended: fetch what it left, and only then tell."""
        try:
            self._found = self._fetched(message)
        except Gone as error:
            self._lose(f"worker `{self.worker}` was gone before its files were here ({error})")
            return
        except KestraMagicError as error:
            self.refuse(str(error))
            return
        if message.get("contents") is None:
            self._cluster.post(self.address, "done", key=self._key)
        self._end(message)

    def _fetched(self, message: dict[str, Any]) -> Found:
        files: dict[str, Path] = {}
        folder = WorkDirectory(Path(self._job.log_dir) / "files")
        contents = message.get("contents")
        for number, (name, size, mode) in enumerate(message.get("files", ())):
            pieces = self._pieces(name, size) if contents is None else [contents[number]]
            files[name] = _written(folder.resolve(name), mode, pieces)
        return Found(files, tuple(message.get("misses", ())))

    def _pieces(self, name: str, size: int) -> Iterator[memoryview]:
        ahead: deque[Future[memoryview]] = deque()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for offset in range(0, size, CHUNK):
                ahead.append(pool.submit(self._piece, name, offset, min(CHUNK, size - offset)))
                if len(ahead) > AT_ONCE:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _piece(self, name: str, offset: int, size: int) -> memoryview:
        """Fetch one; when one could not be had the others are not asked for: Dask tries for half a minute each."""
        if self._unreached:
            raise Gone(self._unreached)
        try:
            data = self._cluster.ask(self.address, "read", key=self._key, name=name, offset=offset, size=size)
        except UNREACHED as error:
            self._unreached = str(error) or type(error).__name__
            raise Gone(self._unreached) from None
        if data is None or len(data) < size:
            raise Gone(f"`{name}` ended early")
        return memoryview(data)

    # Its end

    def refuse(self, sentence: str) -> None:
        """It cannot run there: `events` says so."""
        with self._lock:
            if not self._mirror.ended.is_set():
                self._failure = sentence
                self._end({"lost": sentence})

    def _lose(self, reason: str) -> None:
        """Whoever ran it is gone: tell what can still be had of its log, and that it is to begin again."""
        self._again = True
        if self._mirror.ended.is_set():
            return
        if not self._salvaged():
            reason += f", and worker `{self.worker}` does not answer: the last lines of the log may be missing"
        self._end({"lost": reason})

    def _salvaged(self) -> bool:
        """Fetch what could not be told: from the worker itself, or another one of its machine, which has its disk."""
        if not self.address:
            return True
        if self._fetched_rest(partial(self._ask_rest, self.address)):
            self._cluster.post(self.address, "taken", key=self._key)
            return True
        until = time.monotonic() + SALVAGE_SECONDS
        while self._cluster.client.status == "running" and time.monotonic() < until:
            near = [w for w in self._cluster.workers() if _host(w) == _host(self.address) and w != self.address]
            if near:
                return self._fetched_rest(partial(self._salvage, near[0]))
            time.sleep(0.1)
        return False

    def _fetched_rest(self, ask: Callable[[], dict[str, Any] | None]) -> bool:
        """Take what is left of the log, part by part; return whether there was an answer."""
        while True:
            try:
                rest = ask()
            except (*UNREACHED, ImportError, KeyError, RuntimeError):  # RuntimeError: the client was closed meanwhile
                return False
            if rest is None:
                return False
            for piece in rest["pieces"]:
                self._copy.take(piece)
            if not rest["more"]:
                self._mirror.take(_counts(rest["status"]))
                return True

    def _ask_rest(self, worker: str) -> Any:
        told = self._copy.sizes()
        rest = self._cluster.ask(worker, "rest", SALVAGE_SECONDS, key=self._key, root=self._job.root, told=told)
        return rest or {"pieces": [], "more": False, "status": {}}  # it had written nothing

    def _salvage(self, worker: str) -> Any:
        return self._cluster.client.run(_SALVAGE, self._job.root, self._copy.sizes(), workers=[worker])[worker]

    def _forget(self) -> None:
        for future in self._futures.values():
            future.release()

    def _end(self, message: dict[str, Any]) -> None:
        with self._lock:
            if self._mirror.ended.is_set():
                return
            if self._copy.error and "exited" in message:
                message = {**message, "error": "; ".join(filter(None, (message.get("error"), self._copy.error)))}
            for key in self._keys:
                self._cluster.live.pop(key, None)
            if "lost" in message:
                self._mirror.lose(message["lost"])
            else:
                self._mirror.take(message)
        self._forget()


def _mirror(job: Job) -> Mirror:
    return Mirror(
        folder=Path(job.log_dir),
        grace=job.grace,
        budget=2 * current().head_bytes,
        detached=False,
        marker=0,
        task_run=job.task_run,
        attempt=job.attempt,
    )


def _counts(status: dict[str, Any]) -> dict[str, Any]:
    """A guardian's last words are no exit: its worker was gone before, and so is what it would have made of it."""
    return {key: value for key, value in status.items() if key != "exited"}


def _written(target: Path, mode: int, pieces: Iterable[bytes | memoryview]) -> Path:
    """Write a file that has its name only when it is whole."""
    with naming(target):
        make_private(target.parent)
        with new_file(target, mode) as file:
            file.writelines(pieces)
    return target


def _host(address: str) -> str:
    return address.rpartition(":")[0].partition("://")[2]
