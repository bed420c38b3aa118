"""One SQLite file that several kernels write, and any of them may be killed."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

__all__ = ["connect", "on_network"]

BUSY_SECONDS = 10.0
# Their locks or shared memory cannot be relied on: WAL needs both.
_NETWORK = {"9p", "afs", "beegfs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
            "panfs", "smb2", "smb3", "smbfs", "virtiofs", "wekafs"}  # fmt: skip


def connect(path: Path, schema: str) -> sqlite3.Connection:
    """Open (or make) the database for its owner alone (0600), with *schema* applied; statements commit by themselves.

    Write-ahead log without a sync per change: a killed process loses nothing, and after a power cut nothing lives that
    could be lost. On a network file system the plain journal.

    Raises:
        sqlite3.Error: it is corrupt, or the disk does not take it.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        database.execute(f"PRAGMA journal_mode={'TRUNCATE' if on_network(path) else 'WAL'}")
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute("PRAGMA wal_autocheckpoint=200")
        database.executescript(schema)
    except sqlite3.Error:
        database.close()
        raise
    return database


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
