"""An execution as it goes on: streams for speed, plain answers for truth.

A server reads its store, *then* listens to its queue: what is said in between is in no stream, and a stream that was
cut starts over. So every stream is only a first telling; the store is read whenever one was cut and at the end, and
each line is told as often as the store, or any one stream, has it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from kestra_magic.runners.kestra.client import ServerError, Unreachable, segment
from kestra_magic.runners.kestra.executions import ENDED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kestra_magic.runners.kestra.client import EventStream
    from kestra_magic.runners.kestra.executions import Execution

__all__ = ["Away", "Follower", "Line", "Lines", "Source", "Told", "View", "Whole"]

PATIENCE = 300.0
"""Seconds that a server may be away before what becomes of the execution counts as unknown."""
LOOK_SECONDS = 5.0
SETTLE_SECONDS = 15.0
SETTLE_PAUSE = 0.3


@dataclass(frozen=True, slots=True)
class View:
    """The execution as it is now."""

    execution: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A log entry."""

    entry: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Whole:
    """At the end: every log entry in the order of the server's store."""

    entries: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Away:
    """The server does not answer (a sentence says why), or does again (empty)."""

    why: str


Told = View | Line | Whole | Away


class Lines:
    """Which log entries were told already: each as often as any one source has it."""

    def __init__(self) -> None:
        self.told: Counter[int] = Counter()

    @property
    def count(self) -> int:
        return self.told.total()


class Source:
    """One telling of the log from its beginning: a stream, or the whole store."""

    def __init__(self, lines: Lines, *, stream: bool) -> None:
        self._told = lines.told
        self._here: Counter[int] = Counter()
        self._replayed: set[tuple[int, str]] | None = set() if stream else None

    def is_new(self, entry: Mapping[str, Any]) -> bool:
        """Whether *entry* was not told yet, by this source or another."""
        if entry.get("message") is None:  # what opens a stream, or says only how far a task is
            return False
        key = hash((entry.get("taskRunId"), entry.get("attemptNumber"), entry.get("level"), entry["message"]))
        if self._replayed is not None:  # a stream may tell an entry of the store again from the queue
            once = (key, str(entry.get("timestamp"))[:26])  # stores keep microseconds, queues nanoseconds
            if once in self._replayed:
                return False
            self._replayed.add(once)
        self._here[key] += 1
        if self._here[key] <= self._told[key]:
            return False
        self._told[key] = self._here[key]
        return True


class Follower:
    """Follows one execution to its end, also across restarts of the server."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.lines = Lines()
        self.queue: SimpleQueue[Told | ServerError] = SimpleQueue()
        self.streams: list[EventStream] = []
        self.left: ServerError | None = None
        self.over = False
        self.away = False
        self.lock = threading.Lock()

    def told(self) -> Iterator[Told]:
        """Yield what happens until the execution has ended.

        Raises:
            Unreachable: the server was away for longer than `PATIENCE`.
            ServerError: it no longer knows the execution, or takes the credentials no more; or `leave` said so.
        """
        yield View(self._look())
        for work in (self._follow_states, self._follow_logs):
            threading.Thread(target=self._quietly, args=(work,), name="kestra-follow", daemon=True).start()
        try:
            while not self.execution.ended:
                yield from self._next()
        finally:
            self._hang_up()
        yield from self._settled()
        yield View(self._look())

    def leave(self, why: ServerError) -> None:
        """Stop following, also while the server is away; the execution goes on there."""
        self.left = why
        self.queue.put(why)

    def _next(self) -> Iterator[Told]:
        """A stream can die without a word: so the state is asked for when nothing was told for a while."""
        try:
            told = self.queue.get(timeout=LOOK_SECONDS)
        except Empty:
            told = View(self._look())
        if isinstance(told, ServerError):
            raise told
        if isinstance(told, View):
            self.execution.seen = told.execution
        yield told

    def _hang_up(self) -> None:
        with self.lock:
            self.over = True
            streams, self.streams = self.streams, []
        for stream in streams:
            stream.hang_up()

    def _quietly(self, work: Callable[[], None]) -> None:
        try:
            work()
        except ServerError as error:
            self.queue.put(error)

    # Two streams, each opened again when it was cut

    def _follow_states(self) -> None:
        while not self.over:
            for data in self._stream(f"/executions/{segment(self.execution.id)}/follow"):
                if data.get("state"):
                    self.queue.put(View(data))
                    if data["state"]["current"] in ENDED:
                        return
            self._pause()
            if not self.over:
                self.queue.put(View(self._look()))

    def _follow_logs(self) -> None:
        while not self.over:
            self._tell_lines(self._lines(), stream=True)
            self._pause()
            if not self.over:
                self._tell_lines(self._patient(self.execution.logs), stream=False)

    def _lines(self) -> Iterator[Mapping[str, Any]]:
        """What was said before the server listened is in its store: read as soon as it does listen."""
        listens = False
        for entry in self._stream(f"/logs/{segment(self.execution.id)}/follow"):
            if not listens:
                self._tell_lines(self._patient(self.execution.logs), stream=False)
            listens = True
            yield entry

    def _stream(self, path: str) -> Iterator[Mapping[str, Any]]:
        stream = self.execution.client.events(path)
        with self.lock:
            if self.over:
                return
            self.streams.append(stream)
        try:
            for _name, data in stream:
                yield data
        except Unreachable:  # the next question says whether the server is away, or only this stream was cut
            return

    def _pause(self) -> None:
        """A server that ends its streams at once is not asked without a pause."""
        time.sleep(0.1)

    def _tell_lines(self, entries: Iterable[Mapping[str, Any]], *, stream: bool) -> None:
        source = Source(self.lines, stream=stream)
        for entry in entries:
            with self.lock:  # what counts as told is in the queue: whoever reads it last misses nothing
                if self.over:
                    return
                if source.is_new(entry):
                    self.queue.put(Line(entry))

    # Plain answers

    def _look(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._patient(self.execution.look)
        return found

    def _patient(self, ask: Callable[[], Any]) -> Any:
        why: Unreachable | None = None
        for n in self.execution.client.patiently(PATIENCE):
            if self.left:
                raise self.left
            try:
                said = ask()
            except Unreachable as error:
                why = error
                if n:  # a single refusal is a hiccup
                    self._tell_away(str(error))
                continue
            self._tell_away("")
            return said
        raise Unreachable(f"{why}; `{self.execution.id}` may go on there: `%kestra attach {self.execution.id}`")

    def _tell_away(self, why: str) -> None:
        with self.lock:
            if bool(why) != self.away:
                self.away = bool(why)
                self.queue.put(Away(why))

    def _settled(self) -> Iterator[Told]:
        """The store is behind the execution: it is read until nothing comes any more and nothing told is missing."""
        yield from self._left()
        end = time.monotonic() + SETTLE_SECONDS
        before = -1
        stored: list[dict[str, Any]] = []
        while time.monotonic() < end:
            stored = self._patient(self.execution.logs)
            source = Source(self.lines, stream=False)
            yield from (Line(entry) for entry in stored if source.is_new(entry))
            if len(stored) == before and before >= self.lines.count:
                break
            before = len(stored)
            time.sleep(SETTLE_PAUSE)
        yield Whole(stored)

    def _left(self) -> Iterator[Told]:
        while not self.queue.empty():
            told = self.queue.get()
            if isinstance(told, Line):
                yield told
