"""The file behind journal and keys: safe on every disk, put aside when it is damaged."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kestra_magic.stores.database import Database, connect, on_network

SCHEMA = "CREATE TABLE t (n INTEGER)"
MOUNTS = r"""
/dev/vda / ext4 rw 0 0
srv:/home /home nfs4 rw 0 0
/dev/vdb /home/local\040disk ext4 rw 0 0
srv /scratch lustre rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "network"),
    [("/x", False), ("/home/me/j", True), ("/home/local disk/j", False), ("/scratch/j", True), ("/homes/j", False)],
)
def test_a_network_file_system_is_recognised(tmp_path: Path, path: str, network: bool) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)

    assert on_network(Path(path), tmp_path / "mounts") is network


def test_where_the_system_says_nothing_a_disk_is_local(tmp_path: Path) -> None:
    assert not on_network(tmp_path, tmp_path / "none")


def test_the_write_ahead_log_is_used_on_a_local_disk(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "db", SCHEMA)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (1,)


def test_the_plain_journal_is_used_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kestra_magic.stores.database.on_network", lambda _: True)

    with closing(connect(tmp_path / "db", SCHEMA)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("truncate",)


def count(database: Database) -> int:
    return int(database.run(lambda connection: connection.execute("SELECT count(*) FROM t").fetchone()[0]))


def add(database: Database) -> None:
    database.run(lambda connection: connection.execute("INSERT INTO t VALUES (1)"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db"


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_put_aside_and_told(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    database = Database(path, SCHEMA)

    add(database)

    assert count(database) == 1
    assert len(database.damages) == 1
    aside = next(path.parent.glob("db.damaged-*"))
    assert aside.read_bytes() == content
    assert aside.name in database.damages[0]
    database.close()


def test_damage_in_the_middle_of_its_life_is_met_too(path: Path) -> None:
    database = Database(path, SCHEMA)
    add(database)
    database.close()
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\xff" * (len(raw) - 4096)
    path.write_bytes(raw)

    add(database)

    assert count(database) == 1
    assert len(database.damages) == 1
    database.close()


def test_another_versions_file_is_put_aside(path: Path) -> None:
    with closing(connect(path, SCHEMA, version=7)):
        pass
    database = Database(path, SCHEMA)

    add(database)

    assert "it is of version 7, not 1" in database.damages[0]
    database.close()


def test_a_file_that_another_kernel_put_aside_is_left_for_the_new_one(path: Path) -> None:
    ours, theirs = Database(path, SCHEMA), Database(path, SCHEMA)
    add(ours)
    path.rename(path.with_name("aside"))
    add(theirs)
    add(ours)

    assert count(theirs) == 2
    assert ours.damages == []
    ours.close()
    theirs.close()


def test_it_is_for_its_owner_alone(path: Path) -> None:
    with closing(connect(path, SCHEMA)):
        modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}

    assert modes == dict.fromkeys([path.name, f"{path.name}-wal", f"{path.name}-shm"], 0o600)


@pytest.mark.skipif(sys.platform == "win32", reason="its locks belong to a handle, not to a process")
def test_a_second_connection_does_not_end_the_locks_of_the_first(path: Path) -> None:
    """Whoever closes last removes the log; another kernel that sees no lock takes itself for the last."""
    database = Database(path, SCHEMA)
    add(database)
    connect(path, SCHEMA).close()

    elsewhere = f"import sqlite3; sqlite3.connect({str(path)!r}).execute('SELECT n FROM t').connection.close()"
    subprocess.run([sys.executable, "-c", elsewhere], check=True)

    assert path.with_name(f"{path.name}-wal").exists()
    database.close()


def test_a_mistake_is_not_taken_for_damage(path: Path) -> None:
    database = Database(path, SCHEMA)

    with pytest.raises(OSError, match="no such table"):
        database.run(lambda connection: connection.execute("SELECT * FROM missing"))

    assert database.damages == []
    assert isinstance(database.run(lambda connection: connection), sqlite3.Connection)
    database.close()
