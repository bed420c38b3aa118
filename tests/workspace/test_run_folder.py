"""Run folders: one number each, a link to the latest, files moved in and never held twice."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.workspace.directory import IllegalPath, RunFolder, WorkDirectory, read_record, write_record
from kestra_magic.workspace.outputs import collect
from kestra_magic.workspace.transfer import TransferError
from tests.workspace.conditions import ROOT, as_nobody, no_space_left


def test_numbers_count_up_by_name(tmp_path: Path) -> None:
    base = tmp_path / "kestra-runs"

    folders = [RunFolder.allocate(base, name) for name in ("train", "train", "test", "train")]

    assert [folder.path.name for folder in folders] == ["train-1", "train-2", "test-1", "train-3"]


def test_a_number_is_not_used_again_while_a_later_one_lies_there(tmp_path: Path) -> None:
    first, _ = RunFolder.allocate(tmp_path, "a"), RunFolder.allocate(tmp_path, "a")
    first.path.rmdir()

    assert RunFolder.allocate(tmp_path, "a").number == 3


def test_folders_are_private_and_git_does_not_see_them(tmp_path: Path) -> None:
    folder = RunFolder.allocate(tmp_path / "kestra-runs", "a")

    assert stat.S_IMODE(folder.path.stat().st_mode) == stat.S_IMODE(folder.base.stat().st_mode) == 0o700
    assert (folder.base / ".gitignore").read_text() == "*\n"


def test_someones_own_gitignore_stays(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("!keep\n")

    RunFolder.allocate(tmp_path, "a")

    assert (tmp_path / ".gitignore").read_text() == "!keep\n"


@pytest.mark.parametrize("name", ["", "a/b", "..", ".a", "-a", "a b"])
def test_a_name_that_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(IllegalPath):
        RunFolder.allocate(tmp_path, name)


ALLOCATE = """
import sys
from pathlib import Path
from kestra_magic.workspace.directory import RunFolder
print(*(RunFolder.allocate(Path(sys.argv[1]), "a").number for _ in range(50)))
"""


def test_several_kernels_never_share_a_number(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ALLOCATE, str(tmp_path / "runs")]
    kernels = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    numbers = [int(n) for kernel in kernels for n in kernel.communicate()[0].split()]

    assert sorted(numbers) == list(range(1, 151))


def test_the_name_leads_to_the_latest(tmp_path: Path) -> None:
    for _ in range(2):
        folder = RunFolder.allocate(tmp_path, "train")
        link = folder.publish()

    assert os.readlink(link) == "train-2"
    assert sorted(os.listdir(tmp_path)) == [".gitignore", "train", "train-1", "train-2"]


def test_a_run_that_ends_late_does_not_take_the_name_back(tmp_path: Path) -> None:
    first, second = RunFolder.allocate(tmp_path, "train"), RunFolder.allocate(tmp_path, "train")
    second.publish()
    first.publish()
    assert os.readlink(tmp_path / "train") == "train-2"

    second.path.rmdir()
    first.publish()

    assert os.readlink(tmp_path / "train") == "train-1"


def test_a_folder_that_has_the_name_is_not_replaced(tmp_path: Path) -> None:
    """The first run of `a` lies in `a-1`, where the runs of `a-1` would be published."""
    other = RunFolder.allocate(tmp_path, "a")
    (other.path / "result").write_text("1")

    folder = RunFolder.allocate(tmp_path, "a-1")

    assert folder.publish() == folder.path
    assert (other.path / "result").read_text() == "1"


def test_a_file_is_moved_with_its_time_and_mode(tmp_path: Path, work: WorkDirectory) -> None:
    source = work.path / "run.sh"
    source.write_text("echo")
    source.chmod(0o4777)
    os.utime(source, (1, 1_000_000_000))
    inode = source.stat().st_ino

    kept = RunFolder.allocate(tmp_path / "runs", "a").adopt(source, "bin/run.sh")

    assert kept == tmp_path / "runs" / "a-1" / "bin" / "run.sh"
    assert not source.exists()
    facts = kept.stat()
    assert (facts.st_ino, facts.st_mtime, stat.S_IMODE(facts.st_mode)) == (inode, 1_000_000_000, 0o755)


def test_across_devices_a_file_is_copied_and_the_original_goes(other_device: Path, work: WorkDirectory) -> None:
    source = work.path / "data.bin"
    source.write_bytes(os.urandom(3_000_000))
    os.utime(source, (1, 1_000_000_000))
    content = source.read_bytes()

    kept = RunFolder.allocate(other_device / "runs", "a").adopt(source, "data.bin")

    assert kept.read_bytes() == content
    assert kept.stat().st_mtime == 1_000_000_000
    assert not source.exists()


def test_what_was_linked_into_the_work_directory_does_not_change_with_it(tmp_path: Path, work: WorkDirectory) -> None:
    original = tmp_path / "data.csv"
    original.write_text("1")
    original.chmod(0o666)
    os.link(original, work.path / "data.csv")

    kept = RunFolder.allocate(tmp_path / "runs", "a").adopt(work.path / "data.csv", "data.csv")
    kept.write_text("2")

    assert original.read_text() == "1"
    assert stat.S_IMODE(original.stat().st_mode) == 0o666
    assert not (work.path / "data.csv").exists()


def test_a_file_that_became_a_link_is_not_taken(tmp_path: Path, work: WorkDirectory) -> None:
    (work.path / "x").symlink_to("/etc/passwd")

    with pytest.raises(TransferError, match="only regular files"):
        RunFolder.allocate(tmp_path / "runs", "a").adopt(work.path / "x", "x")


def test_a_file_that_is_gone_is_said(tmp_path: Path, work: WorkDirectory) -> None:
    with pytest.raises(TransferError, match="no longer there"):
        RunFolder.allocate(tmp_path / "runs", "a").adopt(work.path / "x", "x")


def test_a_run_cannot_leave_its_folder(tmp_path: Path, work: WorkDirectory) -> None:
    (work.path / "x").write_text("1")

    with pytest.raises(IllegalPath):
        RunFolder.allocate(tmp_path / "runs", "a").adopt(work.path / "x", "../x")


def test_a_runs_own_record_is_not_overwritten_by_its_files(tmp_path: Path, work: WorkDirectory) -> None:
    (work.path / "x").write_text("1")
    folder = RunFolder.allocate(tmp_path / "runs", "a")

    kept = folder.adopt(work.path / "x", "_run/run.json")

    assert not kept.is_relative_to(folder.path / "_run")


def test_an_unusable_base_falls_back_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    folder = RunFolder.allocate(tmp_path / "file" / "kestra-runs", "a", fallback=tmp_path / "data")

    assert folder.path == tmp_path / "data" / "a-1"
    assert folder.instead_of == tmp_path / "file" / "kestra-runs"


READ_ONLY = """
import json, sys
from pathlib import Path
from kestra_magic.workspace.directory import RunFolder

