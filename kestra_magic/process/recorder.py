"""A run's log on disk, as it is written: whole lines in order of arrival, and an index that says whose they are.

``run.log`` holds the bytes, ``run.idx`` a record of 24 bytes for each stretch of one stream: time (ns since the epoch),
offset, length, stream (1 stdout, 2 stderr), flags. A stream's first bytes after another's have their record before they
are there; bytes without any are the last one's, and at the beginning of a file stdout's. ``run.frames``, made with the
first, holds the lifted markers, each behind such a record whose offset says where in the log it was written. A log
that outgrows half its cap goes on in ``run.log.N`` and ``run.idx.N``, N being the offset of its first byte; of these
only the last are kept.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from contextlib import suppress
from time import time_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

__all__ = [
    "FRAMES",
    "INDEX",
    "LOG",
    "RECORD",
    "STATUS",
    "STREAMS",
    "Place",
    "Recorder",
    "expect_status",
    "read_status",
    "write_status",
]

LOG = "run.log"
INDEX = "run.idx"
FRAMES = "run.frames"
STATUS = "status"
RECORD: Final = struct.Struct("<QQIBBH")
STREAMS = ("", "stdout", "stderr")
SEGMENTS = 4
SMALL = 4096
"""Bytes up to which all that was written is told with the end."""
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

if sys.platform == "win32":
    _FOLDER = 0
else:
    _FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Place:
    """A folder that is held: what is opened in it is found also when it has another name by then.

    Raises:
        OSError: there is none.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = folder
        self._held = os.open(folder, _FOLDER) if _FOLDER else None

    def open(self, name: str, flags: int) -> int:
        """Return a descriptor of the file *name* (0600 if it is new)."""
        if self._held is None:
            return os.open(os.path.join(self._folder, name), flags, 0o600)
        return os.open(name, flags, 0o600, dir_fd=self._held)

    def close(self) -> None:
        if self._held is not None:
            os.close(self._held)


class Recorder:
    """Writes one run's log.

    Attributes:
        size: bytes written by the run so far; *lost* of them are kept nowhere.
        frames: bytes of the file of lifted markers.
        small: all of it, as time, offset, stream and bytes of each stretch; None if it is more than a few lines.
        error: why the log is incomplete; empty if it is not.
    """

    def __init__(self, folder: str, cap: int) -> None:
        self.size = self.lost = self.frames = 0
        self.error = ""
        self.small: list[tuple[int, int, int, bytes]] | None = []
        self._folder = folder
        self._head = max(cap // 2, 1)
        self._segment = max(cap // (2 * SEGMENTS), 1)
        self._limit = self._head
        self._ring: list[tuple[int, int]] = []
        self._first = self._since = 0
        self._record: list[int] = []
        self._stream = 1
        self._place = Place(folder)
        self._log = self._place.open(LOG, _NEW)
        self._index = self._frames = -1

    def open_index(self) -> None:
        """Make it: without a log no command begins, but while one begins there is time for this."""
        try:
            if self._index < 0:
                self._index = self._place.open(INDEX, _NEW)
        except OSError as error:
            self._lose(error)

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
        self.small = None
        record = RECORD.pack(time_ns(), self.size, len(data), stream, 1, 0) + data
        try:
            if self._frames < 0:
                self._frames = self._place.open(FRAMES, _NEW)
        except OSError as error:
            self._lose(error)
            return
        if self._put(self._frames, record) == len(record):
            self.frames += len(record)

    def commit(self) -> None:
        """Write down what the index does not know yet."""
        if self._record:
            self.open_index()
            self._put(self._index, RECORD.pack(*self._record, 0, 0))
            self._record = []

    def close(self) -> None:
        self.commit()
        for file in (self._log, self._index, self._frames):
            if file >= 0:
                os.close(file)
        self._place.close()

    def _append(self, data: bytes, stream: int) -> int:
        self._begin(stream, len(data))
        written = self._put(self._log, data)
        if self.small is not None:
            self.small.append((self._since, self.size, stream, data[:written]))
        self.size += written
        if self._record:
            self._record[2] += written
        if self.size > SMALL:
            self.small = None
        return written

    def _begin(self, stream: int, size: int) -> None:
        """Bytes without a record are taken for the last one's: so those of another stream have theirs before."""
        turns = stream != self._stream
        if self._record and not turns and self._record[2] <= 1 << 30:
            return
        self.commit()
        self._since, self._stream = time_ns(), stream
        self._record = [self._since, self.size, size if turns else 0, stream]
        if turns:
            self.commit()

    def _put(self, file: int, data: bytes) -> int:
        """Return how many bytes could be written."""
        written = 0
        try:
            while written < len(data):
                written += os.write(file, data[written:] if written else data)
        except OSError as error:
            self._lose(error)
        return written

    def _lose(self, error: OSError) -> None:
        self.error = self.error or f"the log is incomplete: {error.strerror or error}"

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
            self._lose(error)

    def _reopen(self) -> None:
        log, index = (self._place.open(f"{kind}.{self._first}", _NEW) for kind in (LOG, INDEX))
        self.open_index()
        os.close(self._log)
        os.close(self._index)
        self._log, self._index, self._stream = log, index, 1

    def _drop(self, first: int, last: int) -> None:
        for name in (INDEX, LOG):
            os.unlink(os.path.join(self._folder, f"{name}.{first}"))
        self.lost += last - first


def read_status(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what `write_status` wrote; nothing before that, or where it cannot be read."""
    try:
        with open(os.path.join(folder, STATUS), encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError):
        return {}


def expect_status(folder: str) -> None:
    """Make its file while there is time: an empty one is taken for none."""
    with suppress(OSError):  # told when it is written
        os.close(os.open(os.path.join(folder, STATUS), _NEW, 0o600))


def write_status(folder: str, status: dict[str, Any]) -> None:
    """Write down, whole or not at all, who watches over the run, or how it ended.

    Raises:
        OSError: it cannot be written.
    """
    path = os.path.join(folder, STATUS)
    known = os.path.exists(path) and os.path.getsize(path) > 0
    partly = f"{path}.new" if known else path  # half of the first is no JSON, and taken for none
    with open(os.open(partly, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", 0) as file:
        file.write(json.dumps(status).encode())
    if partly != path:
        os.replace(partly, path)
