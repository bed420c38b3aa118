"""A log on disk, followed while it is written: what is new becomes Outputs, their text no more than a budget."""

from __future__ import annotations

import codecs
import heapq
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from kestra_magic.process.events import Output, Stream
from kestra_magic.process.lines import count_lines
from kestra_magic.process.recorder import FRAMES, INDEX, LOG, RECORD, STREAMS, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Piece = tuple[int, int, int, bytes]

__all__ = ["Tail", "segments"]

_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def _pread(file: int, size: int, at: int) -> bytes:
    if sys.platform == "win32":
        os.lseek(file, at, os.SEEK_SET)
        return os.read(file, size)
    return os.pread(file, size, at)


def segments(folder: Path) -> list[int]:
    """Return the offsets at which the files of a log begin, as far as they are kept: 0 for the first."""
    later = (p.name.removeprefix(f"{INDEX}.") for p in folder.glob(f"{INDEX}.*"))
    return [0, *sorted(int(name) for name in later if name.isdigit())]


@dataclass(slots=True)
class _Side:
    """What of one stream has been told."""

    stream: Stream
    left: int
    lines: int = 0
    size: int = 0
    open: str = ""
    decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))


class Tail:
    """Follows one run's log. Each notice of its guardian says how far it may be read.

    Args:
        budget: bytes of each stream that are told as text; what follows is only counted.
    """

    def __init__(self, folder: Path, budget: int, **stamp: Any) -> None:
        self._folder = folder
        self._stamp = stamp
        self._sides = {number: _Side(cast("Stream", STREAMS[number]), budget) for number in (1, 2)}
        self._first = 0
        self._at = 0
        self._log = self._index = self._frames = -1
        self._place: Place | None = None
        self._index_at = self._frames_at = 0

    def open(self) -> None:
        """Take hold of the files: from here on they may be renamed or removed.

        Raises:
            OSError: there are none.
        """
        self._place = Place(self._folder)
        self._open_segment(0)

    def close(self) -> None:
        for file in (self._log, self._index, self._frames):
            if file >= 0:
                os.close(file)
        self._log = self._index = self._frames = -1
        if self._place is not None:
            self._place.close()
            self._place = None

    def read(self, notice: dict[str, Any], *, last: bool = False) -> list[Output]:
        """Return what was written up to *notice*, in order: markers where they stood between the lines."""
        texts, frames = self._texts(notice), self._lifted(notice["frames"])
        found = list(heapq.merge(frames, texts, key=lambda o: o.offset))  # a marker stands before what follows it
        for number, side in self._sides.items():
            lines, size = notice["lines"][number - 1], notice["sizes"][number - 1]
            self._reconcile(found, side, lines - side.lines, size - side.size, notice)
            if last and (half := side.decoder.decode(b"", True)):
                found.append(self._output(side, notice["notice"], text=half))
            shown = self._opened(side, notice["open"][number - 1], found)
            found += [self._output(side, notice["notice"], kind="open", text=shown)] if shown else []
        return found

    def _output(self, side: _Side, at: float, **what: Any) -> Output:
        return Output(stream=side.stream, at=at, **what, **self._stamp)

    def _reconcile(self, found: list[Output], side: _Side, lines: int, size: int, notice: dict[str, Any]) -> None:
        """Count what was not told as text: beyond the budget, or the last line of a stream, which has no end."""
        if lines <= 0 and size <= 0:
            return
        side.lines += lines
        side.size += size
        last = next((i for i in reversed(range(len(found))) if self._is_text(found[i], side)), None)
        if size == 0 and last is not None:
            found[last] = replace(found[last], lines=found[last].lines + lines)
        else:
            found.append(self._output(side, notice["notice"], lines=lines, size=size, offset=notice["log"]))

    def _is_text(self, output: Output, side: _Side) -> bool:
        return output.stream == side.stream and output.kind == "lines"

    def _opened(self, side: _Side, text: str, found: list[Output]) -> str:
        shown = codecs.getincrementaldecoder("utf-8")("replace").decode(text.encode("latin-1"))
        fresh = shown != side.open or any(o.stream == side.stream for o in found)
        side.open = shown
        return shown if fresh else ""

    # The files

    def _texts(self, notice: dict[str, Any]) -> Iterator[Output]:
        for time, offset, number, data in self._told(notice) if "text" in notice else self._read(notice["log"]):
            side = self._sides[number]
            lines = count_lines(data)
            side.left -= len(data)
            side.size += len(data)
            side.lines += lines
            text = side.decoder.decode(data)
            yield self._output(side, time / 1e9, text=text, lines=lines, offset=offset, size=len(data))

    def _told(self, notice: dict[str, Any]) -> Iterator[Piece]:
        for time, offset, number, text in notice["text"]:
            if data := text.encode("latin-1")[: self._sides[number].left]:
                yield time, offset, number, data

    def _read(self, end: int) -> Iterator[Piece]:
        for time, offset, length, number, _, _ in self._records(end):
            if (left := self._sides[number].left) > 0:
                yield time, offset, number, _pread(self._log, min(length, left), offset - self._first)

    def _records(self, end: int) -> Iterator[tuple[int, ...]]:
        while self._index >= 0 and any(side.left > 0 for side in self._sides.values()):
            data = _pread(self._index, RECORD.size * 4096, self._index_at)
            data = data[: len(data) // RECORD.size * RECORD.size]
            if not data and not self._go_on(end):
                return
            for record in RECORD.iter_unpack(data):
                if record[1] >= end:
                    return
                self._index_at += RECORD.size
                self._at = record[1] + record[2]
                yield record

    def _go_on(self, end: int) -> bool:
        """Move to the next file of the log that is kept, if there is one."""
        if self._at >= end:
            return False
        following = [first for first in segments(self._folder) if self._at <= first < end and first > self._first]
        if not following:
            return False
        try:
            self._open_segment(following[0])
        except FileNotFoundError:  # it was dropped meanwhile
            self._at = following[0] + 1
        return True

    def _open_segment(self, first: int) -> None:
        end = f".{first}" if first else ""
        assert self._place is not None
        log, index = (self._place.open(f"{kind}{end}", _READ) for kind in (LOG, INDEX))
        for file in (self._log, self._index):
            if file >= 0:
                os.close(file)
        self._log, self._index, self._index_at, self._first = log, index, 0, first

    def _lifted(self, end: int) -> Iterator[Output]:
        if self._frames < 0 and self._place is not None and self._frames_at < end:
            with suppress(FileNotFoundError):  # read already, of a run that has ended
                self._frames = self._place.open(FRAMES, _READ)
        while self._frames >= 0 and self._frames_at < end:
            head = _pread(self._frames, RECORD.size, self._frames_at)
            if len(head) < RECORD.size:
                return
            time, offset, length, number, _, _ = RECORD.unpack(head)
            data = _pread(self._frames, length, self._frames_at + RECORD.size)
            self._frames_at += RECORD.size + length
            side = self._sides[number]
            side.lines += 1
            text = data.decode("utf-8", "replace")
            yield self._output(side, time / 1e9, kind="frame", text=text, lines=1, offset=offset, size=length)
