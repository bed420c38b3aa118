"""One attempt on a worker: the same process room as at home, its log and its files told to the client.

It begins by asking: the scheduler knows no more than a key, the job comes from the client itself. So nothing large and
nothing secret lies in a scheduler, and what was begun once is never begun again behind the client's back.
"""

from __future__ import annotations

import math
import os
import pickle
import queue
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic import __version__
from kestra_magic.errors import KestraMagicError
from kestra_magic.process import supervise
from kestra_magic.process.child import Child
from kestra_magic.runners.dask.parcels import Parcels
from kestra_magic.runners.dask.remains import claim, log_folder, private
from kestra_magic.runners.dask.remote import EVENT, WINDOW
from kestra_magic.runners.job import Job
from kestra_magic.runners.local import command, declared, furnish
from kestra_magic.workspace.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kestra_magic.runners.dask.room import Room
    from kestra_magic.runners.job import Found

__all__ = ["Attempt"]


BREATH = 0.004
"""Seconds of silence after which what was said is handed on."""


class Unwanted(Exception):
    """Nobody waits for this attempt any more."""


class Stopped(Exception):
    """Its client stopped it before it had started."""


class Relay(Child):
    """Hands on what the guardian says, instead of reading it."""

    said: queue.SimpleQueue[dict[str, Any]]

    def __init__(self, **what: Any) -> None:
        super().__init__(**what)
        self.said = queue.SimpleQueue()

    def take(self, message: dict[str, Any]) -> None:
        if "heard" in message:
            self.answer_by = math.inf
            return
        if "started" in message and "exited" not in message:
            self._meet(message)
        if not self.ended.is_set():
            self.said.put(message)
        if "exited" in message or "lost" in message:
            self.again = bool(message.get("again"))
            self._end()

    def heard(self) -> list[dict[str, Any]]:
        """Wait for what is said next; a short command's start, words and end are said in one breath."""
        said = [self.said.get()]
        with suppress(queue.Empty):
            while "exited" not in said[-1] and "lost" not in said[-1]:
                said.append(self.said.get(timeout=BREATH))
        return said

    def lose(self, reason: str) -> None:
        self.take({"lost": reason})


