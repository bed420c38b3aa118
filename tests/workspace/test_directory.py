"""Work directories: private, contained, gone when they should be."""

from __future__ import annotations

import os
import re
import stat
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestra_magic.errors import KestraMagicError
from kestra_magic.workspace.directory import IllegalPath, WorkDirectory, _friendly, id_from, new_id, work_parent
from tests.workspace.conditions import as_nobody


def mode(path: Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_an_id_is_the_friendly_id_of_a_uuid() -> None:
    assert _friendly(uuid.UUID("c3587ec5-0976-497f-8374-61e0c2ea3da5")) == "5wbwf6yUxVBcr48AMbz9cb"


def test_new_ids_are_short_and_differ() -> None:
    ids = {new_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(re.fullmatch(r"[0-9A-Za-z]{15,22}", each) for each in ids)


def test_the_id_of_a_text_is_that_of_javas_name_uuid() -> None:
    """`UUID.nameUUIDFromBytes("hello".getBytes())` is 5d41402a-bc4b-3a76-b971-9d911017c592."""
    assert id_from("hello") == _friendly(uuid.UUID("5d41402a-bc4b-3a76-b971-9d911017c592"))


def test_wd1_the_path_ends_with_the_id(tmp_path: Path) -> None:
    work = WorkDirectory.make(tmp_path / "abc")

    assert work.path.name == "abc"
    assert work.resolve(None) == work.path


def test_wd2_names_inside_are_resolved(work: WorkDirectory) -> None:
    assert work.resolve("file.txt") == work.path / "file.txt"
    assert work.resolve("subdir/file.txt") == work.path / "subdir" / "file.txt"


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../../etc/passwd", "subdir/../../../etc/passwd", "../x", "sub/../b", "..", "a/..", "a\0b"]
)
def test_wd2_names_outside_are_refused(work: WorkDirectory, name: str) -> None:
    with pytest.raises(IllegalPath, match="must be a relative path inside the current working directory"):
        work.resolve(name)


def test_an_absolute_path_inside_is_inside(work: WorkDirectory) -> None:
    assert work.resolve(f"{work.path}/a") == work.path / "a"


def test_a_link_that_leads_outside_is_refused(work: WorkDirectory, tmp_path: Path) -> None:
    (work.path / "out").symlink_to(tmp_path)
    (work.path / "passwd").symlink_to("/etc/passwd")

    for name in ("out/x", "passwd"):
        with pytest.raises(IllegalPath):
            work.resolve(name)


@given(st.text(alphabet="ab./\\\0é", max_size=12))
def test_whatever_is_resolved_is_inside(name: str) -> None:
    work = WorkDirectory(Path("/nowhere/w"))
    try:
        path = work.resolve(name)
    except IllegalPath:
        return
    assert Path(os.path.normpath(path)).is_relative_to(work.path)


def test_wd5_a_directory_is_made_again_after_its_removal(work: WorkDirectory) -> None:
    assert work.remove() == ""

    again = WorkDirectory.make(work.path)

    assert again.path.is_dir()


def test_wd6_it_lies_under_the_chosen_parent(tmp_path: Path) -> None:
    assert WorkDirectory.make(tmp_path / "a" / "b" / "id").path == tmp_path / "a" / "b" / "id"


def test_it_and_its_new_parents_are_private(tmp_path: Path) -> None:
    work = WorkDirectory.make(tmp_path / "a" / "b" / "id")

    assert {mode(path) for path in (work.path, work.path.parent, work.path.parent.parent)} == {0o700}


@pytest.mark.parametrize("folder", ["with space", "with:colon", "with\nline"])
def test_a_path_that_scripts_cannot_use_unquoted_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(IllegalPath, match="`work_dir`"):
        WorkDirectory.make(tmp_path / folder / "id")


def test_a_home_with_a_space_gets_another_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))

    parent = work_parent(tmp_path / "My Documents")

    assert parent.parent == tmp_path
    assert mode(parent) == 0o700
    assert work_parent(tmp_path / "plain") == tmp_path / "plain"


def test_that_parent_is_refused_when_others_can_write_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    work_parent(tmp_path / "a b").chmod(0o777)

    with pytest.raises(KestraMagicError, match="not yours alone"):
        work_parent(tmp_path / "a b")


def test_an_id_is_used_once(work: WorkDirectory) -> None:
    with pytest.raises(KestraMagicError, match=re.escape(str(work.path))):
        WorkDirectory.make(work.path)


def test_removal_does_not_follow_links(work: WorkDirectory, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "data.csv").write_text("1")
    (work.path / "link").symlink_to(kept)
    (work.path / "file").symlink_to(kept / "data.csv")

    assert work.remove() == ""

    assert (kept / "data.csv").read_text() == "1"
    assert not work.path.exists()


def test_a_directory_that_was_replaced_by_a_link_takes_only_the_link(work: WorkDirectory, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    (tmp_path / "home" / "sub").mkdir(mode=0o755)
    work.path.rmdir()
    work.path.symlink_to(tmp_path / "home")

    assert work.remove() == ""

    assert mode(tmp_path / "home" / "sub") == 0o755
    assert not os.path.lexists(work.path)


def test_a_directory_of_any_depth_is_removed(work: WorkDirectory) -> None:
    """Deeper than a path may be long, and than Python may recurse."""
    before = os.open(".", os.O_RDONLY)
    os.chdir(work.path)
    try:
        for _ in range(3000):
            os.mkdir("deep")
            os.chdir("deep")
    finally:
        os.fchdir(before)
        os.close(before)

    assert work.remove() == ""
    assert not work.path.exists()


def test_removing_what_is_gone_says_nothing(work: WorkDirectory) -> None:
    assert work.remove() == work.remove() == ""


CLOSED = """
import json, os, sys
from pathlib import Path
from kestra_magic.workspace.directory import WorkDirectory

work = WorkDirectory.make(Path(sys.argv[1]) / "closed")
deep = work.path / "a" / "b"
deep.mkdir(parents=True)
(deep / "x").write_text("1")
os.chmod(deep, 0)
os.chmod(work.path / "a", 0)
print(json.dumps([work.remove(), os.path.lexists(work.path)]))
"""


def test_what_a_script_closed_is_removed_too(open_folder: Path) -> None:
    assert as_nobody(CLOSED, open_folder) == ["", False]


FOREIGN = """
import json, os, sys
from pathlib import Path
from kestra_magic.workspace.directory import WorkDirectory

print(json.dumps(WorkDirectory(Path(sys.argv[1])).remove()))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make files that are not ours")
def test_what_cannot_be_removed_is_said(open_folder: Path) -> None:
    (open_folder / "w" / "sub").mkdir(parents=True)
    (open_folder / "w" / "sub" / "file").write_text("someone else's")

    assert "unable to clean up" in str(as_nobody(FOREIGN, open_folder / "w"))
