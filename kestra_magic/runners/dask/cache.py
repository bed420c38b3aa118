"""Input files on a worker, by their content: each is sent to it once, however many tasks read it."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError
from kestra_magic.runners.dask.remote import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Cache", "address_of"]

LIMIT = 16 << 30
"""Bytes that a worker keeps; what was longest not asked for goes first."""


def address_of(digests: Iterable[bytes]) -> str:
    """Return the address of a file, given the SHA-256 of each of its chunks: they can be made side by side."""
    return hashlib.sha256(b"".join(digests)).hexdigest()


class Cache:
    """One worker's input files.

    Args:
        folder: where they lie; made when it is needed.
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit
        self._lock = threading.Lock()
        self._coming: dict[str, str] = {}
        self._chunks: dict[str, dict[int, bytes]] = {}
        self._there: dict[str, int] = {}

    def path(self, address: str) -> Path:
        return self._folder / address

    def claim(self, addresses: Iterable[str], who: str) -> list[str]:
        """Return those that are not here and that nobody else has asked for: *who* asks for them now."""
        with self._lock:
            mine = [a for a in dict.fromkeys(addresses) if a not in self._there and a not in self._coming]
            self._coming |= dict.fromkeys(mine, who)
            return mine

    def release(self, who: str) -> None:
        """What *who* has asked for and not got, another may ask for."""
        with self._lock:
            for address in [a for a, asker in self._coming.items() if asker == who]:
                del self._coming[address]
                self._chunks.pop(address, None)

    def holds(self, addresses: Iterable[str]) -> bool:
        """Whether all are here; they are the freshest then."""
        with self._lock:
            wanted = list(addresses)
            if any(address not in self._there for address in wanted):
                return False
            for address in wanted:
                self._there[address] = self._there.pop(address)
            return True

    def put(self, address: str, index: int, data: bytes | memoryview, count: int) -> None:
        """Take in one chunk of *count*.

        Raises:
            KestraMagicError: with the last one the content is not what its address says.
        """
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        part = self._folder / f"{address}.part"
        with open(os.open(part, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.seek(index * CHUNK)
            file.write(data)
        with self._lock:
            chunks = self._chunks.setdefault(address, {})
            chunks[index] = hashlib.sha256(data).digest()
            if len(chunks) == count and address not in self._there:
                self._take_in(address, part)

    def _take_in(self, address: str, part: Path) -> None:
        chunks = self._chunks.pop(address)
        self._coming.pop(address, None)
        if address_of(chunks[index] for index in sorted(chunks)) != address:
            part.unlink()
            raise KestraMagicError("an input file changed while it was sent to a worker: run it again")
        part.replace(self.path(address))
        self._there[address] = self.path(address).stat().st_size
        self._make_room(address)

    def _make_room(self, newest: str) -> None:
        for address in list(self._there):
            if sum(self._there.values()) <= self._limit or address == newest:
                return
            del self._there[address]
            self.path(address).unlink(missing_ok=True)
