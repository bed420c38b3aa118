"""The beginning of a table: CSV, TSV, JSON lines, Parquet. Only what is shown is read, whatever the file's size."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

__all__ = ["TABLES", "Glance", "Limits", "NoTable", "counted", "glance"]

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
HEAD_BYTES = 1 << 20
GROUP_BYTES = 256 << 20
_INT = re.compile(r"[+-]?\d{1,18}")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan|[+-]?inf", re.IGNORECASE)


class NoTable(Exception):
    """It is no table; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a file is looked at, and how far the lines of a large one are counted."""

    rows: int = 100
    columns: int = 50
    cell_chars: int = 200
    text_chars: int = 200_000
    image_bytes: int = 10 << 20
    count_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """The first rows of a table.

    Attributes:
        types: of each column shown, as far as its rows tell.
        total: rows in all; *exact* unless it was estimated from the size of the first ones.
        width: columns in all.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int
    exact: bool = True
    width: int

    @property
    def said(self) -> str:
        """«first 20 of 1,000 rows × 4 columns»."""
        total = f"{'' if self.exact else 'about '}{counted(self.total, 'row')}"
        rows = total if len(self.rows) == self.total else f"first {len(self.rows):,} of {total}"
        shown = len(self.columns)
        columns = counted(self.width, "column")
        return f"{rows} × {columns if shown == self.width else f'first {shown} of {columns}'}"

    @property
    def numeric(self) -> tuple[bool, ...]:
        return tuple(kind.startswith(("int", "uint", "float", "double", "decimal")) for kind in self.types)


def glance(path: Path, limits: Limits) -> Glance:
    """Return the first rows and columns of the table in *path*.

    Raises:
        NoTable: it is not what its name says, or nothing here can read it.
        OSError: it cannot be read.
    """
    if path.suffix.lower() == ".parquet":
        return _parquet(path, limits)
    head, whole = _head(path)
    text = head.decode("utf-8-sig", "replace")
    names, records = _READERS[path.suffix.lower()](text)
    shown = list(islice(records, limits.rows))
    if whole:
        total, exact = len(shown) + sum(1 for _ in records), True
    else:
        lines, exact = _count_lines(path, limits.count_bytes)
        total, exact = lines - (exact and bool(names)), exact and '"' not in text
    return _glance(names or _keys(shown), shown, limits, max(total, len(shown)), exact)


def _head(path: Path) -> tuple[bytes, bool]:
    """Return the first whole lines of a text, and whether they are all."""
    with open(path, "rb") as file:
        raw = file.read(HEAD_BYTES)
        whole = not file.read(1)
    if b"\0" in raw:
        raise NoTable("it is not a text")
    return raw if whole else raw[: raw.rfind(b"\n") + 1] or raw, whole


def _count_lines(path: Path, most: int) -> tuple[int, bool]:
    """Count the lines of a large file, or estimate them from its first *most* bytes."""
    lines = seen = 0
    last = b""
    with open(path, "rb") as file:
        while seen < most and (chunk := file.read(1 << 20)):
            lines, seen, last = lines + chunk.count(b"\n"), seen + len(chunk), chunk
        size = file.seek(0, 2)
    if seen >= size:
        return lines + (not last.endswith(b"\n")), True
    return round(lines * size / seen / 10_000) * 10_000, False


Record = list[str] | dict[str, str]


def _separated(text: str, delimiters: str = ",;\t|") -> tuple[list[str], Iterator[Record]]:
    """Return the header and the rows; the delimiter is the one that the first line holds most often."""
    first = text[: text.find("\n") + 1] or text
    delimiter = max(delimiters, key=first.count)
    rows = _checked(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    return next(rows, []), (row for row in rows if row)


def _checked(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error as error:
        raise NoTable(f"it is no table: {error}") from None


def _json_lines(text: str) -> tuple[list[str], Iterator[Record]]:
    return [], (_record(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())


_READERS: dict[str, Callable[[str], tuple[list[str], Iterator[Record]]]] = {
    ".csv": _separated,
    ".tsv": partial(_separated, delimiters="\t"),
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}


def _record(number: int, line: str) -> dict[str, str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise NoTable(f"line {number} is not JSON") from None
    members = value if isinstance(value, dict) else {"value": value}
    return {
        key: "" if v is None else v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)
        for key, v in members.items()
    }


def _keys(records: Iterable[Record]) -> list[str]:
    return list(dict.fromkeys(key for record in records for key in record))


def _glance(names: list[str], records: list[Record], limits: Limits, total: int, exact: bool) -> Glance:
    rows = [[record.get(name, "") for name in names] if isinstance(record, dict) else record for record in records]
    width = max([len(names), *map(len, rows)])
    columns, chars = limits.columns, limits.cell_chars
    rows = [[*row[:columns], *[""] * (min(width, columns) - len(row))] for row in rows]
    return Glance(
        columns=tuple(_cut(name, chars) for name in [*names, *[""] * (width - len(names))][:columns]),
        types=tuple(_type([row[column] for row in rows]) for column in range(min(width, columns))),
        rows=tuple(tuple(_cut(cell, chars) for cell in row) for row in rows),
        total=total,
        exact=exact,
        width=width,
    )


def _type(cells: list[str]) -> str:
    given = [cell.strip() for cell in cells if cell.strip()]
    if not given:
        return ""
    if all(map(_INT.fullmatch, given)):
        return "int"
    return "float" if all(map(_FLOAT.fullmatch, given)) else "text"


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else f"{text[: chars - 1]}…"


def counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


# Parquet


def _parquet(path: Path, limits: Limits) -> Glance:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise NoTable("a Parquet table, which `pyarrow` can show: it is not installed here") from None
    with open(path, "rb") as file:
        try:
            return _parquet_of(parquet.ParquetFile(file, pre_buffer=False), limits)
        except (arrow.ArrowException, OSError):
            raise NoTable("it is no Parquet table, or a broken one") from None


def _parquet_of(file: Any, limits: Limits) -> Glance:
    meta, schema = file.metadata, file.schema_arrow
    names = schema.names[: limits.columns]
    batch = _first_batch(file, limits.rows, names)
    return Glance(
        columns=tuple(_cut(name, limits.cell_chars) for name in names),
        types=tuple(str(schema.field(index).type) for index in range(len(names))),
        rows=tuple(tuple(_cut(_shown(value), limits.cell_chars) for value in row) for row in zip(*batch, strict=True)),
        total=meta.num_rows,
        width=len(schema.names),
    )


def _first_batch(file: Any, rows: int, names: list[str]) -> list[list[Any]]:
    meta = file.metadata
    if not meta.num_row_groups or meta.row_group(0).total_byte_size > GROUP_BYTES:
        return []
    batch = next(file.iter_batches(rows, row_groups=[0], columns=names, use_threads=False), None)
    return [column.to_pylist() for column in batch.columns] if batch is not None else []


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
