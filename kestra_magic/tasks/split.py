"""``storage.Split``: one file in many, by lines (``StorageSplitInterface``)."""

from __future__ import annotations

import re
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kestra_magic.tasks.desk import Desk

__all__ = ["split"]

_SIZE = re.compile(r"(\d+)\s*([KMGT]?)i?B?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def split(desk: Desk) -> dict[str, Any]:
    """Write the parts below the working directory, in order; give their URIs."""
    source = desk.path(desk.get("from_"))
    separator = desk.get("separator").encode()
    with open(source, "rb") as file:
        parts = [_written(desk, source, n, part) for n, part in enumerate(_parts(desk, _lines(file, separator)), 1)]
    return {"uris": [desk.keep(path.name, path) for path in parts]}


def _written(desk: Desk, source: Path, number: int, lines: Iterable[bytes]) -> Path:
    path = desk.folder() / f"{source.stem}-{number:04}{source.suffix}"
    with open(path, "wb") as file:
        file.writelines(lines)
    desk.halt.check()
    return path


def _parts(desk: Desk, lines: Iterator[bytes]) -> Iterator[Iterable[bytes]]:
    given = {name: desk.get(name) for name in ("bytes", "partitions", "rows", "regex_pattern")}
    if given["bytes"] is not None:
        return _by_bytes(lines, _size(given["bytes"]))
    if given["rows"] is not None:
        return _by_rows(lines, _positive("rows", given["rows"]))
    if given["partitions"] is not None:
        return _dealt(lines, _positive("partitions", given["partitions"]))
    if given["regex_pattern"] is not None:
        return _by_group(lines, given["regex_pattern"])
    raise KestraMagicError("Split: give `bytes`, `partitions`, `rows` or `regexPattern`")


def _lines(file: IO[bytes], separator: bytes) -> Iterator[bytes]:
    """Yield what stands between separators, each with its own."""
    rest = b""
    while block := file.read(1 << 16):
        *whole, rest = (rest + block).split(separator)
        yield from (line + separator for line in whole)
    if rest:
        yield rest


def _by_rows(lines: Iterator[bytes], count: int) -> Iterator[Iterable[bytes]]:
    while part := list(islice(lines, count)):
        yield part


def _by_bytes(lines: Iterator[bytes], limit: int) -> Iterator[Iterable[bytes]]:
    part: list[bytes] = []
    size = 0
    for line in lines:
        if part and size + len(line) > limit:
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line)
    if part:
        yield part


def _dealt(lines: Iterator[bytes], count: int) -> Iterator[Iterable[bytes]]:
    """Deal the lines out in turn, as Kestra does."""
    parts: list[list[bytes]] = [[] for _ in range(count)]
    for n, line in enumerate(lines):
        parts[n % count].append(line)
    return iter(part for part in parts if part)


def _by_group(lines: Iterator[bytes], pattern: str) -> Iterator[Iterable[bytes]]:
    """Lines with the same first group belong together; lines without one are dropped."""
    try:
        compiled = re.compile(pattern.encode())
    except re.error as error:
        raise KestraMagicError(f"regexPattern: `{pattern}` is no regular expression: {error}") from None
    groups: dict[bytes, list[bytes]] = {}
    for line in lines:
        match = compiled.search(line)
        if match:
            groups.setdefault(match[1] if compiled.groups else match[0], []).append(line)
    return iter(groups.values())


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise KestraMagicError(f"{name}: must be at least 1, but is {value}")
    return value


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise KestraMagicError(f"bytes: `{text}` is no size like 10MB")
    return _positive("bytes", int(match[1]) * _UNITS[match[2].upper()])
