"""The journal: every run before its process, orphans to exactly one kernel, secrets by name only."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import time

import pytest

from kestra_magic.runs.journal.journal import FOREIGN_SECONDS, Journal, Record
from kestra_magic.runs.journal.live import KEPT_SECONDS, marked
from kestra_magic.runs.journal.owner import Owner, started_ticks

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path)
    yield opened
    opened.close()


def of_a_dead_kernel(**other: object) -> Owner:
    """Nobody has this number and this time of birth together."""
    return replace(Owner.me(), ticks=1, **other)  # type: ignore[arg-type]


def left(path: Path, *records: Record, owner: Owner | None = None) -> None:
    """Write down what a kernel left that died."""
    dead = Journal(path, owner=owner or of_a_dead_kernel())
    for record in records:
        dead.starting(record)
    dead.close()


def parent() -> Owner:
    """Another process that lives."""
    return replace(Owner.me(), pid=os.getppid(), ticks=started_ticks(os.getppid()))


def marks(journal: Journal) -> list[str]:
    """What ``live/`` names."""
    return sorted(run for file in journal.live.iterdir() for run in marked(file).runs)


def ids(records: list[Record]) -> list[str]:
    return sorted(record.id for record in records)


# The life of a run


def test_a_run_is_there_before_it_starts(journal: Journal) -> None:
    assert (
        journal.starting(Record(id="a", name="train", folder="/runs/1", work="/w/a", request={"text": "echo"})) is None
    )

    record = journal.get("a")
    assert record is not None
    assert (record.state, record.owner, record.pid, record.ended) == ("CREATED", Owner.me(), None, None)
    assert (record.folder, record.work, record.request) == ("/runs/1", "/w/a", {"text": "echo"})
    assert marks(journal) == ["a"]


def test_a_run_goes_through_its_life(journal: Journal) -> None:
    journal.starting(Record(id="a", name="train"))
    journal.launching("a", marker="m", work="/w/a", secrets=(), request={})
    journal.started("a", pid=42, started_ticks=7)
    running = journal.get("a")
    journal.ended("a", "FAILED", exit_code=3, error="Command failed with exit code 3")
    ended = journal.get("a")

    assert running is not None
    assert ended is not None
    assert (running.state, running.pid, running.started_ticks, running.marker) == ("RUNNING", 42, 7, "m")
    assert (ended.state, ended.exit_code, ended.error) == ("FAILED", 3, "Command failed with exit code 3")
    assert running.started is not None
    assert ended.ended is not None
    assert ended.created <= running.started <= ended.ended
    assert marks(journal) == []


def test_history_is_the_latest_first(journal: Journal) -> None:
    for number in range(5):
        journal.starting(Record(id=f"{number}", name="even" if number % 2 == 0 else "odd", created=1000.0 + number))

    assert [record.id for record in journal.history(limit=2)] == ["4", "3"]
    assert [record.id for record in journal.history("even")] == ["4", "2", "0"]
    assert journal.history("none") == []


def test_an_end_is_in_the_file_when_it_was_settled_and_is_seen_here_before(journal: Journal, path: Path) -> None:
    other = Journal(path)
    for each in "ab":
        journal.starting(Record(id=each, name=each))
    journal.ended("a", "SUCCESS", exit_code=0)
    before, marked = other.get("a"), marks(journal)
    journal.settle()
    after = other.get("a")
    journal.ended("b", "FAILED")

    assert [record and record.ended for record in (before,)] == [None]
    assert after is not None
    assert (after.state, after.exit_code, marked, marks(journal)) == ("SUCCESS", 0, ["a", "b"], ["b"])
    assert [record.state for record in journal.history()] == ["FAILED", "SUCCESS"]
    assert marks(journal) == []
    other.close()


def test_an_end_that_is_not_settled_is_written_when_the_kernel_ends(journal: Journal, path: Path) -> None:
    journal.starting(Record(id="a", name="a"))
    journal.ended("a", "SUCCESS")
    journal.leave()
    other = Journal(path)

    assert [record.state for record in other.history()] == ["SUCCESS"]
    other.close()


def test_a_run_that_nobody_knows_changes_nothing(journal: Journal) -> None:
    journal.ended("none", "SUCCESS")

    assert journal.history() == []
    assert journal.notices() == []


def test_another_kernel_may_pin_and_label_a_run_that_is_ours(journal: Journal, path: Path) -> None:
    other = Journal(path)
    journal.starting(Record(id="a", name="a"))
    other.pin("a")
    other.label("a", "the good one")
    journal.ended("a", "SUCCESS")

    record = journal.get("a")
    assert record is not None
    assert (record.pinned, record.label, record.state) == (True, "the good one", "SUCCESS")
    other.close()


def test_everything_is_its_owners_alone(journal: Journal, path: Path) -> None:
    journal.starting(Record(id="a", name="a"))

    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes.pop("live") == 0o700
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_sqlite_is_imported_when_the_first_run_is_written() -> None:
    code = "import sys, pathlib, kestra_magic.runs.journal.journal as j; j.Journal(pathlib.Path('/x/y')); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert "sqlite3" not in done.stdout.split()


# Secrets


def test_secrets_are_kept_by_name_only(journal: Journal, path: Path) -> None:
    secret = 'hunter2 "quoted" &/é'
    request = {"text": f"curl -u me:{secret}", secret: [{"deep": json.dumps(secret)}], "number": 1}
    journal.starting(Record(id="a", name="a", request=request, secrets=("PASSWORD",)), mask=[secret])
    journal.ended("a", "FAILED", error=f"could not reach {secret}", mask=[secret])
    journal.close()

    written = b"".join(each.read_bytes() for each in path.parent.iterdir() if each.is_file())
    assert b"hunter2" not in written
    record = journal.get("a")
    assert record is not None
    assert record.secrets == ("PASSWORD",)
    assert record.request["number"] == 1


def test_a_name_that_is_no_text_does_not_stop_a_run(journal: Journal) -> None:
    assert journal.starting(Record(id="a", name="a", folder="/runs/\udcff", request={"f": "\udcff"})) is None
    journal.ended("a", "FAILED", error="\udcff")

    assert journal.get("a") is not None
    assert journal.notices() == []


# What a dead kernel left


def test_what_a_dead_kernel_left_is_claimed_once(journal: Journal, path: Path) -> None:
    left(path, Record(id="a", name="a", request={"x": 1}), Record(id="b", name="b"))

    claimed = journal.claim_orphans()

    assert ids(claimed) == ["a", "b"]
    assert {record.owner for record in claimed} == {journal.owner}
    assert journal.claim_orphans() == []
    assert (
        Journal(path, owner=replace(Owner.me(), pid=os.getppid(), ticks=started_ticks(os.getppid()))).claim_orphans()
        == []
    )


def test_what_has_ended_lives_or_is_detached_is_not_claimed(journal: Journal, path: Path) -> None:
    left(path, Record(id="ended", name="a", ended=1.0), Record(id="detached", name="a", detached=True))
    left(path, Record(id="lives", name="a"), owner=parent())
    journal.starting(Record(id="ours", name="a"))

    assert journal.claim_orphans() == []


def test_a_number_that_was_given_out_again_is_another_kernel(journal: Journal, path: Path) -> None:
    left(path, Record(id="a", name="a"), owner=replace(Owner.me(), ticks=Owner.me().ticks - 1))

    assert ids(journal.claim_orphans()) == ["a"]


def test_after_a_reboot_nothing_lives(journal: Journal, path: Path) -> None:
    left(path, Record(id="a", name="a"), owner=replace(Owner.me(), boot="an earlier boot"))

    assert ids(journal.claim_orphans()) == ["a"]


def test_in_another_container_of_this_name_nothing_lives(journal: Journal, path: Path) -> None:
    left(path, Record(id="a", name="a"), owner=replace(Owner.me(), space="pid:[1]"))

    assert ids(journal.claim_orphans()) == ["a"]


def test_a_run_of_another_machine_is_left_alone_for_a_day(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left(path, Record(id="a", name="a"), owner=of_a_dead_kernel(host="elsewhere"))
    assert journal.claim_orphans() == []
    now = time()
    monkeypatch.setattr("kestra_magic.runs.journal.journal.time.time", lambda: now + FOREIGN_SECONDS + 1)

    assert ids(journal.claim_orphans()) == ["a"]


def test_a_claimed_run_ends_like_any_other(journal: Journal, path: Path) -> None:
    left(path, Record(id="a", name="a"))
    journal.claim_orphans()
    journal.ended("a", "KILLED", error="its kernel died")

    record = journal.get("a")
    assert record is not None
    assert (record.state, record.error) == ("KILLED", "its kernel died")
    assert marks(journal) == []


def test_what_someone_holds_is_known(journal: Journal, path: Path) -> None:
    left(
        path, Record(id="orphan", name="a", folder="/orphan"), Record(id="det", name="a", folder="/det", detached=True)
    )
    journal.starting(Record(id="lives", name="a", folder="/lives"))
    journal.starting(Record(id="pinned", name="a", folder="/pinned"))
    journal.ended("pinned", "SUCCESS")
    journal.pin("pinned")
    journal.starting(Record(id="over", name="a", folder="/over"))
    journal.ended("over", "SUCCESS")

    assert journal.held() == {Path("/lives"), Path("/pinned"), Path("/det")}


# live/


def test_strays_are_marks_of_dead_kernels_without_a_row(journal: Journal, path: Path) -> None:
    left(path, Record(id="known", name="a"))
    journal.starting(Record(id="ours", name="a"))
    (journal.live / "dead").write_text(f"{of_a_dead_kernel().text()}\nlost \nfar detached\nknown \n")
    (journal.live / "torn").write_text("half a")
    (journal.live / "alive").write_text(f"{Owner.me().text()}\nmine \n")

    assert journal.strays() == ["lost"]

    journal.forget("lost")
    assert journal.strays() == []
    assert (journal.live / "dead").read_text().splitlines()[1:] == ["far detached", "known "]


def test_a_kernel_that_ends_leaves_no_mark_unless_something_outlives_it(journal: Journal) -> None:
    journal.starting(Record(id="a", name="a"))
    journal.starting(Record(id="far", name="a", detached=True))
    journal.ended("a", "SUCCESS")
    journal.leave()
    kept = marks(journal)

    journal.ended("far", "SUCCESS")
    journal.leave()

    assert kept == ["far"]
    assert os.listdir(journal.live) == []


def test_the_marks_of_a_kernel_whose_folder_was_removed_are_made_anew(journal: Journal) -> None:
    journal.starting(Record(id="a", name="a"))
    shutil.rmtree(journal.live)

    journal.starting(Record(id="b", name="a"))

    assert marks(journal) == ["a", "b"]


def test_without_any_run_there_are_no_strays(journal: Journal) -> None:
    assert journal.strays() == []


# Owners


def test_an_owner_is_read_as_it_was_written() -> None:
    assert Owner.read(Owner.me().text()) == Owner.me()


def test_we_live_and_a_dead_process_does_not() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = replace(Owner.me(), pid=child.pid, ticks=started_ticks(child.pid))
    alive = owner.lives()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    as_zombie = owner.lives()
    child.wait()

    assert Owner.me().lives()
    assert (alive, as_zombie, owner.lives()) == (True, False, False)
    child.stdin.close()  # type: ignore[union-attr]


def test_a_name_with_brackets_does_not_confuse_the_birth(tmp_path: Path) -> None:
    """`/proc/PID/stat` has the name in the middle, as it is."""
    link = tmp_path / "a) R 1 (b"
    link.symlink_to("/bin/sleep")
    child = subprocess.Popen([link, "60"])
    ours = started_ticks(os.getpid())

    assert started_ticks(child.pid) >= ours
    child.kill()
    child.wait()


def test_what_killed_kernels_left_and_names_nothing_goes_after_a_day(journal: Journal, path: Path) -> None:
    left(path, Record(id="a", name="a"))
    (names_a,) = journal.live.iterdir()
    old, new = journal.live / "old", journal.live / "new"
    old.touch()
    new.touch()
    for file in (names_a, old):
        os.utime(file, (time() - KEPT_SECONDS - 1,) * 2)

    journal.forget_before(0)

    assert sorted(journal.live.iterdir()) == sorted([names_a, new])
