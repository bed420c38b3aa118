"""`kestra_magic.run_flow`: an execution, also a failed one."""

import pytest

import kestra_magic
from kestra_magic.errors import KestraMagicError
from kestra_magic.runs import session as sessions
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
    with pytest.raises(KestraMagicError, match="cannot be read"):
        kestra_magic.run_flow(tmp_path / "none.yaml")
