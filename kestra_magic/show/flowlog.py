"""The logs of a flow's tasks as one: lines by arrival, each with its task's name; a line's number never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from kestra_magic.process.logs import LogFile, LogLine

__all__ = ["FlowLog"]


class _Stretch(NamedTuple):
    """Lines of one file that came while nobody else's were counted."""

    start: int
    name: str
    file: LogFile
    first: int
    size: int


class FlowLog:
    """Reads the logs that *find* returns by task, more of them as the flow goes on. Not for many threads at once."""

    def __init__(self, find: Callable[[], Iterable[tuple[str, LogFile]]]) -> None:
        self._find = find
        self._stretches: list[_Stretch] = []
        self._read: dict[Path, int] = {}

    @property
    def count(self) -> int:
        for name, file in list(self._find()):
            known, now = self._read.get(file.folder, 0), file.count
            if now > known:
                self._stretches.append(_Stretch(self._total, name, file, known, now - known))
                self._read[file.folder] = now
        return self._total

    @property
    def _total(self) -> int:
        return self._stretches[-1].start + self._stretches[-1].size if self._stretches else 0

    def lines(self, first: int = 0, count: int | None = None) -> list[LogLine]:
        """Return *count* lines from number *first* on, fewer at the end."""
        end = self._total if count is None else min(self._total, first + count)
        found: list[LogLine] = []
        for start, name, file, at, size in self._stretches:
            begin, until = max(first, start), min(end, start + size)
            if begin < until:
                lines = file.lines(at + begin - start, until - begin)
                found += [line._replace(text=f"{name} │ {line.text}") for line in lines]
        return found
