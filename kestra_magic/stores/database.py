"""One SQLite file that several kernels write, and any of them may be killed at any time."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kestra_magic.workspace.transfer import make_private

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    Opened = Callable[[sqlite3.Connection], object]

__all__ = ["Database", "connect", "on_network"]

Found = TypeVar("Found")

BUSY_SECONDS = 10.0
# Their locks or shared memory cannot be relied on: WAL needs both.
_NETWORK = {"9p", "afs", "beegfs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
            "panfs", "smb2", "smb3", "smbfs", "virtiofs", "wekafs"}  # fmt: skip


def connect(path: Path, schema: str, *, version: int = 1) -> sqlite3.Connection:
    """Open (or make) the database for its owner alone (0600), with *schema* applied; statements commit by themselves.

    Write-ahead log without a sync per change: a killed process loses nothing, and after a power cut nothing lives that
    could be lost. On a network file system the plain journal.

    Raises:
        sqlite3.DatabaseError: it is corrupt, or another version's.
        sqlite3.OperationalError, OSError: the disk does not take it.
    """
    import sqlite3

    is_new = not path.exists()
    database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        if is_new:
            path.chmod(0o600)  # never by opening it: closing any descriptor of it ends the locks of this whole process
        database.execute(f"PRAGMA journal_mode={'TRUNCATE' if on_network(path) else 'WAL'}")
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute("PRAGMA wal_autocheckpoint=200")
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, version):
            raise sqlite3.DatabaseError(f"it is of version {found}, not {version}")
        if not found:
            database.executescript(f"BEGIN IMMEDIATE; {schema}; PRAGMA user_version={version}; COMMIT")
    except (sqlite3.Error, OSError):
        database.close()
        raise
    return database


class Database:
    """A file that is opened when it is needed, put aside when it is damaged, and made anew when it is gone.

    Attributes:
        damages: what was put aside, as sentences.
    """

    def __init__(self, path: Path, schema: str, opened: Opened = lambda _: None) -> None:
        self.path = path
        self.damages: list[str] = []
        self._schema = schema
        self._on_open = opened
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def run(self, do: Callable[[sqlite3.Connection], Found]) -> Found:
        """Return what *do* does with the connection; once more on a new file, if this one turns out to be damaged.

        Raises:
            OSError: the disk does not take it.
        """
        import sqlite3

        with self._lock:
            try:
                try:
                    return do(self._open())
                except sqlite3.DatabaseError as error:
                    if type(error) is not sqlite3.DatabaseError:  # its children tell of a full disk, or of a mistake
                        raise
                    self._put_aside(error)
                    return do(self._open())
            except sqlite3.Error as error:
                raise OSError(str(error)) from error

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._inode != _inode(self.path):
            self.close()  # someone else found it damaged, or removed it
        if self._connection is None:
            make_private(self.path.parent)
            self._connection = connect(self.path, self._schema)
            self._inode = _inode(self.path)
            self._on_open(self._connection)
        return self._connection

    def _put_aside(self, error: sqlite3.DatabaseError) -> None:
        damaged = self._inode if self._connection is not None else _inode(self.path)
        self.close()
        if damaged != _inode(self.path):
            return
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):  # not all of them are there
                os.replace(f"{self.path}{suffix}", f"{aside}{suffix}")
        self.damages.append(f"`{self.path}` was damaged ({error}): it is kept as `{aside.name}`, and a new one begun")


def _inode(path: Path) -> int:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return -1


def on_network(path: Path, mounts: Path = Path("/proc/mounts")) -> bool:
    """Whether *path* lies on a file system of another machine, as far as the system says."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:  # not Linux: network homes are rare there, and unknown
        return False
    real = os.path.realpath(path)
    kinds = {_unescaped(fields[1]): fields[2] for line in lines if len(fields := line.split()) > 2}
    holding = [point for point in kinds if real == point or real.startswith(point.rstrip("/") + "/")]
    return bool(holding) and kinds[max(holding, key=len)] in _NETWORK


def _unescaped(field: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, char)
    return field