class Attempt:
    """One attempt.

    Attributes:
        ended: set when nothing of it lives any more on this worker.
    """

    def __init__(self, room: Room, key: str, topic: str) -> None:
        self.ended = threading.Event()
        self._room = room
        self._key = key
        self._topic = topic
        self._news = threading.Condition()
        self._unwanted = self._fetched = self._delivered = False
        self._answer: tuple[bytes | None] | None = None
        self._stop: dict[str, Any] | None = None
        self._relay: Relay | None = None
        self._on_the_way = 0
        self._found: Mapping[str, Path] = {}

    # What the room says

    def answer(self, job: bytes | None) -> None:
        """This is the job; None: it is not wanted, or done elsewhere."""
        with self._news:
            self._answer = self._answer or (job,)
            self._news.notify_all()

    def stop(self, grace: float | None, reason: str) -> None:
        with self._news:
            self._stop = {"grace": grace, "reason": reason}
            self._news.notify_all()
            relay = self._relay
        if relay is not None:
            relay.stop(**self._stop)

    def ack(self, size: int) -> None:
        """The client has written down so many bytes of the log."""
        with self._news:
            self._on_the_way -= size
            self._news.notify_all()

    def done(self) -> None:
        """The client has fetched all files."""
        with self._news:
            self._fetched = True
            self._news.notify_all()

    def wake(self) -> None:
        with self._news:
            self._news.notify_all()

    def read(self, name: str, offset: int, size: int) -> memoryview:
        """Return a part of a file that the job declared."""
        with open(self._found[name], "rb") as file:
            return memoryview(os.pread(file.fileno(), size, offset))

    def give_up(self) -> None:
        """Nobody can be told of it: its tree ends now. What it wrote is kept a while: its client may ask for it."""
        with self._news:
            self._unwanted = True
            self._news.notify_all()
            relay = self._relay
        if relay is not None:
            relay.stop(grace=0, reason="kernel")

    # Its life, in a thread of the worker

    def run(self) -> None:
        self._room.attempts[self._key] = self
        try:
            self._say({"begin": self._room.describe(), "version": __version__})
            self._wait(lambda: self._answer)
            assert self._answer is not None
            if self._answer[0] is not None:
                self._execute(pickle.loads(self._answer[0]))  # noqa: S301 - from whom may run anything here anyway
        except Unwanted:
            pass
        finally:
            self._room.cache.release(self._key)
            del self._room.attempts[self._key]
            self.ended.set()
            self._room.wake()

    def _execute(self, given: dict[str, Any]) -> None:
        job = Job(**{**given["job"], "log_dir": str(log_folder(given["job"]["root"]))})
        try:
            self._run(job, given["addresses"], given["log_cap"])
        except KestraMagicError as error:
            self._say({"refused": str(error)})
        except Stopped:
            assert self._stop is not None
            self._say({"exited": time.time(), "code": 143, "reason": self._stop["reason"]})
        finally:
            remove_tree(Path(job.root))
            self._room.keep(self._key, job.root, delivered=self._delivered)
            if self._delivered and self._unwanted:
                self._room.forget(self._key)

    def _run(self, job: Job, addresses: Mapping[str, str], log_cap: int) -> None:
        private(Path(job.root).parent)
        self._supply(list(addresses.values()))
        sources = {name: str(self._room.cache.path(address)) for name, address in addresses.items()}
        job = replace(job, inputs=tuple(replace(p, source=sources.get(p.name, "")) for p in job.inputs))
        claim(Path(job.root))
        furnish(job)
        what = command(replace(job, env={**_own_python(), **job.env}))
        relay = supervise.start_as(Relay, replace(what, log_cap=log_cap))
        with self._news:
            self._relay = relay
            stop, unwanted = self._stop, self._unwanted
        if unwanted or stop:
            relay.stop(**(stop or {"grace": 0, "reason": "kernel"}))
        try:
            self._hand_on(relay, job)
        finally:
            relay.ended.wait()

    def _supply(self, addresses: list[str]) -> None:
        """See to it that all large input files are here."""

        def here() -> bool:
            if self._stop:
                raise Stopped
            if missing := self._room.cache.claim(addresses, self._key):
                self._say({"need": missing, "worker": str(self._room.worker.address)})
            return self._room.cache.holds(addresses)

        self._wait(here)

    def _hand_on(self, relay: Relay, job: Job) -> None:
        parcels = Parcels(Path(job.log_dir))
        while True:
            said = relay.heard()
            ended = "exited" in said[-1] or "lost" in said[-1]
            pieces = self._send(parcels) if ended or any("notice" in one for one in said) else []
            if ended:
                break
            self._say({"said": said}, pieces)
            relay.say({"more": 1})
        if self._unwanted:
            raise Unwanted
        self._deliver(said, pieces, declared(job))

    def _send(self, parcels: Parcels) -> list[dict[str, Any]]:
        """Send what the log has got; return the last pieces, which may travel with what is said next."""
        held: list[dict[str, Any]] = []
        size = 0
        for piece in parcels.new():
            more = len(piece.get("data", b""))
            self._wait(lambda: self._on_the_way < WINDOW)
            with self._news:
                self._on_the_way += more
            if size + more > EVENT:
                self._say({}, held)
                held, size = [], 0
            held.append(piece)
            size += more
        return held

    def _deliver(self, said: list[dict[str, Any]], pieces: list[dict[str, Any]], found: Found) -> None:
        """Tell the end, with what was left; large files stay until the client has fetched them."""
        self._found = found.files
        facts = {name: os.stat(path) for name, path in found.files.items()}
        files = [(name, fact.st_size, fact.st_mode & 0o777) for name, fact in facts.items()]
        small = sum(size for _, size, _ in files) <= EVENT and len(files) <= 100
        contents = [path.read_bytes() for path in found.files.values()] if small else None
        left = {"files": files, "contents": contents, "misses": found.misses}
        self._say({"said": [*said[:-1], {**said[-1], **left}]}, pieces)
        self._delivered = True
        if not small:
            self._wait(lambda: self._fetched)

    def _say(self, message: Mapping[str, Any], pieces: Sequence[Mapping[str, Any]] = ()) -> None:
        self._room.worker.log_event(self._topic, {"key": self._key, "pieces": list(pieces), **message})

    def _wait(self, true: Callable[[], object]) -> None:
        """Wait until something is *true*.

        Raises:
            Unwanted: nobody waits for it any more.
        """
        with self._news:
            while not true():
                if self._unwanted or not self._room.wanted(self._key):
                    raise Unwanted
                self._news.wait(5.0)


def _own_python() -> dict[str, str]:
    """A worker's Python is the one that its scripts mean."""
    own, path = os.path.dirname(sys.executable), os.environ.get("PATH", "")
    return {} if own in path.split(os.pathsep) else {"PATH": os.pathsep.join(filter(None, (own, path)))}
