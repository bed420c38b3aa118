"""A log on its way: what a worker's log folder has that the client's has not yet."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kestra_magic.process.recorder import FRAMES, INDEX, LOG
from kestra_magic.process.tail import segments
from kestra_magic.runners.dask.remote import EVENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Copy", "Parcels"]


_WRITE = os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Parcels:
    """The files of a log, told piece by piece. What a capped log dropped before it was told is never told."""

    def __init__(self, folder: Path, told: dict[str, int] | None = None) -> None:
        self._folder = folder
        self._told = told or {}

    def new(self) -> Iterator[dict[str, Any]]:
        names = [FRAMES, *(f"{kind}{_end(first)}" for first in segments(self._folder) for kind in (LOG, INDEX))]
        for name in [name for name in self._told if name not in names]:
            del self._told[name]
            yield {"drop": name}
        for name in names:
            with suppress(FileNotFoundError), open(self._folder / name, "rb") as file:
                yield from self._pieces(name, file.fileno())

    def _pieces(self, name: str, file: int) -> Iterator[dict[str, Any]]:
        at = self._told.setdefault(name, 0)
        size = os.fstat(file).st_size
        while at < size and (data := os.pread(file, min(EVENT, size - at), at)):
            self._told[name] = at + len(data)
            yield {"file": name, "at": at, "data": data}
            at += len(data)


def _end(first: int) -> str:
    return f".{first}" if first else ""


class Copy:
    """The client's side: the same files, byte for byte.

    Attributes:
        error: why it is incomplete; empty if it is not.
    """

    def __init__(self, folder: Path) -> None:
        self.error = ""
        self._folder = folder
        for name in (LOG, INDEX, FRAMES):
            self._write(name, 0, b"")

    def take(self, parcel: dict[str, Any]) -> None:
        try:
            if name := parcel.get("drop"):
                (self._folder / name).unlink(missing_ok=True)
            else:
                self._write(parcel["file"], parcel["at"], parcel["data"])
        except OSError as error:
            self.error = self.error or f"the log is incomplete: {error.strerror or error}"

    def sizes(self) -> dict[str, int]:
        names = [FRAMES, *(f"{kind}{_end(first)}" for first in segments(self._folder) for kind in (LOG, INDEX))]
        return {name: (self._folder / name).stat().st_size for name in names if (self._folder / name).exists()}

    def _write(self, name: str, at: int, data: bytes) -> None:
        file = os.open(os.path.join(self._folder, os.path.basename(name)), _WRITE, 0o600)
        try:
            os.lseek(file, at, os.SEEK_SET)
            while data:
                data = data[os.write(file, data) :]
        finally:
            os.close(file)
