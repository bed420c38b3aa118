"""Data frames and plain data as files, and back: by the suffix of the name."""

from __future__ import annotations

import csv
import gzip
import io
import json
from importlib import import_module
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["TABLES", "as_file", "is_frame", "load_table", "suffix_of"]

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
FRAMES = ("pandas", "polars")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def suffix_of(name: str) -> str:
    """Return the suffix that says what is in a file: ``.csv`` of ``t.csv.gz``."""
    return PurePosixPath(name.removesuffix(".gz")).suffix.lower()


# Reading


def load_table(path: Path) -> Any:
    """Return a pandas DataFrame, or a list of dicts where pandas is not installed.

    Raises:
        KestraMagicError: it is no table, or nothing here can read Parquet.
    """
    suffix = suffix_of(path.name)
    if suffix not in TABLES:
        raise KestraMagicError(f"`{path.name}` is no table: {', '.join(TABLES)} are")
    try:
        pandas = import_module("pandas")
    except ImportError:
        return _rows(path, suffix)
    try:
        return _frame(pandas, path, suffix)
    except (ValueError, ImportError) as error:  # pandas: ParserError, EmptyDataError, Unicode…; Parquet without pyarrow
        raise KestraMagicError(f"`{path.name}` cannot be read as a table: {error}") from None


def _frame(pandas: Any, path: Path, suffix: str) -> Any:
    if suffix == ".parquet":
        return pandas.read_parquet(path)
    if suffix in _DELIMITERS:
        return pandas.read_csv(path, sep=_DELIMITERS[suffix])
    return pandas.read_json(path, lines=True)


def _rows(path: Path, suffix: str) -> list[dict[str, Any]]:
    if suffix == ".parquet":
        try:
            parquet = import_module("pyarrow.parquet")
        except ImportError:
            raise KestraMagicError(f"`{path.name}`: install pandas and pyarrow to read Parquet") from None
        return list(parquet.read_table(path).to_pylist())
    try:
        with _text(path) as file:
            if suffix in _DELIMITERS:
                return list(csv.DictReader(file, delimiter=_DELIMITERS[suffix]))
            return [json.loads(line) for line in file if line.strip()]
    except (ValueError, csv.Error) as error:
        raise KestraMagicError(f"`{path.name}` cannot be read as a table: {error}") from None


def _text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return open(path, encoding="utf-8", newline="")


# Writing


def is_frame(value: object) -> bool:
    """Whether it is a DataFrame or Series of pandas or polars; neither is imported to find out."""
    kind = type(value)
    return kind.__module__.partition(".")[0] in FRAMES and kind.__name__ in {"DataFrame", "Series", "LazyFrame"}


def as_file(name: str, value: Any) -> bytes:
    """Return the content of the file *name* that holds *value*: a data frame, a list or a dict.

    Raises:
        KestraMagicError: that name's suffix says nothing about how to write it.
    """
    if is_frame(value):
        return _frame_content(name, value)
    if suffix_of(name) in TABLES and _is_rows(value):
        return _rows_content(name, value)
    try:
        return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "surrogateescape")
    except (TypeError, ValueError) as error:
        raise KestraMagicError(f"`{name}` cannot be written as JSON: {error}") from None


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _rows_content(name: str, rows: list[dict[str, Any]]) -> bytes:
    suffix = suffix_of(name)
    if suffix == ".parquet":
        raise KestraMagicError(f"`{name}`: only a DataFrame becomes Parquet; `.csv` and `.jsonl` take a list of dicts")
    text = io.StringIO(newline="")
    if suffix in _DELIMITERS:
        fields = list(dict.fromkeys(key for row in rows for key in row))
        writer = csv.DictWriter(text, fields, delimiter=_DELIMITERS[suffix], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        text.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return _packed(name, text.getvalue().encode())


def _frame_content(name: str, frame: Any) -> bytes:
    kind = type(frame)
    if kind.__name__ == "LazyFrame":
        frame = frame.collect()
    elif kind.__name__ == "Series":
        frame = frame.to_frame()
    writers = _pandas(frame) if kind.__module__.startswith("pandas") else _polars(frame)
    write = writers.get(suffix_of(name))
    if write is None:
        raise KestraMagicError(f"`{name}`: a DataFrame is written as {', '.join(writers)}, as the file's name says")
    buffer = io.BytesIO()
    try:
        write(buffer)
    except ImportError as error:
        raise KestraMagicError(f"`{name}` cannot be written: {error}") from None
    return _packed(name, buffer.getvalue())


def _packed(name: str, content: bytes) -> bytes:
    return gzip.compress(content, mtime=0) if name.endswith(".gz") else content


def _pandas(frame: Any) -> dict[str, Callable[[IO[bytes]], object]]:
    """How each suffix is written; the index goes along where it says more than the position."""
    index = type(frame.index).__name__ != "RangeIndex" or frame.index.name is not None
    rows = frame.reset_index() if index else frame
    return {
        ".csv": lambda to: frame.to_csv(to, index=index),
        ".tsv": lambda to: frame.to_csv(to, index=index, sep="\t"),
        ".parquet": lambda to: to.write(frame.to_parquet(None)),
        ".jsonl": lambda to: rows.to_json(to, orient="records", lines=True, date_format="iso"),
        ".ndjson": lambda to: rows.to_json(to, orient="records", lines=True, date_format="iso"),
        ".json": lambda to: rows.to_json(to, orient="records", date_format="iso"),
    }


def _polars(frame: Any) -> dict[str, Callable[[IO[bytes]], object]]:
    return {
        ".csv": frame.write_csv,
        ".tsv": lambda to: frame.write_csv(to, separator="\t"),
        ".parquet": frame.write_parquet,
        ".jsonl": frame.write_ndjson,
        ".ndjson": frame.write_ndjson,
        ".json": frame.write_json,
    }