here = Path(sys.argv[1])
folder = RunFolder.allocate(here / "shared" / "kestra-runs", "a", fallback=here / "data")
print(json.dumps([str(folder.path), str(folder.instead_of)]))
"""


def test_a_read_only_folder_falls_back(open_folder: Path) -> None:
    (open_folder / "shared").mkdir(mode=0o555)
    (open_folder / "shared").chmod(0o555)

    kept, asked = as_nobody(READ_ONLY, open_folder)  # type: ignore[misc]

    assert (kept, asked) == (f"{open_folder}/data/a-1", f"{open_folder}/shared/kestra-runs")


def test_two_unusable_bases_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(KestraMagicError, match=re.escape(str(tmp_path / "file" / "b"))):
        RunFolder.allocate(tmp_path / "file" / "a", "a", fallback=tmp_path / "file" / "b")


def test_a_record_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    folder = RunFolder.allocate(tmp_path, "a")
    own = folder.path / "_run"
    own.mkdir()
    folder.expect_end()
    before = read_record(folder.path)
    for state in ("RUNNING", "SUCCESS"):
        write_record(folder.path, json.dumps({"state": state}))

    assert (before, read_record(folder.path)) == ({}, {"state": "SUCCESS"})
    assert os.listdir(own) == ["run.json"]
    assert stat.S_IMODE((own / "run.json").stat().st_mode) == 0o600


def test_a_record_that_the_disk_does_not_take_leaves_the_one_before(small_disk: Path) -> None:
    folder = RunFolder.allocate(small_disk / "runs", "a")
    write_record(folder.path, json.dumps({"state": "RUNNING"}))
    folder.expect_end()
    no_space_left(small_disk)

    with pytest.raises(TransferError, match="the disk is full"):
        write_record(folder.path, json.dumps({"state": "SUCCESS", "more": "x" * 10_000}))

    assert read_record(folder.path) == {"state": "RUNNING"}


def test_a_full_disk_leaves_the_file_where_it_was(small_disk: Path, work: WorkDirectory) -> None:
    source = work.path / "big"
    source.write_bytes(b"x" * 1_000_000)
    folder = RunFolder.allocate(small_disk / "runs", "a")

    with pytest.raises(TransferError, match="the disk is full"):
        folder.adopt(source, "big")

    assert source.stat().st_size == 1_000_000
    assert os.listdir(folder.path) == []


def test_a_disk_without_a_free_inode_or_byte_falls_back(small_disk: Path, tmp_path: Path) -> None:
    no_space_left(small_disk)

    folder = RunFolder.allocate(small_disk / "runs", "a", fallback=tmp_path / "data")

    assert folder.path.is_dir()


def test_x19_a_collected_file_is_gone_from_a_shared_work_directory(tmp_path: Path, work: WorkDirectory) -> None:
    (work.path / "x.csv").write_text("1")
    found, _ = collect(work.path, ["*.csv"])

    RunFolder.allocate(tmp_path / "runs", "a").adopt(found["x.csv"], "x.csv")

    assert collect(work.path, ["*.csv"])[0] == {}
