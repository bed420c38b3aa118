"""Runs that may go: listed first; never a pinned one, a live one, or the last success of a name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kestra_magic.workspace.directory import RunFolder
from kestra_magic.workspace.pruning import Pruned, prune, remove

DAY = 86_400.0
NOW = 1_000 * DAY
KEEP = {"keep_days": 30.0, "keep_bytes": 10_000_000}


def ran(base: Path, name: str, state: str, *, days_ago: float, size: int = 10) -> RunFolder:
    folder = RunFolder.allocate(base, name)
    (folder.path / "data").write_bytes(b"x" * size)
    at = NOW - days_ago * DAY
    if state:
        (folder.path / "_run").mkdir()
        (folder.path / "_run" / "run.json").write_text(json.dumps({"state": state}))
        os.utime(folder.path / "_run" / "run.json", (at, at))
    os.utime(folder.path, (at, at))
    folder.publish()
    return folder


def listed(base: Path, *pinned: RunFolder, **keep: float) -> list[str]:
    found = prune(base, pinned={each.path for each in pinned}.__contains__, now=NOW, **{**KEEP, **keep})  # type: ignore[arg-type]
    return [f"{each.path.name} {each.reason}" for each in found]


def test_old_runs_may_go_but_for_the_last_success(tmp_path: Path) -> None:
    ran(tmp_path, "a", "SUCCESS", days_ago=50)
    ran(tmp_path, "a", "WARNING", days_ago=40)
    ran(tmp_path, "a", "FAILED", days_ago=35)
    ran(tmp_path, "a", "FAILED", days_ago=5)

    assert listed(tmp_path) == ["a-1 age", "a-3 age"]


def test_each_name_keeps_its_last_success(tmp_path: Path) -> None:
    ran(tmp_path, "a", "SUCCESS", days_ago=50)
    ran(tmp_path, "b", "SUCCESS", days_ago=50)

    assert listed(tmp_path) == []


def test_what_someone_holds_stays(tmp_path: Path) -> None:
    held = ran(tmp_path, "a", "FAILED", days_ago=50)

    assert listed(tmp_path, held) == []


def test_above_the_size_the_oldest_may_go(tmp_path: Path) -> None:
    for days in (4, 3, 2, 1):
        ran(tmp_path, "a", "FAILED", days_ago=days, size=1000)

    assert listed(tmp_path, keep_bytes=2_500) == ["a-1 size", "a-2 size"]


def test_a_run_without_an_end_is_not_in_the_way_of_the_size(tmp_path: Path) -> None:
    ran(tmp_path, "a", "", days_ago=2, size=1000)

    assert listed(tmp_path, keep_bytes=10) == []
    assert listed(tmp_path, keep_days=1) == ["a-1 age"]


def test_listing_removes_nothing_and_other_folders_are_not_runs(tmp_path: Path) -> None:
    ran(tmp_path, "a", "FAILED", days_ago=50)
    (tmp_path / "mine").mkdir()
    (tmp_path / "file-1").write_text("")
    (tmp_path / "link-1").symlink_to(tmp_path / "mine")

    assert listed(tmp_path) == ["a-1 age"]
    assert (tmp_path / "a-1" / "data").exists()
    assert prune(tmp_path / "none", pinned=lambda _: False, keep_days=1, keep_bytes=1) == []


def test_removal_takes_the_link_that_led_there(tmp_path: Path) -> None:
    ran(tmp_path, "a", "FAILED", days_ago=50)

    assert remove(prune(tmp_path, pinned=lambda _: False, now=NOW, keep_days=1, keep_bytes=1)) == []
    assert os.listdir(tmp_path) == [".gitignore"]


def test_the_size_is_that_of_the_files(tmp_path: Path) -> None:
    ran(tmp_path, "a", "", days_ago=50, size=12_345)

    found: list[Pruned] = prune(tmp_path, pinned=lambda _: False, now=NOW, keep_days=1, keep_bytes=1)

    assert [each.bytes for each in found] == [12_345]


@pytest.mark.parametrize("record", ["", "{", "[]", '{"state": 1}'])
def test_a_record_that_cannot_be_read_is_no_success(tmp_path: Path, record: str) -> None:
    folder = ran(tmp_path, "a", "FAILED", days_ago=50)
    (folder.path / "_run" / "run.json").write_text(record)
    os.utime(folder.path / "_run" / "run.json", (1, 1))

    assert listed(tmp_path) == ["a-1 age"]
