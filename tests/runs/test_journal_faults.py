"""The journal when everything goes wrong: killed writers, racing kernels, full and damaged disks."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from kestra_magic.runs.journal.journal import Journal, Record
from kestra_magic.runs.journal.owner import Owner
from tests.workspace.conditions import ROOT, as_nobody, no_space_left, open_folder, small_disk

__all__ = ["open_folder", "small_disk"]

WRITER = """
import sys
from pathlib import Path
from kestra_magic.runs.journal.journal import Journal, Record
journal = Journal(Path(sys.argv[1]))
number = 0
while True:
    id = f"{sys.argv[2]}-{number}"
    journal.starting(Record(id=id, name="w", request={"text": "x" * 300}))
    journal.started(id, pid=1, started_ticks=1)
    journal.ended(id, "SUCCESS", exit_code=0)
    journal.settle()
    print(id, flush=True)
    number += 1
"""


def writer(path: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def killed_after(process: subprocess.Popen[str], lines: int) -> list[str]:
    """Kill a writer with no warning once it has acknowledged so many records; return all it acknowledged."""
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    os.kill(process.pid, signal.SIGKILL)
    said += process.stdout.readlines()
    process.stdout.close()
    process.wait()
    return [line.strip() for line in said if line.endswith("\n")]


def test_twenty_kills_of_two_writers_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path, chance, acknowledged = tmp_path / "journal.sqlite", random.Random(7), set()
    for round_ in range(10):
        pair = [writer(path, f"{round_}{side}") for side in "ab"]
        for process in pair:
            acknowledged.update(killed_after(process, chance.randint(1, 40)))

    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    journal = Journal(path)
    rows = {record.id: record for record in journal.history(limit=1_000_000)}
    assert len(acknowledged) > 100
    assert {each for each in acknowledged if each not in rows or rows[each].state != "SUCCESS"} == set()
    assert {record.id for record in journal.claim_orphans()} == {r.id for r in rows.values() if r.ended is None}
    journal.close()


CLAIMER = """
import json, sys
from pathlib import Path
from kestra_magic.runs.journal.journal import Journal
journal = Journal(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps([record.id for record in journal.claim_orphans()]), flush=True)
sys.stdin.readline()
"""


def test_four_kernels_claim_three_hundred_orphans_exactly_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    dead = Journal(path, owner=replace(Owner.me(), ticks=1))
    for number in range(300):
        dead.starting(Record(id=f"{number}", name="orphan"))
    dead.close()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    kernels = [subprocess.Popen([sys.executable, "-c", CLAIMER, str(path)], **pipes) for _ in range(4)]
    for kernel in kernels:
        assert kernel.stdout.readline() == "ready\n"
    for kernel in kernels:
        kernel.stdin.write("go\n")
        kernel.stdin.flush()
    claims = [json.loads(kernel.stdout.readline()) for kernel in kernels]  # all live until everybody has claimed
    for kernel in kernels:
        kernel.communicate("go\n")

    assert sorted(each for claim in claims for each in claim) == sorted(map(str, range(300)))


def test_a_full_disk_is_told_once_survived_and_caught_up_with(small_disk: Path) -> None:
    journal = Journal(small_disk / "journal.sqlite")
    journal.starting(Record(id="before", name="a"))
    no_space_left(small_disk)

    notices = [journal.starting(Record(id=f"{n}", name="a", request={"text": "x" * 1000})) for n in range(20)]
    known = [record.id for record in journal.history()]
    journal.ended("3", "SUCCESS")
    journal.settle()
    told = [notice for notice in notices if notice]
    assert 1 <= len(told) <= 2  # the journal, and the marks in live/
    assert "full" in told[0].sentence or "No space" in told[0].sentence
    assert "runs go on" in told[0].sentence
    assert known == ["before"]

    (small_disk / "ballast").unlink()
    journal.ended("before", "SUCCESS")

    states = {record.id: record.state for record in journal.history(limit=100)}
    assert states == {"before": "SUCCESS", "3": "SUCCESS", **{f"{n}": "CREATED" for n in range(20) if n != 3}}
    with closing(sqlite3.connect(journal.path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    journal.close()


LIMITED = """
import json, resource, signal, sys
from pathlib import Path
from kestra_magic.runs.journal.journal import Journal, Record
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
journal = Journal(Path(sys.argv[1]))
notices = [journal.starting(Record(id=f"{n}", name="a", request={"text": "x" * 10_000})) for n in range(100)]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.ended("0", "SUCCESS")
print(json.dumps([sum(n is not None for n in notices), len(journal.history(limit=1000))]))
"""


def test_a_file_that_may_not_grow_is_told_and_survived(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "journal.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 0, done.stderr
    told, known = json.loads(done.stdout)
    assert 1 <= told <= 10  # each time that it had become possible in between
    assert known == 100


def test_a_damaged_journal_is_kept_and_a_new_one_takes_over_what_lives(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal.starting(Record(id="lives", name="a"))
    path.write_bytes(b"\xff" * 10_000)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    other = Journal(path)

    assert other.history() == []
    assert [notice.sentence.partition(" (")[0] for notice in other.notices()] == [f"`{path}` was damaged"]
    assert other.notices() == []
    assert other.strays() == []  # its kernel lives: it is not to be swept
    journal.started("lives", pid=1)

    assert [(record.id, record.state) for record in other.history()] == [("lives", "RUNNING")]
    assert next(tmp_path.glob("journal.sqlite.damaged-*")).read_bytes() == b"\xff" * 10_000
    journal.close()
    other.close()


def test_a_journal_that_someone_removed_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal.starting(Record(id="a", name="a"))
    for each in tmp_path.glob("journal.sqlite*"):
        each.unlink()

    journal.ended("a", "SUCCESS")

    assert [(record.id, record.state) for record in journal.history()] == [("a", "SUCCESS")]
    assert journal.notices() == []
    journal.close()


READ_ONLY = """
import json, sqlite3, sys
from pathlib import Path
from kestra_magic.runs.journal.journal import Journal, Record

journal = Journal(Path(sys.argv[1]) / "journal.sqlite")
notices = [journal.starting(Record(id=id, name="a")) for id in "ab"]
journal.ended("a", "SUCCESS")
journal.settle()
notices += journal.notices()
print(json.dumps([[n.sentence if n else None for n in notices], len(journal.history())]))
"""


def test_a_folder_that_cannot_be_written_is_told_and_survived(open_folder: Path) -> None:
    open_folder.chmod(0o555)

    notices, known = as_nobody(READ_ONLY, open_folder)  # type: ignore[misc]

    assert known == 0
    assert "cannot be used" in notices[0]
    assert sum(notice is not None for notice in notices) <= 2


def test_a_place_where_no_folder_can_be_is_told_and_survived(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    journal = Journal(tmp_path / "file" / "journal.sqlite")

    notice = journal.starting(Record(id="a", name="a"))

    assert notice is not None
    assert "runs go on" in notice.sentence
    assert journal.history() == []
    assert journal.claim_orphans() == []
    assert journal.held() == set()
    assert journal.strays() == []
