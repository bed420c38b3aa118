"""Internal storage: addresses that lead to files, and nowhere else."""

from __future__ import annotations

import os
import re
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestra_magic.workspace.directory import IllegalPath
from kestra_magic.workspace.storage import NoSuchURI, Storage, is_uri, slug, task_uri
from kestra_magic.workspace.transfer import TransferError

# `ScriptService.replaceInternalStorage`: what a URI in a command may consist of (`\w` is less than Java's Alnum)
URI = re.compile(r"kestra://[-\w.+~#=/]*")


def read(storage: Storage, uri: str) -> bytes:
    return storage.path(uri, namespace="").read_bytes()


def uri_of(path: str, name: str) -> str:
    return task_uri("company.team", "My_Flow", "exec", "Train it", "run", path, name)


@pytest.mark.parametrize("name", [f"{'x' * 251}.csv", f"{'ü' * 125}.csv"])
def test_a_name_as_long_as_the_system_takes_it_is_kept(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("kept")
    storage = Storage(tmp_path / "root")
    uri = storage.link(tmp_path / name, uri_of(f"/w/{name}", name))

    assert uri.endswith(".csv")
    assert read(storage, uri) == b"kept"


def test_what_file_uri_gives_leads_to_the_namespace_file(tmp_path: Path) -> None:
    (tmp_path / "_files").mkdir()
    (tmp_path / "_files" / "a b.txt").write_text("here")
    storage = Storage(tmp_path / "root", namespace_files=tmp_path / "_files")

    assert storage.path("kestra:///company/team/_files/a b.txt", namespace="company.team").read_text() == "here"
    with pytest.raises(NoSuchURI):
        storage.path("kestra:///company/team/_files/b.txt", namespace="company.team")


def test_a_task_file_has_kestras_address() -> None:
    uri = uri_of("/w/out.csv", "out.csv")

    assert re.fullmatch(r"kestra:///company/team/my-flow/executions/exec/tasks/train-it/run/[0-9A-Za-z]+-out\.csv", uri)


@pytest.mark.parametrize(
    ("text", "said"), [("My Flow", "my-flow"), ("a_b", "a-b"), ("--A  b!c--", "a-bc"), ("a.b", "ab"), ("é", "")]
)
def test_a_slug_is_kestras(text: str, said: str) -> None:
    assert slug(text) == said


@given(st.text(min_size=1, max_size=20).filter(lambda name: "/" not in name))
def test_an_address_survives_in_a_command(name: str) -> None:
    """A server cuts a URI at the first blank or `&`: here no name puts one into it."""
    uri = uri_of(f"/w/{name}", name)

    found = URI.search(f"cat '{uri}' && echo")

    assert found is not None
    assert found[0] == uri


def test_two_files_of_one_name_have_two_addresses() -> None:
    assert uri_of("/w/a/x", "x") != uri_of("/w/b/x", "x")


def test_a_link_holds_nothing_twice(storage: Storage, tmp_path: Path) -> None:
    kept = tmp_path / "kept.bin"
    kept.write_bytes(b"\0\xff")

    uri = storage.link(kept, uri_of("/w/kept.bin", "kept.bin"))

    assert storage.path(uri, namespace="") == kept
    assert read(storage, uri) == b"\0\xff"
    assert [p for p in storage.root.rglob("*") if p.is_file() and not p.is_symlink()] == []


def test_a_linked_file_may_be_replaced_by_a_later_one(storage: Storage, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}").write_text(str(number))
        uri = storage.link(tmp_path / f"{number}", "kestra:///a/x")

    assert read(storage, uri) == b"2"


def test_a_copy_is_private_and_independent(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "data.csv"
    source.write_text("1")

    uri = storage.put(source, "/a/b/data 1.csv")
    source.write_text("2")

    assert uri == "kestra:///a/b/data+1.csv"
    place = storage.path(uri, namespace="")
    assert place.read_text() == "1"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(storage.root.stat().st_mode) == 0o700


def test_bytes_are_put_as_they_are(storage: Storage) -> None:
    assert read(storage, storage.put(b"\0\xff", "kestra:///a/x")) == b"\0\xff"


def test_a_host_in_an_address_says_nothing(storage: Storage) -> None:
    storage.put(b"x", "kestra:///file.txt")

    assert read(storage, "kestra://some/file.txt") == b"x"


@pytest.mark.parametrize(
    "uri", ["kestra:///../outside", "kestra:///a/../../outside", "nsfile:///../x", "kestra:///a\0b"]
)
def test_an_address_never_leads_out(storage: Storage, uri: str) -> None:
    with pytest.raises(IllegalPath, match="leads out"):
        storage.path(uri, namespace="company.team")


@pytest.mark.parametrize("uri", ["s3://bucket/x", "/etc/passwd", "x.csv", "http://localhost/x"])
def test_other_addresses_are_refused_as_kestra_does(storage: Storage, uri: str) -> None:
    with pytest.raises(NoSuchURI, match="Invalid internal storage uri, got uri"):
        storage.path(uri, namespace="")


def test_a_missing_file_names_the_nearest(storage: Storage) -> None:
    storage.put(b"x", "kestra:///a/model.pt")

    with pytest.raises(NoSuchURI, match=r"did you mean `model\.pt`"):
        storage.path("kestra:///a/modle.pt", namespace="")


def test_a_result_that_was_removed_is_said_as_such(storage: Storage, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("1")
    uri = storage.link(kept, "kestra:///a/kept")
    kept.unlink()

    with pytest.raises(NoSuchURI, match="run again what made it"):
        storage.path(uri, namespace="")

    assert storage.tidy() == 1
    assert list(storage.root.iterdir()) == []


def test_deleting_an_address_keeps_the_result(storage: Storage, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("1")
    uri = storage.link(kept, "kestra:///a/kept")

    assert storage.delete(uri)
    assert not storage.delete(uri)
    assert kept.read_text() == "1"


def test_a_full_disk_is_one_sentence(small_disk: Path) -> None:
    storage = Storage(small_disk / "storage")

    with pytest.raises(TransferError, match="the disk is full"):
        storage.put(b"x" * 1_000_000, "kestra:///big")

    assert [p for p in storage.root.rglob("*") if p.is_file()] == []


# file://


def test_a_local_file_is_read_where_that_is_allowed(storage: Storage, beside: Path) -> None:
    (beside / "a b.txt").write_text("x")

    assert storage.path(f"file://{beside}/a b.txt", namespace="") == beside / "a b.txt"
    assert storage.path(f"file://{beside}/a%20b.txt", namespace="") == beside / "a b.txt"


def test_a_local_file_elsewhere_is_refused(storage: Storage, beside: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (beside / "link").symlink_to(tmp_path / "secret")

    for uri in (f"file://{tmp_path}/secret", f"file://{beside}/../secret", f"file://{beside}/link"):
        with pytest.raises(NoSuchURI, match="`allowed_paths`"):
            storage.path(uri, namespace="")


def test_a_local_file_needs_its_whole_path(storage: Storage) -> None:
    with pytest.raises(NoSuchURI, match="needs its whole path"):
        storage.path("file://data.csv", namespace="")


def test_a_missing_local_file_is_said(storage: Storage, beside: Path) -> None:
    with pytest.raises(NoSuchURI, match="there is no such file"):
        storage.path(f"file://{beside}/none", namespace="")


# nsfile://


@pytest.fixture
def namespaces(beside: Path) -> Path:
    for name in ("_files/src/main.py", "_files/test1.txt", "_files/sub/test1.txt", "other/ns/_files/test1.txt"):
        path = beside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (beside / "_files" / ".ipynb_checkpoints").mkdir()
    (beside / "_files" / ".ipynb_checkpoints" / "x.py").write_text("not a person's")
    return beside


def test_namespace_files_lie_beside_the_notebook(storage: Storage, namespaces: Path) -> None:
    own = storage.path("nsfile:///src/main.py", namespace="company.team")
    other = storage.path("nsfile://other.ns/test1.txt", namespace="company.team")

    assert own == namespaces / "_files" / "src" / "main.py"
    assert other.read_text() == "other/ns/_files/test1.txt"


def test_a_missing_namespace_file_names_the_nearest(storage: Storage, namespaces: Path) -> None:
    with pytest.raises(NoSuchURI, match=r"did you mean `test1\.txt`"):
        storage.path("nsfile:///test2.txt", namespace="company.team")


LISTED = [
    ([], [], ["src/main.py", "sub/test1.txt", "test1.txt"]),
    (["test1.txt"], [], ["sub/test1.txt", "test1.txt"]),
    (["/src/**"], [], ["src/main.py"]),
    (["*.py"], [], []),
    (["**/*.py"], [], ["src/main.py"]),
    ([], ["/sub/**"], ["src/main.py", "test1.txt"]),
    (["**/*.txt"], ["sub/**"], ["test1.txt"]),
]


@pytest.mark.parametrize(("include", "exclude", "names"), LISTED)
def test_patterns_choose_namespace_files(
    storage: Storage, namespaces: Path, include: list[str], exclude: list[str], names: list[str]
) -> None:
    found = storage.list_namespace_files(["company.team"], namespace="company.team", include=include, exclude=exclude)

    assert sorted(found) == names


def test_a_later_namespace_wins(storage: Storage, namespaces: Path) -> None:
    found = storage.list_namespace_files(["company.team", "other.ns"], namespace="company.team", include=["/test1.txt"])

    assert found["test1.txt"].read_text() == "other/ns/_files/test1.txt"


def test_each_namespace_may_have_its_folder(storage: Storage, namespaces: Path) -> None:
    found = storage.list_namespace_files(
        ["company.team", "other.ns"], namespace="company.team", include=["/test1.txt"], folder_per_namespace=True
    )

    assert sorted(found) == ["company.team/test1.txt", "other.ns/test1.txt"]


def test_a_namespace_without_files_has_none(storage: Storage) -> None:
    assert storage.list_namespace_files(["company.team"], namespace="company.team") == {}


def test_only_whole_values_are_addresses() -> None:
    assert all(map(is_uri, ("kestra:///a", "nsfile:///a", "file:///a")))
    assert not is_uri(" kestra:///a")
    assert not is_uri("see kestra:///a")


def test_links_among_namespace_files_are_followed_once(storage: Storage, namespaces: Path) -> None:
    os.symlink(namespaces / "_files", namespaces / "_files" / "loop")

    assert len(storage.list_namespace_files(["company.team"], namespace="company.team")) == 3


def test_who_tidies_takes_no_folder_away_from_under_a_new_file(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "result").write_text("y")
    over = threading.Event()

    def tidy() -> None:
        while not over.is_set():
            storage.tidy()

    other = threading.Thread(target=tidy)
    other.start()
    try:
        for n in range(300):
            assert read(storage, storage.put(b"x", f"/a/{n}/b/c")) == b"x"
            assert read(storage, storage.link(tmp_path / "result", f"/l/{n}/b/c")) == b"y"
    finally:
        over.set()
        other.join()
