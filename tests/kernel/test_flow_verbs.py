"""`%kestra run|rerun|export|validate|kv` in a real kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel

COPY = """id: copy
namespace: company.team
inputs:
  - {id: n, type: INT, defaults: 1}
tasks:
  - id: say
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    namespaceFiles: {enabled: true}
    commands: ["echo n={{ inputs.n }}; cat words.txt"]
"""


def test_a_file_runs_with_the_namespace_files_beside_it(kernel: Kernel) -> None:
    folder = kernel.folder / "flows" / "_files"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "words.txt").write_text("beside the flow\n")
    (folder.parent / "copy.yaml").write_text(COPY)

    reply = kernel.run("%kestra run flows/copy.yaml mine -i n=4")

    assert reply.text() == "say | n=4\nsay | beside the flow\n", reply.error
    assert kernel.value("mine.state.value") == "'SUCCESS'"


def test_a_file_that_is_not_there_is_answered_with_the_nearest(kernel: Kernel) -> None:
    (kernel.folder / "near.yaml").write_text(COPY)

    assert "did you mean `near.yaml`?" in kernel.run("%kestra run naer.yaml").error
    assert "which flow?" in kernel.run("%kestra run").error


def test_a_run_is_run_again_with_other_inputs(kernel: Kernel) -> None:
    kernel.run("lr = 1\nother = 9")
    kernel.run("%%kestra_process first\necho {{ inputs.lr }}")

    assert kernel.run("%kestra rerun first lr=5").text() == "5\n"
    assert kernel.value("first.stdout") == "'5\\n'"
    assert kernel.run("%kestra rerun first lr='{{ other }}'").text() == "9\n"
    assert "no run `frist`" in kernel.run("%kestra rerun frist").error


def test_a_piece_of_a_flow_is_a_body(kernel: Kernel) -> None:
    piece = "  - id: say\n    type: io.kestra.plugin.scripts.shell.Commands\n    commands: ['echo piece']\n"

    assert "say | piece\n" in kernel.run(f"%%kestra_flow cut\n{piece}").text()
    task = "type: io.kestra.plugin.scripts.shell.Commands\ncommands: ['echo task']\n"
    assert "alone | task\n" in kernel.run(f"%%kestra_flow alone\n{task}").text()


def test_problems_are_told_with_their_lines(kernel: Kernel) -> None:
    (kernel.folder / "bad.yaml").write_text(COPY.replace("commands:", "comands:"))

    assert kernel.run(f"%%kestra validate\n{COPY}").text() == "valid: `copy` in `company.team`, 1 input, 1 task\n"
    assert "bad.yaml, line 10: " in kernel.run("%kestra validate bad.yaml").error
    assert "line 3: " in kernel.run("%%kestra validate\nid: a\ntsks: []").error


def test_keys_and_values_by_namespace(kernel: Kernel) -> None:
    kernel.run("limit = [1, 2]")

    assert kernel.run("%kestra kv").text() == "`company.team` holds no keys\n"
    assert kernel.run("%kestra kv set n 3").status == "ok"
    assert kernel.run("%kestra kv set xs '{{ limit }}' -n other").status == "ok"
    assert kernel.run("%kestra kv list").text() == "n  3\n"
    assert kernel.run("%kestra kv get xs -n other").text() == "[1, 2]\n"
    assert "did you mean `xs`" in kernel.run("%kestra kv get x -n other").error
    kernel.run("%kestra kv delete n")
    assert kernel.run("%kestra kv list").text() == "`company.team` holds no keys\n"
    assert "is none of" in kernel.run("%kestra kv steal n").error


def test_the_notebook_leaves_as_a_flow_that_runs(fresh: Kernel) -> None:
    fresh.run("lr = 0.5")
    (fresh.folder / "data.bin").write_bytes(bytes(range(256)))
    fresh.run("%%kestra_process prep -f data.bin -o out.txt\nwc -c < data.bin > out.txt; echo {{ lr }}")
    fresh.run("%%kestra_process use\ncat {{ outputs.prep.outputFiles['out.txt'] }}")

    shown = fresh.run("%kestra export use")
    (fresh.folder / "made").mkdir()
    written = fresh.run("%kestra export -o 'made/my flow.yaml'").text("stderr")

    assert "inputs.lr" in shown.text()
    assert "in `_files` beside the flow must lie `data.bin`" in shown.text("stderr")
    assert "written to `made/my flow.yaml`, with 1 namespace file in `_files` beside it" in written
    assert (fresh.folder / "made" / "_files" / "data.bin").read_bytes() == bytes(range(256))
    offered = written.partition(": `%kestra run")[2].partition("`")[0]
    assert fresh.run(f"%kestra run{offered}").text() == "prep | 0.5\nuse | 256\n"


def test_a_namespace_file_that_is_another_is_not_overwritten(fresh: Kernel) -> None:
    (fresh.folder / "data.bin").write_bytes(bytes(range(256)))
    fresh.run("%%kestra_process prep -f data.bin\nwc -c < data.bin")
    (fresh.folder / "_files").mkdir()
    (fresh.folder / "_files" / "data.bin").write_text("mine")

    assert "holds something else" in fresh.run("%kestra export -o flow.yaml").error
    assert (fresh.folder / "_files" / "data.bin").read_text() == "mine"
    assert not (fresh.folder / "flow.yaml").exists()


def test_two_runs_are_compared_in_one_cell(kernel: Kernel) -> None:
    for n in (1, 2):
        kernel.run(f"n = {n}")
        kernel.run("%%kestra_process twice -o out.txt\necho {{ n }} > out.txt")

    reply = kernel.run("%kestra diff twice")

    assert reply.plain.splitlines() == ["twice, before → twice, after", "~ inputs.n: 1 → 2", "~ out.txt"]
    assert "kestra-difference" in reply.html
    assert "which runs?" in kernel.run("%kestra diff").error


def test_a_part_of_a_flow_runs(kernel: Kernel) -> None:
    tasks = "".join(
        f"- {{id: {name}, type: io.kestra.plugin.core.log.Log, message: 'here {name}'}}\n"
        for name in ("one", "two", "three")
    )
    text = f"id: parts\nnamespace: a.b\ntasks:\n{tasks}"

    assert kernel.run(f"%%kestra_flow --until two\n{text}").status == "ok"
    assert kernel.value("list(parts.tasks)") == "['one', 'two']"
    assert kernel.run(f"%%kestra_flow --from two\n{text}").status == "ok"
    assert kernel.run("%kestra rerun parts --from three").status == "ok"
    assert (
        kernel.value("[str(task.state.value) for task in parts.tasks.values()]") == "['SUCCESS', 'SUCCESS', 'SUCCESS']"
    )
