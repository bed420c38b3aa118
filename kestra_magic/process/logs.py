"""A run's log, read: by line, by stream, from its end; also while it is written. See `recorder` for its files."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kestra_magic.process.lines import LINE_END, count_lines
from kestra_magic.process.recorder import INDEX, LOG, RECORD, STREAMS
from kestra_magic.process.tail import segments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LogFile", "LogLine"]

BLOCK = 1 << 16
JOINED = "run.whole.log"


class LogLine(NamedTuple):
    """One line without its end. *stream* is empty for a line that states a gap; *at* is seconds since the epoch.

    What ended in a carriage return was drawn *over* by the next one: an earlier state of a progress bar.
    """

    text: str
    stream: str
    at: float
    over: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of the log that is kept, or the words for one that is not; *start* is its place in what is read."""

    start: int
    size: int
    first: int
    path: Path | None
    words: bytes = b""

    def read(self, at: int, size: int) -> bytes:
        if self.path is None:
            return self.words[at : at + size]
        with open(self.path, "rb") as file:
            file.seek(at)
            return file.read(max(0, min(size, self.size - at)))  # its index may know of more by now

    def records(self) -> list[tuple[int, ...]]:
        """Return (time, offset, length, stream, …) of each stretch; a torn last record is dropped."""
        if self.path is None:
            return []
        try:
            data = self.path.with_name(self.path.name.replace(LOG, INDEX, 1)).read_bytes()
        except FileNotFoundError:  # it is made right behind its log, and goes right before it
            return []
        return list(RECORD.iter_unpack(data[: len(data) // RECORD.size * RECORD.size]))


class LogFile:
    """What a run wrote, as far as it is kept. Lines are counted from 0; lifted markers are not among them.

    Args:
        folder: where ``run.log`` lies, or will lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._counts: list[int] = [0]
        self._counted: tuple[int, ...] = ()

    @property
    def path(self) -> Path:
        """The log as one file. Where it was capped, head and tail are joined, and the gap is stated between them."""
        parts = self._parts()
        if len(parts) < 2:
            return self.folder / LOG
        joined = self.folder / JOINED
        if not joined.exists() or joined.stat().st_size != _size(parts):
            with open(joined, "wb") as file:
                file.writelines(_stretch(parts, 0, _size(parts)))
        return joined

    @property
    def count(self) -> int:
        """The number of lines, an unfinished last one included."""
        parts = self._parts()
        ends = self._index(parts)
        last = b"".join(_stretch(parts, max(0, _size(parts) - 1), 1))
        return ends + (last not in (b"", b"\n", b"\r"))

    def lines(self, first: int = 0, count: int | None = None) -> list[LogLine]:
        """Return *count* lines from number *first* on, fewer at the end."""
        parts = self._parts()
        self._index(parts)
        block = max(0, bisect_left(self._counts, first) - 1)
        found: list[LogLine] = []
        number = self._counts[block]
        whose = _Whose(parts)
        for at, line in _whole_lines(parts, block * BLOCK):
            if count is not None and len(found) >= count:
                break
            if number >= first:
                found.append(_line(line, *whose(at)))
            number += 1
        return found

    def text(self, stream: str | None = None) -> str:
        """Return all that was written, or all of one stream, and where something is not kept the words that say so."""
        return b"".join(self._written(stream)).decode("utf-8", "replace")

    def tail(self, stream: str | None = None, lines: int = 200) -> str:
        """Return the last *lines*; of lines without end the last thousand bytes each, and 64 KB in all cases."""
        found: list[bytes] = []
        ends = size = 0
        most = (64 << 10) + 1000 * lines
        for data in self._written(stream, backwards=True):
            found.append(data)
            ends, size = ends + count_lines(data), size + len(data)
            if ends > lines or size >= most:
                break
        kept = _lines_of(b"".join(reversed(found))[-most:])
        return b"".join(kept[-lines:] if lines else []).decode("utf-8", "replace")

    def search(self, pattern: str, *, limit: int = 10_000) -> list[int]:
        """Return the numbers of the lines that *pattern*, a regular expression, is found in.

        Raises:
            re.error: it is not one.
        """
        wanted = re.compile(pattern.encode())
        lines = enumerate(_whole_lines(self._parts(), 0))
        hits = (number for number, (_, line) in lines if wanted.search(line.rstrip(b"\r\n")))
        return [number for number, _ in zip(hits, range(limit), strict=False)]

    def _parts(self) -> list[_Part]:
        found: list[_Part] = []
        start = end = 0
        for first in segments(self.folder):
            path = self.folder / (f"{LOG}.{first}" if first else LOG)
            if not path.exists():
                continue
            if first > end:
                words = _gap(first - end, found)
                found.append(_Part(start, len(words), end, None, words))
                start += len(words)
            size = path.stat().st_size
            found.append(_Part(start, size, first, path))
            start, end = start + size, first + size
        return found

    def _index(self, parts: list[_Part]) -> int:
        """Count the line ends before each block, going on from last time; return how many there are in all."""
        known = tuple(part.first for part in parts)
        if known != self._counted:
            self._counts, self._counted = [0], known
        at = (len(self._counts) - 1) * BLOCK
        ends, before = self._counts[-1], b"".join(_stretch(parts, max(0, at - 1), min(at, 1)))
        while data := b"".join(_stretch(parts, at, BLOCK)):
            ends += count_lines(data) - (before == b"\r" and data.startswith(b"\n"))
            at, before = at + len(data), data[-1:]
            if len(data) < BLOCK:
                break
            self._counts.append(ends)
        return ends

    def _written(self, stream: str | None, *, backwards: bool = False) -> Iterator[bytes]:
        parts = self._parts()
        for part in reversed(parts) if backwards else parts:
            if part.path is None:
                yield part.words
                continue
            stretches = _stretches(part)
            for at, size, number in reversed(stretches) if backwards else stretches:
                if stream is None or STREAMS[number] == stream:
                    yield from _pieces(part, at, size, backwards=backwards)


def _stretches(part: _Part) -> list[tuple[int, int, int]]:
    """Return place, size and stream of what a file holds; what its index does not know yet goes to who came last."""
    found = [(offset - part.first, length, number) for _, offset, length, number, *_ in part.records()]
    at, size, number = found[-1] if found else (0, 0, 1)
    return [*found, (at + size, part.size - at - size, number)] if at + size < part.size else found


def _pieces(part: _Part, at: int, size: int, *, backwards: bool) -> Iterator[bytes]:
    places = range(at, at + size, BLOCK)
    for place in reversed(places) if backwards else places:
        yield part.read(place, min(BLOCK, at + size - place))


class _Whose:
    """Which stream wrote what stands at a place, and when."""

    def __init__(self, parts: list[_Part]) -> None:
        self._known = [
            (part.start + offset - part.first, STREAMS[number], time / 1e9)
            for part in parts
            for time, offset, _, number, *_ in part.records() or [(0, part.first, 0, 0)]
        ]
        self._places = [place for place, _, _ in self._known]

    def __call__(self, place: int) -> tuple[str, float]:
        _, stream, at = self._known[max(0, bisect_right(self._places, place) - 1)]
        return stream, at


def _gap(size: int, before: list[_Part]) -> bytes:
    words = f"… {size:,} bytes not kept …\n".encode()
    last = before[-1].read(before[-1].size - 1, 1) if before else b"\n"
    return words if last == b"\n" else b"\n" + words


def _size(parts: list[_Part]) -> int:
    return parts[-1].start + parts[-1].size if parts else 0


def _stretch(parts: list[_Part], at: int, size: int) -> Iterator[bytes]:
    for part in parts:
        if size > 0 and part.start <= at < part.start + part.size:
            for place in range(at - part.start, min(part.size, at - part.start + size), 1 << 20):
                data = part.read(place, min(1 << 20, size))
                at, size = at + len(data), size - len(data)
                yield data


def _whole_lines(parts: list[_Part], at: int) -> Iterator[tuple[int, bytes]]:
    """Yield place and bytes of each line from *at* on."""
    held, place, size = b"", at, _size(parts)
    while at < size:
        data = b"".join(_stretch(parts, at, BLOCK))
        if not data:
            break
        at += len(data)
        *whole, held = _lines_of(held + data, keep_last=at < size)
        for line in whole:
            yield place, line
            place += len(line)
    if held:
        yield place, held


def _line(raw: bytes, stream: str, at: float) -> LogLine:
    return LogLine(raw.rstrip(b"\r\n").decode("utf-8", "replace"), stream, at, raw.endswith(b"\r"))


def _lines_of(data: bytes, *, keep_last: bool = False) -> list[bytes]:
    """Cut into lines with their ends; with *keep_last* what comes last is unfinished, also a \\r at the end."""
    found, told = [], 0
    for end in LINE_END.finditer(data):
        if keep_last and end.end() == len(data) and end[0] == b"\r":
            break
        found.append(data[told : end.end()])
        told = end.end()
    return [*found, data[told:]] if told < len(data) or keep_last else found
