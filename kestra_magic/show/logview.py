"""A run's log as the console asks for it: pages, levels, searches; each answer bounded in lines, bytes and time."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from kestra_magic.show.ansi import ESCAPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kestra_magic.process.logs import LogFile, LogLine
    from kestra_magic.show.flowlog import FlowLog

    Row = list[float | str]

__all__ = ["LEVELS", "LogView", "level_of"]

LEVELS = ("", "TRACE", "DEBUG", "INFO", "WARN", "ERROR")
STDERR = 8
OVER = 16
SHOWN_CHARS = 2_000
WHOLE_BYTES = 1 << 20
COPY_CHARS = 5_000_000
SLICE = 5_000
MOST_HITS = 200_000
_WORD = re.compile(
    r"\b(?:(?P<ERROR>ERROR|CRITICAL|FATAL|SEVERE|Traceback \(most recent call last\)|\w*(?:Error|Exception)(?=:))"
    r"|(?P<WARN>WARN(?:ING)?|\w*Warning(?=:))|(?P<INFO>INFO)|(?P<DEBUG>DEBUG)|(?P<TRACE>TRACE))\b"
    r"|^(?P<error>error|fatal)(?=:)|^(?P<warn>warning)(?=:)"
)
LOOKED_AT = 200


def level_of(text: str) -> int:
    """Return the index in `LEVELS` that the beginning of a line says of itself; 0 if it says none."""
    found = _WORD.search(text, 0, LOOKED_AT)
    return LEVELS.index(str(found.lastgroup).upper()) if found else 0


class LogView:
    """Reads the log that *find* returns, or none yet; many threads may ask.

    Lines are looked at once, as they are needed: a byte of each keeps its level and its stream.
    """

    def __init__(self, find: Callable[[], LogFile | FlowLog | None]) -> None:
        self._find = find
        self._flags = bytearray()
        self._counts: Counter[int] = Counter()
        self._lock = threading.RLock()

    @property
    def count(self) -> int:
        with self._lock:
            log = self._find()
            with suppress(FileNotFoundError):  # it was removed: `%kestra clean`
                return log.count if log else 0
            return 0

    @property
    def levels(self) -> dict[str, int]:
        """Lines of each level, among those looked at so far."""
        return {
            level: sum(count for flags, count in self._counts.items() if flags & 7 == n)
            for n, level in enumerate(LEVELS)
            if n
        }

    @property
    def stderr(self) -> int:
        return sum(count for flags, count in self._counts.items() if flags & STDERR)

    @property
    def drawn_over(self) -> int:
        """Lines that were drawn over by the next one: earlier states of progress bars."""
        return sum(count for flags, count in self._counts.items() if flags & OVER)

    def page(self, first: int, count: int) -> list[Row]:
        """Return ``[flags, at, text]`` of each line, and its size in characters where the text is cut."""
        return [_row(line) for line in self._lines(first, count)]

    def whole(self, index: int) -> tuple[str, int]:
        """Return a line up to 1 MB, and the characters that it has."""
        text = next((line.text for line in self._lines(index, 1)), "")
        return text[:WHOLE_BYTES], len(text)

    def look(self, seconds: float, upto: int) -> bool:
        """Look at lines not looked at yet for about *seconds*; return whether some are left."""
        until = time.monotonic() + seconds
        while len(self._flags) < upto and time.monotonic() < until:
            if not self._look_at(upto):
                break
        return len(self._flags) < upto

    def search(self, text: str, level: str, first: int, *, seconds: float = 0.3) -> tuple[list[int], int]:
        """Return the lines from *first* on that hold *text* and reach *level*, and where to go on."""
        hits: list[int] = []
        until = time.monotonic() + seconds
        total = self.count
        while first < total and time.monotonic() < until and len(hits) < MOST_HITS:
            lines = self._lines(first, min(SLICE, total - first))
            if not lines:
                break
            hits += [first + n for n, line in enumerate(lines) if _fits(line, text, level)]
            first += len(lines)
        return hits, first

    def copy(self, text: str, level: str) -> tuple[str, int, int]:
        """Return the last lines that fit, how many these are, and of how many."""
        found = [_plain(line.text) for line in self._all() if _fits(line, text, level)]
        kept: list[str] = []
        size = 0
        for line in reversed(found):
            size += len(line) + 1
            if size > COPY_CHARS:
                break
            kept.append(line)
        return "\n".join(reversed(kept)), len(kept), len(found)

    def _all(self) -> Iterator[LogLine]:
        for first in range(0, self.count, SLICE):
            yield from self._lines(first, SLICE)

    def _lines(self, first: int, count: int) -> list[LogLine]:
        with self._lock:
            log = self._find()
            with suppress(FileNotFoundError):
                return log.lines(first, count) if log else []
            return []

    def _look_at(self, upto: int) -> int:
        with self._lock:
            first = len(self._flags)
            lines = self._lines(first, min(SLICE, upto - first))
            flags = bytes(_flags(line) for line in lines)
            self._flags += flags
            self._counts.update(flags)
        return len(lines)


def _flags(line: LogLine) -> int:
    return level_of(line.text) | (STDERR if line.stream == "stderr" else 0) | (OVER if line.over else 0)


def _row(line: LogLine) -> Row:
    row: Row = [_flags(line), round(line.at, 3), line.text[:SHOWN_CHARS]]
    return [*row, len(line.text)] if len(line.text) > SHOWN_CHARS else row


def _plain(text: str) -> str:
    return ESCAPE.sub("", text)


def _fits(line: LogLine, text: str, level: str) -> bool:
    if (level == "stderr" and line.stream != "stderr") or (level == "settled" and line.over):
        return False
    if level in LEVELS[1:] and level_of(line.text) < LEVELS.index(level):
        return False
    return not text or text in _plain(line.text).lower()
