"""Where nobody looks: nbclient and papermill give the same cells as a person's kernel; a terminal does without widgets."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kernel.driver import Kernel

SOURCE = "%%kestra_process talk -o a.txt\necho one; echo two >&2; echo three; echo a > a.txt"


def notebook(*sources: str, parameters: bool = False) -> Any:
    cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext kestra_magic", *sources)]
    if parameters:
        cells[1].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def executed(folder: Path, *sources: str) -> Any:
    made = notebook(*sources)
    NotebookClient(made, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return made


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


def test_nbclient_saves_a_header_its_streams_and_a_result(tmp_path: Path) -> None:
    cell = executed(tmp_path, SOURCE).cells[1]
    kinds = [output.output_type for output in cell.outputs]

    assert (kinds[0], kinds[-1]) == ("display_data", "display_data")
    assert set(kinds[1:-1]) == {"stream"}
    assert len(kinds) <= 20


def test_live_and_headless_save_the_same(kernel: Kernel, tmp_path: Path) -> None:
    source = "%%kestra_process same -o a.txt\necho one; echo a > a.txt"
    live = kernel.run(source, allow_stdin=True)
    headless = executed(tmp_path, source).cells[1].outputs

    shown = [c["data"]["text/plain"] for c in live.of("display_data") if "text/html" in c["data"]]
    assert shown == [o.data["text/plain"] for o in headless if o.output_type == "display_data"]
    assert live.text() == "".join(o.text for o in headless if o.output_type == "stream")


def test_the_same_notebook_saves_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (executed(tmp_path / name, "%%kestra_process x\nsleep 0.01; echo hi") for name in "ab")

    assert first.cells[1].outputs == second.cells[1].outputs


def test_many_changes_of_stream_make_few_outputs(tmp_path: Path) -> None:
    body = "%%kestra_process swap -l python\nimport sys\nfor i in range(200):\n    print(i, file=(sys.stdout, sys.stderr)[i % 2], flush=True)"
    outputs = executed(tmp_path, body).cells[1].outputs

    # Each by itself: the end of its line may come behind the other stream's.
    said = [word for output in outputs if output.output_type == "stream" for word in output.text.split()]
    assert len(outputs) <= 2 + 21
    assert sorted(said) == sorted(map(str, range(200)))


def test_a_failed_cell_stops_the_run(tmp_path: Path) -> None:
    made = notebook("%%kestra_process bad\nexit 3", "after = 1")
    with pytest.raises(CellExecutionError, match="Command failed with exit code 3"):
        NotebookClient(made, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()

    kinds = [output.output_type for output in made.cells[1].outputs]
    assert kinds == ["display_data", "display_data", "error"]
    assert made.cells[2].execution_count is None


def test_papermill_gives_parameters_to_templates(tmp_path: Path) -> None:
    source, target = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    nbformat.write(notebook("lr = 0.1", "%%kestra_process p\necho {{ inputs.lr }}", parameters=True), source)

    papermill.execute_notebook(str(source), str(target), parameters={"lr": 0.5}, cwd=str(tmp_path), progress_bar=False)

    outputs = nbformat.read(target, as_version=4).cells[-1].outputs
    assert [o.text for o in outputs if o.output_type == "stream"] == ["0.5\n"]


def test_a_terminal_does_without_widgets(tmp_path: Path) -> None:
    code = (
        "from IPython.terminal.interactiveshell import TerminalInteractiveShell as S; shell = S.instance();"
        "shell.run_line_magic('load_ext', 'kestra_magic');"
        "shell.run_cell('%%kestra_process t -o a.txt\\necho hi; echo a > a.txt');"
        "import sys; print('widgets' if 'ipywidgets' in sys.modules else 'no widgets')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert done.stdout.splitlines()[0] == "hi"
    assert "SUCCESS t" in done.stdout
    assert "a.txt" in done.stdout
    assert done.stdout.splitlines()[-1] == "no widgets", done.stderr


def test_plain_python_runs_too(tmp_path: Path) -> None:
    code = "import kestra_magic as k; r = k.run('echo hi; exit 3', name='plain'); print(repr(r.stdout), r.state.value, r.exit_code)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert done.stdout == "'hi\\n' FAILED 3\n", done.stderr
