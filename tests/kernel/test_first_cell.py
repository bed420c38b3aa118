from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.kernel.driver import Kernel

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"pydantic", "jinja2", "yaml", "psutil", "ipywidgets", "anywidget", "distributed", "sqlite3", "pandas"}


def test_loading_the_extension_is_light(tmp_path: Path) -> None:
    """Where no kernel that was killed has left anything."""
    code = (
        "import sys; from IPython.core.interactiveshell import InteractiveShell as S; shell = S.instance();"
        "before = set(sys.modules); shell.run_line_magic('load_ext', 'kestra_magic');"
        "print(*(set(sys.modules) - before))"
    )
    env = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    python = [sys.executable, "-c", code]
    loaded = subprocess.run(python, env=env, capture_output=True, text=True, check=True, timeout=60)

    assert HEAVY.isdisjoint(module.partition(".")[0] for module in loaded.stdout.split())


def test_a_shell_cell_says_what_it_said(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra_process hello\necho hi; echo oops >&2")

    assert (reply.status, reply.text(), reply.text("stderr")) == ("ok", "hi\n", "oops\n")
    assert kernel.value("hello") == "Run('hello', SUCCESS, exit code 0)"


def test_the_shape_of_a_cell_is_header_streams_result(kernel: Kernel) -> None:
    assert kernel.run("%%kestra_process shape\necho hi").shape == ["display_data", "stream", "display_data"]


def test_a_run_sees_the_notebooks_values(kernel: Kernel) -> None:
    kernel.run("lr = 0.5; name = 'anna'")

    assert kernel.run("%%kestra_process see\necho {{ inputs.lr }} {{ name }}").text() == "0.5 anna\n"


def test_a_failed_run_is_bound_and_raises_one_sentence(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra_process bad\necho before\nexit 3")

    assert reply.status == "error"
    assert reply.error.startswith("Command failed with exit code 3")
    assert "Traceback" not in reply.traceback
    assert kernel.value("(bad.ok, bad.exit_code, bad.state.value, bad.stdout)") == "(False, 3, 'FAILED', 'before\\n')"


def test_no_raise_binds_and_says_nothing(kernel: Kernel) -> None:
    assert kernel.run("%%kestra_process quiet --no-raise\nexit 3").status == "ok"
    assert kernel.value("quiet.exit_code") == "3"


def test_declared_files_are_bound(kernel: Kernel) -> None:
    kernel.run("%%kestra_process make -o '*.txt'\necho text > out.txt; echo no > out.csv")

    assert kernel.value("dict(make.files)") == "{'out.txt': OutputFile('out.txt', 5 bytes)}"
    assert kernel.value("make.files['out.txt'].read_text()") == "'text\\n'"


def test_outputs_and_metrics_are_bound(kernel: Kernel) -> None:
    said = """::{"outputs":{"rows":3},"metrics":[{"type":"gauge","name":"loss","value":0.25}]}::"""
    reply = kernel.run(f"%%kestra_process say\necho '{said}'")

    assert reply.text() == ""
    assert kernel.value("(say.vars, say.metrics['loss'].last)") == "({'rows': 3}, 0.25)"


def test_a_later_cell_reads_an_earlier_ones_outputs(kernel: Kernel) -> None:
    kernel.run("""%%kestra_process first -o f.txt\necho '::{"outputs":{"x":7}}::'; echo file > f.txt""")
    reply = kernel.run(
        "%%kestra_process second\necho {{ outputs.first.vars.x }}; cat {{ outputs.first.outputFiles['f.txt'] }}"
    )

    assert reply.text() == "7\nfile\n"


def test_python_runs_with_the_kernels_interpreter(kernel: Kernel) -> None:
    kernel.run("%%kestra_process which -l python\nimport sys; print(sys.prefix)")

    assert kernel.value("which.stdout.strip() == __import__('sys').prefix") == "True"


def test_stdin_is_empty(kernel: Kernel) -> None:
    assert kernel.run("%%kestra_process ask\nread x || echo nobody answers").text() == "nobody answers\n"


def test_an_unknown_property_is_answered_with_its_line_and_the_nearest(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra_process p\n#| outputFiles: [a]\n#| timout: PT1S\necho hi")

    assert "line 3" in reply.error
    assert "did you mean `timeout`?" in reply.error


def test_an_undefined_name_is_answered_with_its_line_and_the_nearest(kernel: Kernel) -> None:
    kernel.run("year = 2020")
    reply = kernel.run("%%kestra_process p\necho one\necho {{ yaer }}")

    assert "line 3" in reply.error
    assert "`year`" in reply.error


def test_a_variable_that_is_no_run_is_not_overwritten(kernel: Kernel) -> None:
    kernel.run("mine = 5")

    assert "holds a int" in kernel.run("%%kestra_process mine\necho hi").error
    assert kernel.value("mine") == "5"


def test_an_interrupt_ends_the_run_and_keeps_what_it_gave(kernel: Kernel) -> None:
    started = kernel.start("%%kestra_process slow -o a.txt\necho made > a.txt; echo up; sleep 300")
    kernel.finish(started, until=lambda reply: "up" in reply.text())
    kernel.interrupt()
    reply = kernel.finish(started)

    assert reply.status == "error"
    assert kernel.value("(slow.state.value, list(slow.files))") == "('KILLED', ['a.txt'])"


def test_the_extension_can_be_unloaded_and_loaded_again(fresh: Kernel) -> None:
    assert fresh.run("%unload_ext kestra_magic").status == "ok"
    assert fresh.run("%%kestra_process a\necho hi").status == "error"
    assert fresh.run("%load_ext kestra_magic").status == "ok"
    assert fresh.run("%%kestra_process a\necho hi").text() == "hi\n"


def test_everything_lies_where_the_environment_says(tmp_path: Path) -> None:
    other, notebook, home = tmp_path / "other", tmp_path / "notebook", tmp_path / "home"
    kernel = Kernel(notebook, home, KESTRA_MAGIC_RUNS_DIR=str(other))
    try:
        assert kernel.run("%load_ext kestra_magic").status == "ok"
        said = kernel.run("%%kestra_process train -o out.txt\npwd; echo x > out.txt").text()
        path = kernel.run("print(train.files['out.txt'].path)").text()
    finally:
        kernel.close()

    assert said.startswith(f"{other}/")
    assert path == f"{other}/train-1/out.txt\n"
    assert (other / ".data" / "journal.sqlite").is_file()
    assert list(notebook.iterdir()) == []
    assert not [place for place in home.rglob("*") if "kestra" in place.name]
