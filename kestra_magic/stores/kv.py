"""Key-value store: one small SQLite file for all notebooks of a person."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.stores.database import connect
from kestra_magic.workspace.transfer import make_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["KV", "Entry", "KVError"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kv (
    namespace TEXT NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
    description TEXT NOT NULL, updated REAL NOT NULL, expires REAL, PRIMARY KEY (namespace, key)
) WITHOUT ROWID
"""
_KEY = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")
_READ: dict[str, Callable[[Any], Any]] = {
    "DATETIME": datetime.fromisoformat,
    "DATE": date.fromisoformat,
    "DURATION": lambda seconds: timedelta(seconds=seconds),
}


class KVError(KestraMagicError):
    """A key or value that the store does not take."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key: times are seconds since the epoch, *expires* is None for «never»."""

    namespace: str
    key: str
    value: Any
    description: str
    updated: float
    expires: float | None


class KV:
    """Kestra's key-value store: JSON values, dates, times and durations, by namespace, each for as long as it lives.

    Source: Kestra's ``KVStore``, ``KVStoreService``.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def set(
        self,
        namespace: str,
        key: str,
        value: Any,
        *,
        ttl: timedelta | None = None,
        overwrite: bool = True,
        description: str = "",
    ) -> None:
        """Keep *value*, for *ttl* if it is given.

        Raises:
            KVError: the key is none, it exists and *overwrite* is false, or the value has no form as JSON.
        """
        if not _KEY.fullmatch(key):
            raise KVError(f"`{key}` is no key: it starts with a letter or digit; letters, digits, `.`, `_`, `-` follow")
        now = self._clock()
        expires = None if ttl is None else now + ttl.total_seconds()
        row = (namespace, key, *_written(key, value), description, now, expires)
        verb = "REPLACE" if overwrite else "INSERT OR IGNORE"
        with self._open() as database:
            database.execute("DELETE FROM kv WHERE expires <= ?", (now,))  # an expired key is free again
            done = database.execute(f"{verb} INTO kv VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        if not done.rowcount:
            raise KVError(f"Cannot set value for key '{key}': it exists and `overwrite` is `false`")

    def get(self, namespace: str, key: str, default: Any = None) -> Any:
        """Return the value of *key*, or *default*."""
        found = [entry for entry in self.entries(namespace) if entry.key == key]
        return found[0].value if found else default

    def require(self, namespace: str, key: str) -> Any:
        """Return the value of *key*.

        Raises:
            KVError: there is none; the nearest key is offered.
        """
        entries = {entry.key: entry.value for entry in self.entries(namespace)}
        if key not in entries:
            raise KVError(f"no value found for key '{key}' in namespace '{namespace}'{did_you_mean(key, entries)}")
        return entries[key]

    def delete(self, namespace: str, key: str) -> bool:
        """Forget *key*; return whether there was one."""
        query = "DELETE FROM kv WHERE namespace = ? AND key = ? AND (expires IS NULL OR expires > ?)"
        with self._open() as database:
            return database.execute(query, (namespace, key, self._clock())).rowcount > 0

    def entries(self, namespace: str) -> list[Entry]:
        """Return what a namespace holds, by key."""
        query = (
            "SELECT namespace, key, kind, value, description, updated, expires FROM kv "
            "WHERE namespace = ? AND (expires IS NULL OR expires > ?) ORDER BY key"
        )
        with self._open() as database:
            rows = database.execute(query, (namespace, self._clock())).fetchall()
        return [Entry(ns, key, _read(kind, value), *rest) for ns, key, kind, value, *rest in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            make_private(self._path.parent)
            with closing(connect(self._path, _SCHEMA)) as database:
                yield database
        except (OSError, sqlite3.Error) as error:
            raise KVError(f"the key-value store `{self._path}` cannot be used: {error}") from None


def _written(key: str, value: Any) -> tuple[str, str]:
    if isinstance(value, datetime):
        return "DATETIME", json.dumps(value.isoformat())
    if isinstance(value, date):
        return "DATE", json.dumps(value.isoformat())
    if isinstance(value, timedelta):
        return "DURATION", json.dumps(value.total_seconds())
    try:
        return "JSON", json.dumps(value)
    except (TypeError, ValueError) as error:
        raise KVError(f"the value of key '{key}' has no form as JSON: {error}") from None


def _read(kind: str, text: str) -> Any:
    value = json.loads(text)
    return _READ[kind](value) if kind in _READ else value
