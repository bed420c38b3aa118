"""A job as it travels: small input files within it, large ones by their content's address, chunk by chunk."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.runners.dask.cache import address_of
from kestra_magic.runners.dask.remote import AT_ONCE, CHUNK, INLINE, whole
from kestra_magic.runners.job import Job, Placed
from kestra_magic.settings import current
from kestra_magic.workspace.transfer import naming

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Packed"]

Content = Path | bytes


class Packed:
    """A job and its large input files.

    Attributes:
        data: the job for a worker.

    Raises:
        TransferError: an input file cannot be read.
    """

    def __init__(self, job: Job) -> None:
        self._large: dict[str, Content] = {}
        addresses: dict[str, str] = {}
        inputs, left = [], INLINE
        for placed in job.inputs:
            content = Path(placed.source) if placed.content is None and placed.source else placed.content or b""
            if (size := _size(content)) <= left:
                left -= size
                inputs.append(Placed(name=placed.name, content=_read(content)))
            else:
                addresses[placed.name] = address = _address(content)
                self._large[address] = content
                inputs.append(Placed(name=placed.name))
        job = replace(job, inputs=tuple(inputs))
        named = {field.name: getattr(job, field.name) for field in fields(Job)}
        self.data = pickle.dumps({"job": named, "addresses": addresses, "log_cap": current().log_cap_bytes})

    async def send(self, address: str, put: Callable[..., Awaitable[object]]) -> None:
        """Give the file at *address* to *put*, several chunks at once."""
        content = self._large[address]
        size = await asyncio.to_thread(_size, content)
        count = max(1, -(-size // CHUNK))
        left = iter(range(count))

        async def some() -> None:
            room = bytearray(min(size, CHUNK))
            for index in left:
                data = whole(await asyncio.to_thread(_chunk, content, index, room))
                await put(address=address, index=index, data=data, count=count)

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))


def _size(content: Content) -> int:
    if isinstance(content, bytes):
        return len(content)
    with naming(content):
        return os.path.getsize(content)


def _read(content: Content) -> bytes:
    if isinstance(content, bytes):
        return content
    with naming(content):
        return content.read_bytes()


def _chunk(content: Content, index: int, room: bytearray) -> memoryview:
    """Return a part of a file, read into *room*: fresh memory for each part would cost more than reading it."""
    if isinstance(content, bytes):
        return memoryview(content)[index * CHUNK : (index + 1) * CHUNK]
    with naming(content), open(content, "rb", buffering=0) as file:
        file.seek(index * CHUNK)
        return memoryview(room)[: file.readinto(room)]


_known: dict[tuple[Any, ...], str] = {}


def _address(content: Content) -> str:
    """Return the address of a file's content; one that has not changed since is not read again."""
    if isinstance(content, bytes):
        return _digest(content, len(content))
    with naming(content):
        facts = os.stat(content)
    known = (os.fspath(content), facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    if known not in _known:
        _known[known] = _digest(content, facts.st_size)
    return _known[known]


def _digest(content: Content, size: int) -> str:
    left = iter(range(max(1, -(-size // CHUNK))))
    digests: dict[int, bytes] = {}

    def some(_: int) -> None:
        room = bytearray(min(size, CHUNK))
        for index in left:
            digests[index] = hashlib.sha256(_chunk(content, index, room)).digest()

    with ThreadPoolExecutor() as pool:
        list(pool.map(some, range(min(4, os.cpu_count() or 1))))
    return address_of(digests[index] for index in sorted(digests))
