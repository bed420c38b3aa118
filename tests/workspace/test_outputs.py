"""Files out: paths that know how to be read."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.workspace.outputs import NoSuchFile, OutputFile, OutputFiles
from kestra_magic.workspace.transfer import TransferError
from tests.workspace.conditions import ROOT

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452")


def written(folder: Path, name: str, content: bytes | str) -> OutputFile:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return OutputFile(name, path, f"kestra:///x/{name}")


def test_a_file_is_a_path(tmp_path: Path) -> None:
    file = written(tmp_path, "t.csv", "a\n1\n")

    assert Path(file).read_text() == "a\n1\n"
    assert pandas.read_csv(file)["a"].tolist() == [1]
    assert f"{file}" == str(tmp_path / "t.csv")


def test_its_repr_is_short_and_reads_no_disk(tmp_path: Path) -> None:
    file = written(tmp_path, "t.csv", "x" * 1234)
    file.path.unlink()

    assert repr(file) == "OutputFile('t.csv', 1,234 bytes)"
    assert repr(OutputFile("t.csv", file.path)) == "OutputFile('t.csv', gone)"


def test_expressions_see_its_address(tmp_path: Path) -> None:
    assert written(tmp_path, "t.csv", "").__kestra__() == "kestra:///x/t.csv"


def test_it_pickles(tmp_path: Path) -> None:
    file = written(tmp_path, "t.csv", "12")

    assert pickle.loads(pickle.dumps(file)) == file


def test_content_is_read_as_text_bytes_json_and_table(tmp_path: Path) -> None:
    assert written(tmp_path, "a", "é").read_text() == "é"
    assert written(tmp_path, "b", "é".encode("latin-1")).read_text("latin-1") == "é"
    assert written(tmp_path, "c", b"\0").read_bytes() == b"\0"
    assert written(tmp_path, "d.json", '{"a": 1}').json() == {"a": 1}
    assert written(tmp_path, "e.tsv", "a\tb\n1\t2\n").table().to_dict("list") == {"a": [1], "b": [2]}


@pytest.mark.parametrize("read", ["read_text", "read_bytes", "json", "table", "load"])
def test_a_file_that_is_gone_is_one_sentence(tmp_path: Path, read: str) -> None:
    file = written(tmp_path, "t.csv", "a\n1\n")
    file.path.unlink()

    with pytest.raises(TransferError, match="no longer there"):
        getattr(file, read)()


def test_what_is_not_text_or_json_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(KestraMagicError, match=r"not utf-8 text \(byte 1\)"):
        written(tmp_path, "a", b"a\xff").read_text()
    with pytest.raises(KestraMagicError, match="`b` is not JSON"):
        written(tmp_path, "b", "{").json()
    with pytest.raises(KestraMagicError, match=r"`c\.yaml` is not YAML"):
        written(tmp_path, "c.yaml", "a: [").load()
    with pytest.raises(KestraMagicError, match=r"`d\.csv` cannot be read as a table"):
        written(tmp_path, "d.csv", "").table()
    with pytest.raises(KestraMagicError, match=r"`e\.txt` is no table"):
        written(tmp_path, "e.txt", "").table()
    with pytest.raises(KestraMagicError, match=r"`f\.parquet` cannot be read as a table"):
        written(tmp_path, "f.parquet", "no parquet").table()


def test_saving_copies_to_a_path_or_into_a_folder(tmp_path: Path) -> None:
    file = written(tmp_path, "t.csv", "1")
    (tmp_path / "into").mkdir()

    assert file.save(tmp_path / "other.csv").read_text() == "1"
    assert file.save(tmp_path / "into") == tmp_path / "into" / "t.csv"


def test_saving_where_nothing_can_lie_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="there is no such folder"):
        written(tmp_path, "t.csv", "1").save(tmp_path / "none" / "x")


# `-b VAR=FILE`


def test_load_gives_what_the_name_says(tmp_path: Path) -> None:
    assert written(tmp_path, "a.csv", "x\n1\n").load().to_dict("list") == {"x": [1]}
    assert written(tmp_path, "a.jsonl", '{"x": 1}\n{"x": 2}\n').load().to_dict("list") == {"x": [1, 2]}
    assert written(tmp_path, "a.json", "[1]").load() == [1]
    assert written(tmp_path, "a.yml", "a: 1").load() == {"a": 1}
    assert written(tmp_path, "a.txt", "text").load() == "text"
    assert written(tmp_path, "Makefile", "all:").load() == "all:"
    assert written(tmp_path, "a.log", "é" * 10_000).load() == "é" * 10_000


@pytest.mark.parametrize("content", [PNG, b"\0\1", "é".encode("latin-1")])
def test_load_gives_the_file_itself_where_nothing_else_fits(tmp_path: Path, content: bytes) -> None:
    file = written(tmp_path, "a.bin", content)

    assert file.load() is file


def test_images_stay_files_even_as_text(tmp_path: Path) -> None:
    file = written(tmp_path, "a.svg", "<svg/>")

    assert file.load() is file


NO_PANDAS = """
import json, sys
from pathlib import Path
class NoPandas:
    def find_spec(name, *_):
        if name == "pandas":
            raise ImportError(name)
