"""`kestra_magic.run_flow`: an execution, also a failed one."""

import re

import pytest

import kestra_magic
from kestra_magic.errors import KestraMagicError
from kestra_magic.runs import session as sessions
from kestra_magic.show.report import bundle
from tests.flows.conftest import FAIL, LOG, SHELL


@pytest.fixture(autouse=True)
def _own_session(session, monkeypatch):
    monkeypatch.setattr(sessions, "_session", session)


FLOW = f"""\
id: flow
namespace: company.team
inputs: [{{id: n, type: INT}}]
tasks:
  - id: made
    type: {SHELL}
    outputFiles: [out.txt]
    commands: ['echo {{{{ inputs.n }}}} > out.txt', 'echo ok', '>&2 echo oh']
  - id: made_too
    type: {SHELL}
    outputFiles: [out.txt]
    commands: ['echo 2 > out.txt']
  - {{id: said, type: {LOG}, message: "{{{{ outputs.made.exitCode }}}}", level: WARN}}
"""


def test_an_execution_has_everything_that_its_tasks_left(tmp_path):
    (tmp_path / "flow.yaml").write_text(FLOW)
    run = kestra_magic.run_flow(tmp_path / "flow.yaml", {"n": 1})

    assert (run.state, run.ok, run.check()) == ("SUCCESS", True, run)
    assert run.outputs["made"]["exitCode"] == 0
    assert list(run.tasks) == ["made", "made_too", "said"]
    assert {(entry.task, entry.level, entry.message) for entry in run.logs if entry.task} == {
        ("made", "INFO", "ok"),
        ("made", "ERROR", "oh"),  # between the two streams there is no order
        ("said", "WARN", "0"),
    }
    assert sorted(run.files) == ["made/out.txt", "made_too/out.txt"]
    assert run.files["made/out.txt"].read_text() == "1\n"
    with kestra_magic.open(run.outputs["made"]["outputFiles"]["out.txt"]) as file:
        assert file.read() == b"1\n"


def test_a_cell_is_run_with_options_as_python_says_them():
    run = kestra_magic.run(
        "echo {{ inputs.word }} $SEED > out.txt", name="said", inputs={"word": "a"}, output="out.*", env={"SEED": 7}
    )

    assert run.files["out.txt"].read_text() == "a 7\n"
    again = kestra_magic.run("said", inputs={"word": "b"})
    assert (again.name, again.files["out.txt"].read_text()) == ("said", "b 7\n")
    with pytest.raises(KestraMagicError, match="there is no option `tiemout`; did you mean `timeout`"):
        kestra_magic.run("echo hi", tiemout="1m")


def test_a_failed_execution_is_returned_and_checked():
    run = kestra_magic.run_flow(f"- {{id: t, type: {FAIL}, errorMessage: no}}")

    assert (run.state, run.error) == ("FAILED", "no")
    with pytest.raises(KestraMagicError, match="no"):
        run.check()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FLOW, "Missing required input:n"),
        ("id: a\nnamespace: b\ntasks:\n- id: t\n  type: x", "line 5: type: Invalid type: `x`"),
        ("id: [", "line 1: "),
    ],
)
def test_what_cannot_start_raises_with_its_line(text, said):
    with pytest.raises(KestraMagicError, match=said):
        kestra_magic.run_flow(text)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(KestraMagicError, match=r"there is no file `none\.yaml`"):
        kestra_magic.run_flow(tmp_path / "none.yaml")
    with pytest.raises(KestraMagicError, match=r"there is no file `none\.yaml`"):
        kestra_magic.run_flow(str(tmp_path / "none.yaml"))


def test_a_text_that_names_a_file_is_its_path(tmp_path):
    (tmp_path / "flow.yml").write_text(FLOW)

    assert kestra_magic.run_flow(str(tmp_path / "flow.yml"), {"n": 1}).ok


def test_a_report_says_what_was_measured_over_time():
    run = kestra_magic.run_flow(
        f"- {{id: first, type: {SHELL}, commands: ['sleep 0.2']}}\n- {{id: then, type: {LOG}, message: x}}\n"
        f"- {{id: bad, type: {SHELL}, commands: ['exit 1'], retry: {{type: constant, interval: PT0.01S, maxAttempts: 2}}}}\n"
    )
    report = run.report()
    first, then, *tried = report.spans

    assert [(span.task, span.attempt, span.state) for span in tried] == [("bad", 1, "FAILED"), ("bad", 2, "FAILED")]
    assert first.seconds >= 0.2
    assert first.begins + first.seconds <= then.begins <= tried[0].begins < tried[1].begins
    assert first.used["rss_bytes"] > 0
    assert [row["task"] for row in report.table()] == ["first", "then", "bad", "bad"]
    assert [line.partition(" │")[0].strip() for line in repr(report).splitlines()[1:]] == [
        "first",
        "then",
        "bad",
        "bad",
    ]
    shown = bundle(report)
    assert "bad (attempt 2)" in shown["text/html"]
    assert shown["text/html"].count("margin-left: ") == 4


def test_options_are_those_of_a_cell_and_one_text_is_a_list_of_one():
    run = kestra_magic.run("echo $A; echo 1 > a.txt; echo 2 > b.csv", env={"A": "b c"}, output="*.txt", grace="1m")

    assert (run.stdout, list(run.files), run.context.wishes.grace) == ("b c\n", ["a.txt"], 60.0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeot": "10m"}, "there is no option `timeot`; did you mean `timeout`?"),
        ({"background": "maybe"}, "background: must be one of `wait`, `kill`, `keep`"),
        ({"here": "yes"}, "here: must be `true` or `false`"),
        ({"dry_run": True}, "`dry-run` is an option of a cell"),
    ],
)
def test_an_option_that_cannot_be_is_refused_before_anything_runs(options, said, tmp_path):
    with pytest.raises(KestraMagicError, match=re.escape(said)):
        kestra_magic.run(f"touch {tmp_path}/ran", **options)

    assert not (tmp_path / "ran").exists()


def test_neither_text_nor_path_is_told():
    with pytest.raises(KestraMagicError, match="`run` takes the text of a cell, or the Path of a script, and no int"):
        kestra_magic.run(3)
