"""A run's log on disk, as it is written: whole lines in order of arrival, and an index that says whose they are.

``run.log`` holds the bytes, ``run.idx`` a record of 24 bytes for each stretch of one stream: time (ns since the epoch),
offset, length, stream (1 stdout, 2 stderr), flags. ``run.frames`` holds the lifted markers, each behind such a record
whose offset says where in the log it was written. A log that outgrows half its cap goes on in ``run.log.N`` and
``run.idx.N``, N being the offset of its first byte; of these only the last are kept.
"""

from __future__ import annotations

import json
import os
import struct
from time import time_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

__all__ = ["FRAMES", "INDEX", "LOG", "RECORD", "STATUS", "STREAMS", "Recorder", "read_status", "write_status"]

LOG = "run.log"
INDEX = "run.idx"
FRAMES = "run.frames"
STATUS = "status"
RECORD: Final = struct.Struct("<QQIBBH")
STREAMS = ("", "stdout", "stderr")
SEGMENTS = 4
_NEW = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Recorder:
    """Writes one run's log.

    Attributes:
        size: bytes written by the run so far; *lost* of them are kept nowhere.
        frames: bytes of the file of lifted markers.
        error: why the log is incomplete; empty if it is not.
    """

    def __init__(self, folder: str, cap: int) -> None:
        self.size = self.lost = self.frames = 0
        self.error = ""
        self._folder = folder
        self._head = max(cap // 2, 1)
        self._segment = max(cap // (2 * SEGMENTS), 1)
        self._limit = self._head
        self._ring: list[tuple[int, int]] = []
        self._first = 0
        self._record: list[int] = []
        self._log = self._open(LOG)
        self._index = self._open(INDEX)
        self._frames = self._open(FRAMES)

    def write(self, data: bytes, stream: int) -> None:
        """Append lines. A log that cannot be written is told in *error*; whoever writes to it is not held up."""
        while data and not self.error:
            room = self._limit - (self.size - self._first)
            part = data if len(data) <= room else data[: data.rfind(b"\n", 0, max(room, 0)) + 1]
            if not part and self.size == self._first:
                part = data[:room]
            if not part:
                self._next_segment()
                continue
            data = data[self._append(part, stream) :]
        if self.error:
            self.size += len(data)
            self.lost += len(data)

    def lift(self, data: bytes, stream: int) -> None:
        """Keep a marker, unmasked."""
        self.commit()
        record = RECORD.pack(time_ns(), self.size, len(data), stream, 1, 0) + data
        if self._put(self._frames, record) == len(record):
            self.frames += len(record)

    def commit(self) -> None:
        """Write down what the index does not know yet."""
        if self._record:
            self._put(self._index, RECORD.pack(*self._record, 0, 0))
            self._record = []

    def close(self) -> None:
        self.commit()
        for file in (self._log, self._index, self._frames):
            os.close(file)

    def _append(self, data: bytes, stream: int) -> int:
        record = self._record
        if not record or record[3] != stream or record[2] > 1 << 30:
            self.commit()
            self._record = record = [time_ns(), self.size, 0, stream]
        written = self._put(self._log, data)
        self.size += written
        record[2] += written
        return written

    def _put(self, file: int, data: bytes) -> int:
        """Return how many bytes could be written."""
        written = 0
        try:
            while written < len(data):
                written += os.write(file, data[written:] if written else data)
        except OSError as error:
            self.error = self.error or f"the log is incomplete: {error.strerror or error}"
        return written

    def _next_segment(self) -> None:
        self.commit()
        if self._first:
            self._ring.append((self._first, self.size))
        self._first, self._limit = self.size, self._segment
        try:
            self._reopen()
            if len(self._ring) >= SEGMENTS:
                self._drop(*self._ring.pop(0))
        except OSError as error:
            self.error = self.error or f"the log is incomplete: {error.strerror or error}"

    def _reopen(self) -> None:
        log, index = self._open(f"{LOG}.{self._first}"), self._open(f"{INDEX}.{self._first}")
        os.close(self._log)
        os.close(self._index)
        self._log, self._index = log, index

    def _drop(self, first: int, last: int) -> None:
        for name in (INDEX, LOG):
            os.unlink(os.path.join(self._folder, f"{name}.{first}"))
        self.lost += last - first

    def _open(self, name: str) -> int:
        return os.open(os.path.join(self._folder, name), _NEW, 0o600)


def read_status(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what `write_status` wrote; nothing before that, or where it cannot be read."""
    try:
        with open(os.path.join(folder, STATUS), encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError):
        return {}


def write_status(folder: str, status: dict[str, Any]) -> None:
    """Write down, whole or not at all, who watches over the run, or how it ended.

    Raises:
        OSError: it cannot be written.
    """
    path = os.path.join(folder, STATUS)
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(json.dumps(status))  # in one piece: much faster
    os.replace(f"{path}.new", path)