sys.meta_path.insert(0, NoPandas)
from kestra_magic.workspace.outputs import OutputFile
print(json.dumps([OutputFile(Path(p).name, Path(p)).load() for p in sys.argv[1:]]))
"""


def test_without_pandas_a_table_is_a_list_of_dicts(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"a": [1]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv.gz", index=False, sep="\t")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "a.parquet")
    paths = [str(tmp_path / name) for name in ("a.csv", "a.tsv.gz", "a.jsonl", "a.parquet")]

    done = subprocess.run(
        [sys.executable, "-c", NO_PANDAS, *paths], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert json.loads(done.stdout) == [[{"a": "1"}], [{"a": "1"}], [{"a": 1}], [{"a": 1}]]


def test_reading_files_imports_no_pandas_until_a_table_is_wanted() -> None:
    code = "import sys, kestra_magic.workspace.outputs, kestra_magic.workspace.inputs; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert {"pandas", "pyarrow", "yaml", "polars", "sqlite3"}.isdisjoint(done.stdout.split())


# The mapping


@pytest.fixture
def files(tmp_path: Path) -> OutputFiles:
    return OutputFiles({name: written(tmp_path, name, name) for name in ("loss.csv", "model.pt")})


def test_it_is_a_mapping_that_completes_its_keys(files: OutputFiles) -> None:
    assert list(files) == files._ipython_key_completions_() == ["loss.csv", "model.pt"]
    assert len(files) == 2
    assert "model.pt" in files
    assert files.get("none") is None
    assert files["model.pt"].read_text() == "model.pt"


def test_its_repr_is_one_short_line(files: OutputFiles, tmp_path: Path) -> None:
    many = OutputFiles({f"{n}": files["model.pt"] for n in range(500)})

    assert repr(files) == "OutputFiles({'loss.csv': 8 bytes, 'model.pt': 8 bytes})"
    assert len(repr(many)) < 200
    assert repr(many).endswith("… 494 more})")


def test_a_missing_key_names_the_nearest(files: OutputFiles) -> None:
    with pytest.raises(KeyError, match=r"no file `modle\.pt`; did you mean `model\.pt`"):
        files["modle.pt"]


def test_a_missing_key_names_what_there_is(files: OutputFiles) -> None:
    with pytest.raises(KestraMagicError, match=r"no file `zzz` was collected, only `loss\.csv`, `model\.pt`"):
        files["zzz"]


def test_a_missing_key_of_a_run_that_declared_nothing_says_how_to_keep_it() -> None:
    with pytest.raises(NoSuchFile, match=r"no file `t\.csv` was collected: keep it with `-o t\.csv`"):
        OutputFiles({})["t.csv"]


def test_a_missing_key_says_what_the_patterns_missed() -> None:
    files = OutputFiles({}, misses=["`*.csv` matched no file: the run left no file at all"])

    with pytest.raises(NoSuchFile, match=r"no file matched \(`\*\.csv` matched no file"):
        files["t.csv"]
