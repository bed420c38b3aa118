"""What the page asks of a run's files: bounded answers, and a sentence where there is nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kestra_magic.show.answers import Answers
from kestra_magic.show.fileanswers import FIRST_ENTRIES
from kestra_magic.show.logview import LogView

ROOT = Path(__file__).parents[2]
AS_NOBODY = """
import json, os, sys
from pathlib import Path
from tests.show.test_answers import answers
ask = answers(Path(sys.argv[1]))
if not os.getuid():
    os.setgroups([]), os.setgid(65534), os.setuid(65534)  # root may read everything
print(json.dumps([ask.to(question)[0] for question in json.loads(sys.argv[2])]))
"""


def answers(root: Path | None) -> Answers:
    source: Any = SimpleNamespace(
        root=root,
        beside=root,
        inputs={"given.txt"},
        started=1e12,
        variable="train",
        declared=lambda name: name.endswith(".csv"),
    )
    return Answers(source, LogView(lambda: None), ended=lambda: True)


def asked(root: Path, verb: str, **given: Any) -> dict[str, Any]:
    return answers(root).to({"t": verb, **given})[0]


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("text")


def test_folders_come_first_and_files_bear_their_marks(tmp_path: Path) -> None:
    make(tmp_path, "b.csv", "a.tmp", "given.txt", "sub/leaf.txt", "_run/run.json")

    told = asked(tmp_path, "folder", path="")

    assert told["names"] == ["sub", "a.tmp", "b.csv", "given.txt"]
    assert told["sizes"] == [-1, 4, 4, 4]
    assert told["marks"] == ["", "undeclared", "output", "input"]
    assert asked(tmp_path, "folder", path="sub")["names"] == ["sub/leaf.txt"]


def test_a_large_folder_comes_in_parts(tmp_path: Path) -> None:
    make(tmp_path, *(f"{n:04d}.txt" for n in range(FIRST_ENTRIES + 20)), "z/leaf.txt")
    first = asked(tmp_path, "folder", path="")
    rest = asked(tmp_path, "folder", path="", **{"from": FIRST_ENTRIES})

    assert [*first["names"], *rest["names"]] == ["z", *(f"{n:04d}.txt" for n in range(FIRST_ENTRIES + 20))]
    assert first["total"] == rest["total"] == FIRST_ENTRIES + 21


def test_a_search_looks_into_every_folder(tmp_path: Path) -> None:
    make(tmp_path, "one/leaf.txt", "two/deep/LEAF.csv", "other.txt")

    assert asked(tmp_path, "find", text="leaf")["names"] == ["one/leaf.txt", "two/deep/LEAF.csv"]


@pytest.mark.parametrize("verb", ["folder", "preview", "about", "piece"])
@pytest.mark.parametrize("path", ["..", "../x", "/etc/passwd", "out/passwd"])
def test_nothing_leads_out_of_the_run(tmp_path: Path, verb: str, path: str) -> None:
    (tmp_path / "out").symlink_to("/etc")

    assert asked(tmp_path, verb, path=path, **{"from": 0}, count=10) == {"error": "It may not be read."}


def test_a_name_that_is_no_text_comes_back_as_it_went(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.csv"))).write_text("a\n1\n")
    (told,) = asked(tmp_path, "folder", path="")["names"]
    there = json.loads(json.dumps(told, ensure_ascii=False).encode())
    shown = asked(tmp_path, "preview", path=there)

    assert shown["table"]["rows"] == (("1",),)
    assert shown["code"]["reference"] == "train.files['bad\\udcff.csv']"
    assert asked(tmp_path, "about", path=there)["name"] == "bad?.csv"


def test_what_went_is_a_sentence(tmp_path: Path) -> None:
    assert asked(tmp_path, "folder", path="gone") == {"error": "It is no longer there."}
    assert answers(None).to({"t": "folder", "path": ""})[0] == {"error": "It is no longer there."}


@pytest.fixture
def for_all() -> Iterator[Path]:
    """A folder that every user of the machine can reach; pytest's own are closed."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="folders are closed otherwise there")
def test_a_folder_without_permission_is_a_sentence_and_hides_only_itself(for_all: Path) -> None:
    make(for_all, "closed/leaf.txt", "open/leaf.txt", "shut.txt")
    os.chmod(for_all / "shut.txt", 0)
    os.chmod(for_all / "closed", 0)
    questions = [
        {"t": "folder", "path": ""},
        {"t": "folder", "path": "closed"},
        {"t": "find", "text": "leaf"},
        {"t": "preview", "path": "shut.txt"},
    ]
    try:
        said = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, for_all, json.dumps(questions)],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    finally:
        os.chmod(for_all / "closed", 0o700)
    root, closed, found, shut = json.loads(said)

    assert root["names"] == ["closed", "open", "shut.txt"]
    assert closed == {"error": "It may not be read."}
    assert found["names"] == ["open/leaf.txt"]
    assert shut["said"] == "it may not be read"
