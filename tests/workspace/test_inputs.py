"""Files in: what a task says and what is placed for it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestra_magic.errors import KestraMagicError
from kestra_magic.workspace.directory import IllegalPath, WorkDirectory
from kestra_magic.workspace.inputs import PlacedFile, input_files, place, placed
from kestra_magic.workspace.outputs import OutputFile, OutputFiles
from kestra_magic.workspace.storage import Storage
from kestra_magic.workspace.transfer import TransferError

VARIABLES = {"filename": "file.txt", "content": "Hello World", "none": ""}


def render(text: str) -> str:
    """Enough of an expression language: names, and `raw`."""
    if text.startswith("{% raw %}"):
        return text.removeprefix("{% raw %}").removesuffix("{% endraw %}")
    for name, value in VARIABLES.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


def as_is(text: str) -> str:
    return text


def put(work: WorkDirectory, storage: Storage, files: dict[str, object]) -> WorkDirectory:
    place(work, placed(files, storage, namespace="company.team"))
    return work


# `FilesServiceTest`


@pytest.mark.parametrize("name", ["../escape.txt", "/etc/passwd", "a/../../x"], ids=["fs1", "fs2", "deep"])
def test_fs1_fs2_a_name_outside_is_refused(work: WorkDirectory, name: str) -> None:
    with pytest.raises(IllegalPath, match="must be a relative path inside the current working directory"):
        place(work, [PlacedFile(name, b"x")])


def test_fs3_the_second_content_counts(work: WorkDirectory) -> None:
    place(work, [PlacedFile("file.txt", b"overwriten"), PlacedFile("file.txt", b"second")])

    assert (work.path / "file.txt").read_bytes() == b"second"


def test_fs4_names_and_contents_are_rendered() -> None:
    assert input_files({"{{filename}}": "{{content}}"}, render) == {"file.txt": "Hello World"}


def test_fs5_raw_stays() -> None:
    assert input_files({"file.txt": "{% raw %}{{content}}{% endraw %}"}, render) == {"file.txt": "{{content}}"}


def test_fs6_a_local_file_is_fetched(work: WorkDirectory, storage: Storage, beside: Path) -> None:
    (beside / "data.bin").write_bytes(b"\0\xff")

    put(work, storage, {"file.bin": f"file://{beside}/data.bin"})

    assert (work.path / "file.bin").read_bytes() == b"\0\xff"


def test_fs7_a_namespace_file_is_fetched(work: WorkDirectory, storage: Storage, beside: Path) -> None:
    (beside / "_files").mkdir()
    (beside / "_files" / "file.txt").write_text("namespace")

    put(work, storage, {"copy.txt": "nsfile:///file.txt"})

    assert (work.path / "copy.txt").read_text() == "namespace"


def test_fs10_every_name_is_a_name(work: WorkDirectory, storage: Storage) -> None:
    names = ["with space.txt", "สวัสดี&.txt", "new\nline", "🦆.txt", "-rf", "a'b\"c", "quack;rm *"]

    put(work, storage, dict.fromkeys(names, "x"))

    assert sorted(os.listdir(work.path)) == sorted(names)


@given(st.text(min_size=1, max_size=20).filter(lambda n: not set(n) & set("/\0") and n not in (".", "..")))
def test_any_name_without_a_slash_is_kept_verbatim(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return
    work = WorkDirectory.make(tmp_path_factory.mktemp("names") / "w")

    place(work, [PlacedFile(name, b"x")])

    assert os.listdir(work.path) == [name]


# What a task says


def test_x12_a_list_is_the_wrong_type() -> None:
    with pytest.raises(KestraMagicError, match="Invalid `inputFiles` with type 'list'"):
        input_files(["a"], as_is)


def test_x13_a_null_in_a_map_is_no_file() -> None:
    assert input_files({"a": None, "b": "1"}, as_is) == {"b": "1"}


def test_x13_a_null_in_json_is_an_empty_file() -> None:
    assert input_files('{"a": null, "b": 1, "c": true, "d": "x", "e": 1.5}', as_is) == {
        "a": "", "b": "1", "c": "true", "d": "x", "e": "1.5",
    }  # fmt: skip


def test_text_is_rendered_and_then_read_as_json() -> None:
    assert input_files('{"{{filename}}": "{{content}}"}', render) == {"file.txt": "Hello World"}


def test_two_names_that_become_one_are_refused() -> None:
    with pytest.raises(KestraMagicError, match=r"Duplicate key file\.txt"):
        input_files({"file.txt": "1", "{{filename}}": "2"}, render)


@pytest.mark.parametrize(("value", "kind"), [(1, "number"), (True, "truth value"), ({"a": 1}, "map"), ([1], "list")])
def test_a_content_that_is_no_text_is_refused(value: object, kind: str) -> None:
    with pytest.raises(KestraMagicError, match=f"the content of `config` is a {kind}"):
        input_files({"config": value}, as_is)


@pytest.mark.parametrize("text", ["", "hello", "[1]", '{"a": {"b": 1}}', "3"])
def test_text_that_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(KestraMagicError, match="`inputFiles`"):
        input_files(text, as_is)


# What is placed


def test_values_of_any_kind_become_files(work: WorkDirectory, storage: Storage) -> None:
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    put(
        work,
        storage,
        {
            "a/text.txt": "héllo",
            "bytes.bin": b"\0",
            "view.bin": memoryview(b"\1"),
            "dict.json": {"é": [1]},
            "t.csv": frame,
            "t.tsv": frame,
            "t.jsonl": frame,
            "t.parquet": frame,
            "t.csv.gz": frame,
            "rows.csv": [{"a": 1}, {"b": 2}],
            "rows.jsonl": [{"a": 1}, {"b": 2}],
            "series.csv": frame["a"],
        },
    )
    read = {p.relative_to(work.path).as_posix(): p.read_bytes() for p in work.path.rglob("*") if p.is_file()}

    assert read["a/text.txt"] == "héllo".encode()
    assert (read["bytes.bin"], read["view.bin"]) == (b"\0", b"\1")
    assert json.loads(read["dict.json"]) == {"é": [1]}
    assert read["t.csv"] == b"a,b\n1,x\n2,y\n"
    assert read["t.tsv"] == b"a\tb\n1\tx\n2\ty\n"
    assert read["t.jsonl"] == b'{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n'
    assert pandas.read_parquet(work.path / "t.parquet").equals(frame)
    assert pandas.read_csv(work.path / "t.csv.gz").equals(frame)
    assert read["rows.csv"] == b"a,b\n1,\n,2\n"
    assert read["rows.jsonl"] == b'{"a": 1}\n{"b": 2}\n'
    assert read["series.csv"] == b"a\n1\n2\n"


def test_an_index_that_says_something_goes_along(work: WorkDirectory, storage: Storage) -> None:
    frame = pandas.DataFrame({"a": [1]}, index=pandas.Index(["x"], name="key"))

    put(work, storage, {"t.csv": frame, "t.jsonl": frame})

    assert (work.path / "t.csv").read_text() == "key,a\nx,1\n"
    assert json.loads((work.path / "t.jsonl").read_text()) == {"key": "x", "a": 1}


class Run:
    """As much of a run as its files."""

    def __init__(self, **files: OutputFile) -> None:
        self.files = OutputFiles(files)


def test_paths_folders_outputs_and_runs_become_files(work: WorkDirectory, storage: Storage, beside: Path) -> None:
    (beside / "data" / "deep").mkdir(parents=True)
    (beside / "data" / "deep" / "x.csv").write_text("1")
    (beside / "data" / ".ipynb_checkpoints").mkdir()
    (beside / "data" / ".ipynb_checkpoints" / "x").write_text("not a person's")
    output = OutputFile("m.pt", beside / "data" / "deep" / "x.csv")

    put(work, storage, {"data": beside / "data", "model.pt": output, "of": Run(m=output), "": Run(n=output)})

    found = sorted(p.relative_to(work.path).as_posix() for p in work.path.rglob("*") if p.is_file())
    assert found == ["data/deep/x.csv", "model.pt", "n", "of/m"]


def test_a_value_without_a_form_is_refused(storage: Storage) -> None:
    with pytest.raises(KestraMagicError, match="`x`: a value of type `object` has no form as a file"):
        placed({"x": object()}, storage, namespace="")


def test_a_frame_needs_a_suffix(storage: Storage) -> None:
    with pytest.raises(KestraMagicError, match=r"`t`: a DataFrame is written as \.csv"):
        placed({"t": pandas.DataFrame()}, storage, namespace="")


def test_what_json_cannot_say_is_refused(storage: Storage) -> None:
    with pytest.raises(KestraMagicError, match=r"`x\.json` cannot be written as JSON"):
        placed({"x.json": {"a": object()}}, storage, namespace="")


def test_a_missing_path_names_the_nearest(storage: Storage, beside: Path) -> None:
    (beside / "train.py").touch()

    with pytest.raises(KestraMagicError, match=r"did you mean `train\.py`"):
        placed({"x": beside / "trian.py"}, storage, namespace="")


def test_placed_files_are_not_executable_and_originals_stay(
    work: WorkDirectory, storage: Storage, beside: Path
) -> None:
    script = beside / "run.sh"
    script.write_text("echo")
    script.chmod(0o755)

    put(work, storage, {"run.sh": script, "text.sh": "echo"})
    (work.path / "run.sh").write_text("changed")

    assert script.read_text() == "echo"
    modes = {stat.S_IMODE((work.path / name).stat().st_mode) for name in ("run.sh", "text.sh")}
    assert modes == {0o644}


def test_a_file_that_already_lies_where_it_belongs_is_left_alone(storage: Storage, beside: Path) -> None:
    original = beside / "train.py"
    original.write_text("1")
    before = original.stat()

    place(WorkDirectory(beside), placed({"train.py": original}, storage, namespace=""))

    assert original.stat() == before


@pytest.mark.parametrize("name", ["", "/", "a/"])
def test_a_folder_is_no_name_for_a_file(work: WorkDirectory, name: str) -> None:
    with pytest.raises(IllegalPath, match="no name for an input file"):
        place(work, [PlacedFile(name, b"x")])


def test_a_folder_link_planted_by_a_script_is_not_written_through(work: WorkDirectory, tmp_path: Path) -> None:
    (work.path / "out").symlink_to(tmp_path)

    with pytest.raises(IllegalPath):
        place(work, [PlacedFile("out/x", b"x")])

    assert not (tmp_path / "x").exists()


def test_a_link_planted_in_a_name_is_not_written_through(work: WorkDirectory, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("1")
    (work.path / "x").symlink_to(tmp_path / "precious")

    with pytest.raises(IllegalPath):
        place(work, [PlacedFile("x", b"2")])

    assert (tmp_path / "precious").read_text() == "1"


def test_an_original_that_vanishes_is_one_sentence(work: WorkDirectory, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="no longer there"):
        place(work, [PlacedFile("x", source=tmp_path / "gone")])

    assert os.listdir(work.path) == []


def test_a_pipe_is_not_waited_for(work: WorkDirectory, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(TransferError, match="not a regular file"):
        place(work, [PlacedFile("x", source=tmp_path / "pipe")])


def test_a_file_where_a_folder_is_needed_is_one_sentence(work: WorkDirectory) -> None:
    with pytest.raises(TransferError):
        place(work, [PlacedFile("a", b"1"), PlacedFile("a/b", b"2")])


def test_a_folder_where_a_file_is_needed_is_one_sentence(work: WorkDirectory) -> None:
    with pytest.raises(TransferError, match="it is a folder, and a file is needed"):
        place(work, [PlacedFile("a/b", b"1"), PlacedFile("a", b"2")])


def test_a_full_disk_leaves_no_half_file(small_disk: Path) -> None:
    work = WorkDirectory.make(small_disk / "w")

    with pytest.raises(TransferError, match="the disk is full"):
        place(work, [PlacedFile("big", b"x" * 1_000_000)])

    assert os.listdir(work.path) == []


def test_a_copy_onto_a_full_disk_leaves_no_half_file(small_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 1_000_000)
    work = WorkDirectory.make(small_disk / "w")

    with pytest.raises(TransferError, match="the disk is full"):
        place(work, [PlacedFile("big", source=tmp_path / "big")])

    assert os.listdir(work.path) == []
