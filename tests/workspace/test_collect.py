"""What a run left: found by Java's rules, with a reason for every pattern that found nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kestra_magic.workspace.directory import WorkDirectory
from kestra_magic.workspace.globs import GlobError
from kestra_magic.workspace.outputs import changed, collect, snapshot
from tests.workspace.conditions import as_nobody


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def names(root: Path, *patterns: str) -> list[str]:
    return list(collect(root, patterns)[0])


def miss(root: Path, pattern: str) -> str:
    found, misses = collect(root, [pattern])
    assert found == {}
    (said,) = misses
    assert said.startswith(f"`{pattern}` matched no file")
    return said


def test_fs8_a_name_is_one_file(work: WorkDirectory) -> None:
    assert names(make(work.path, "file.txt", "other.txt"), "file.txt") == ["file.txt"]


def test_fs9_a_rendered_pattern_is_a_pattern(work: WorkDirectory) -> None:
    assert names(make(work.path, "file.txt"), "*.txt") == ["file.txt"]


def test_fs10_names_are_kept_verbatim(work: WorkDirectory) -> None:
    strange = ["with space.txt", "สวัสดี&.txt", "new\nline.txt", "🦆.txt"]
    found, _ = collect(make(work.path, *strange), ["*.txt"])

    assert sorted(found) == sorted(strange)
    assert {path.read_text() for path in found.values()} == set(strange)


WD4 = [["glob:{root}/**.*"], ["*.*", "**/*.*"], ["*.*", "*.*", "**/*.*"], [r"regex:.*\.tmp", "*.txt", "**/*.txt"]]


@pytest.mark.parametrize("patterns", WD4, ids=str)
def test_wd4_every_way_to_say_all_files_finds_all(work: WorkDirectory, patterns: list[str]) -> None:
    make(work.path, "1.tmp", "2.txt", "sub/3.txt", "sub/dir/4.tmp", "sub/dir/5.txt")

    assert len(names(work.path, *(pattern.replace("{root}", str(work.path)) for pattern in patterns))) == 5


def test_x8_what_is_missing_is_no_error(work: WorkDirectory) -> None:
    found, misses = collect(make(work.path, "a.txt"), ["b.csv"])

    assert found == {}
    assert len(misses) == 1


def test_x11_two_stars_and_a_slash_skip_root_files(work: WorkDirectory) -> None:
    assert names(make(work.path, "a.txt", "s/b.txt"), "**/*.txt") == ["s/b.txt"]


def test_only_regular_files_are_collected(work: WorkDirectory, tmp_path: Path) -> None:
    make(work.path, "real", "folder/real")
    make(tmp_path, "outside/secret")
    (work.path / "link").symlink_to("/etc/passwd")
    (work.path / "folder-link").symlink_to(tmp_path / "outside")
    os.mkfifo(work.path / "pipe")

    assert names(work.path, "**") == ["folder/real", "real"]


def test_a_line_end_in_a_name_is_passed_over_and_told(work: WorkDirectory) -> None:
    """Source: `.` in Java's regular expressions, to which `**` is translated."""
    found, misses = collect(make(work.path, "a.txt", "x\ny.txt", "z\n.csv"), ["**.txt", "z*"])

    assert list(found) == ["a.txt", "z\n.csv"]
    assert misses == [
        r"'x\ny.txt' was not collected: as on a server, `**` does not match a line end in a name; `*` does"
    ]


def test_dotfiles_are_files(work: WorkDirectory) -> None:
    assert names(make(work.path, ".hidden", ".d/x"), "*", "**/*") == [".d/x", ".hidden"]


def test_a_malformed_pattern_is_one_sentence(work: WorkDirectory) -> None:
    with pytest.raises(GlobError, match=r"pattern `\[a`"):
        collect(work.path, ["[a"])


def test_nothing_is_read_when_nothing_is_wanted() -> None:
    assert collect(Path("/nowhere"), []) == ({}, [])


NEAR = {
    "**/*.txt": "`**/` needs a folder, and `a.txt` lies in none: add `*.txt`",
    "out": "it is a folder, write `out/**`",
    "out/": "it is a folder, write `out/**`",
    "./a.txt": "write `a.txt` without `./`",
    "A.TXT": "there is `a.txt`, and case matters",
    "a.csv": "there is `a.txt`",
    "b.txt.gz": "`out/b.txt.gz` lies deeper: write `out/b.txt.gz`, or `**/b.txt.gz`",
    "link": "it is a link, and only regular files are collected",
    "modle.pt": "there is `model.pt`",
}


@pytest.mark.parametrize(("pattern", "said"), NEAR.items(), ids=NEAR)
def test_a_near_miss_says_what_to_write(work: WorkDirectory, pattern: str, said: str) -> None:
    make(work.path, "a.txt", "out/b.txt.gz", "model.pt")
    (work.path / "link").symlink_to("a.txt")

    assert miss(work.path, pattern) == f"`{pattern}` matched no file: {said}"


def test_an_absolute_pattern_is_told_where_patterns_begin(work: WorkDirectory) -> None:
    make(work.path, "a.txt")

    assert miss(work.path, f"{work.path}/a.txt").endswith("patterns begin at the working directory, write `a.txt`")


def test_an_empty_directory_is_said(work: WorkDirectory) -> None:
    assert miss(work.path, "*.csv") == "`*.csv` matched no file: the run left no file at all"


def test_nothing_near_is_said_plainly(work: WorkDirectory) -> None:
    assert miss(make(work.path, "a.txt"), "*.parquet") == "`*.parquet` matched no file"


def test_a_directory_that_is_gone_has_no_files(tmp_path: Path) -> None:
    assert collect(tmp_path / "gone", ["*"])[0] == {}


UNREAD = """
import json, os, sys
from pathlib import Path
from kestra_magic.workspace.outputs import collect

root = Path(sys.argv[1])
(root / "closed").mkdir()
(root / "closed" / "x").write_text("1")
(root / "y").write_text("1")
os.chmod(root / "closed", 0)
found, misses = collect(root, ["**"])
os.chmod(root / "closed", 0o700)
print(json.dumps([list(found), misses]))
"""


def test_a_folder_that_cannot_be_read_is_said(open_folder: Path) -> None:
    assert as_nobody(UNREAD, open_folder) == [
        ["y"], ["folder `closed` could not be read: nothing in it was collected"],
    ]  # fmt: skip


# In the notebook's own folder


def test_here_what_is_new_or_changed_is_the_output(beside: Path) -> None:
    make(beside, "old.csv", "stays.csv", "notebook.ipynb")
    before = snapshot(beside)
    make(beside, "new.csv", "sub/new.csv", "made.ipynb", "kestra-runs/a-1/x", ".git/y")
    (beside / "old.csv").write_text("longer than before")
    (beside / "notebook.ipynb").write_text("saved by its editor")
    (beside / "link").symlink_to("old.csv")

    assert list(changed(beside, before)) == ["made.ipynb", "new.csv", "old.csv", "sub/new.csv"]


def test_a_snapshot_is_plain_data(beside: Path) -> None:
    assert json.loads(json.dumps(snapshot(make(beside, "a")))).keys() == {"a"}
