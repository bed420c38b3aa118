"""`-f [DEST=]SRC`: what lies beside the notebook, and what the notebook holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas
import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.workspace.inputs import from_option, placed
from kestra_magic.workspace.outputs import OutputFile, OutputFiles
from kestra_magic.workspace.storage import Storage


class Run:
    def __init__(self, files: Mapping[str, OutputFile]) -> None:
        self.files = OutputFiles(files)


@pytest.fixture
def notebook(beside: Path) -> Path:
    for name in (
        "train.py",
        "data/a.csv",
        "data/b.csv",
        "data/year=2024/c.csv",
        "deep/er/d.csv",
        "kestra-runs/old-1/x",
    ):
        path = beside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (beside.parent / "elsewhere.csv").write_text("elsewhere")
    return beside


PLACED = {
    "train.py": {"train.py": "train.py"},
    "data/a.csv": {"data/a.csv": "data/a.csv"},
    "x.py=train.py": {"x.py": "train.py"},
    "in/=data/a.csv": {"in/a.csv": "data/a.csv"},
    "./train.py": {"train.py": "train.py"},
    "../elsewhere.csv": {"elsewhere.csv": "elsewhere"},
    "data/year=2024/c.csv": {"data/year=2024/c.csv": "data/year=2024/c.csv"},
    "c.csv=data/year=2024/c.csv": {"c.csv": "data/year=2024/c.csv"},
    "data/*.csv": {"data/a.csv": "data/a.csv", "data/b.csv": "data/b.csv"},
    "in=data/*.csv": {"in/a.csv": "data/a.csv", "in/b.csv": "data/b.csv"},
    "in/=**/d.csv": {"in/deep/er/d.csv": "deep/er/d.csv"},
    "deep": {"deep/er/d.csv": "deep/er/d.csv"},
    "in=deep": {"in/er/d.csv": "deep/er/d.csv"},
    ".": {
        "train.py": "train.py",
        "data/a.csv": "data/a.csv",
        "data/b.csv": "data/b.csv",
        "data/year=2024/c.csv": "data/year=2024/c.csv",
        "deep/er/d.csv": "deep/er/d.csv",
    },
}


@pytest.mark.parametrize(("spec", "files"), PLACED.items(), ids=PLACED)
def test_paths_folders_and_globs_are_placed(notebook: Path, storage: Storage, spec: str, files: dict[str, str]) -> None:
    given = from_option(spec, beside=notebook, names={})
    found = placed(given, storage, namespace="")

    assert {file.name: file.source.read_text() for file in found if file.source} == files


def test_an_absolute_path_is_placed_by_its_name(notebook: Path) -> None:
    assert from_option(str(notebook.parent / "elsewhere.csv"), beside=notebook, names={}) == {
        "elsewhere.csv": notebook.parent / "elsewhere.csv"
    }


def test_the_home_folder_may_be_written_short(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(notebook.parent))

    assert list(from_option("~/elsewhere.csv", beside=notebook, names={})) == ["elsewhere.csv"]


def test_variables_get_a_name_that_says_what_they_are(notebook: Path) -> None:
    names = {"df": pandas.DataFrame(), "cfg": {"a": 1}, "notes": "text", "where": Path("/x/y.bin")}

    found = [next(iter(from_option(name, beside=notebook, names=names))) for name in names]

    assert found == ["df.csv", "cfg.json", "notes", "y.bin"]


def test_a_variable_is_placed_where_it_is_wanted(notebook: Path) -> None:
    frame = pandas.DataFrame({"a": [1]})

    assert from_option("in/t.parquet=df", beside=notebook, names={"df": frame})["in/t.parquet"] is frame
    assert list(from_option("in/=df", beside=notebook, names={"df": frame})) == ["in/df.csv"]


def test_a_frame_with_a_column_named_files_is_no_run(notebook: Path) -> None:
    frame = pandas.DataFrame({"files": [1]})

    assert list(from_option("df", beside=notebook, names={"df": frame})) == ["df.csv"]


def test_a_run_gives_all_its_files(notebook: Path) -> None:
    run = Run({"m.pt": OutputFile("m.pt", notebook / "train.py"), "a/b": OutputFile("a/b", notebook / "train.py")})

    assert list(from_option("train", beside=notebook, names={"train": run})) == ["m.pt", "a/b"]
    assert list(from_option("old=train", beside=notebook, names={"train": run})) == ["old/m.pt", "old/a/b"]


def test_a_file_goes_before_a_variable(notebook: Path) -> None:
    (notebook / "df").write_text("file")

    assert from_option("df", beside=notebook, names={"df": "variable"}) == {"df": notebook / "df"}


MISSES = {
    "trian.py": r"there is no file, folder or variable `trian\.py` .*did you mean `train\.py`",
    "x=trian.py": r"`-f x=trian\.py`: .*`trian\.py`",
    "d.csv": r"did you mean `deep/er/d\.csv`",
    "frme": r"did you mean `frame`",
    "data/*.tsv": r"`data/\*\.tsv`",
    "nothing=": r"`nothing=`",
}


@pytest.mark.parametrize(("spec", "said"), MISSES.items(), ids=MISSES)
def test_what_is_missing_names_the_nearest(notebook: Path, spec: str, said: str) -> None:
    with pytest.raises(KestraMagicError, match=said):
        from_option(spec, beside=notebook, names={"frame": 1, "_hidden": 2})
