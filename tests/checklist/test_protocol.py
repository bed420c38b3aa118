"""§8.6, 8.7: what a script says to Kestra, and what the log keeps."""

import base64

import pytest

from kestra_magic.runs.task.markers import parse
from tests.checklist.ids import checks
from tests.flows.conftest import LOG, SHELL, said


@checks("LC1")
def test_a_long_output_is_not_cut(run):
    ended = run(f"""\
        - id: t
          type: {SHELL}
          commands:
            - |
              echo '::{{"outputs":{{"someOutput":"{"x" * 10_000}"}}}}::'
            - echo -n another line
        """)

    assert ended.tasks["t"].exit.stdout_lines == 2
    assert ended.vars == {"someOutput": "x" * 10_000}


@checks("LC3", "LG1")
def test_logs_of_every_level(run):
    levels = ("ERROR", "WARN", "INFO", "DEBUG", "TRACE")
    frames = "".join(
        f'      - |\n        echo \'::{{"logs":[{{"level":"{n}","message":"m {n}"}}]}}::\'\n' for n in levels
    )
    ended = run(
        f"  - id: t\n    type: {SHELL}\n    commands:\n{frames}  - id: u\n    type: {LOG}\n    level: TRACE\n    message: hi\n"
    )

    assert {entry.level: entry.message for entry in ended.logs if entry.task == "t"} == {n: f"m {n}" for n in levels}
    assert said(ended, "TRACE") == ["m TRACE", "hi"]


@checks("LC8", "LC10")
def test_a_frame_is_read():
    assert parse('::{"outputs":{"key":"value"}}::').outputs == {"key": "value"}
    assert parse('::{"outputs":{"key":"value"},"otlp":{"resourceLogs":[]}}::').outputs == {"key": "value"}
    assert parse("plain") is None


@checks("LG2")
def test_an_empty_message_is_kept(run):
    ended = run(
        f"  - id: t\n    type: {SHELL}\n    commands: [echo, 'echo \"\"', echo a]\n  - {{id: u, type: {LOG}, message: ''}}\n"
    )

    assert said(ended) == ["", "", "a", ""]


@checks("LG3", "IN14")
@pytest.mark.parametrize("kind", ["process", "call"])
def test_a_secret_is_never_seen(run, monkeypatch, kind):
    monkeypatch.setenv("SECRET_DOMAIN", base64.b64encode(b"doe.com").decode())
    task = {
        "process": f"  - {{id: t, type: {SHELL}, commands: ['echo \"test john@{{{{ secret(''DOMAIN'') }}}} test\"']}}\n",
        "call": f"  - {{id: t, type: {LOG}, message: \"test john@{{{{ secret('DOMAIN') }}}} test\"}}\n",
    }
    ended = run(task[kind])

    (message,) = said(ended)
    assert message.startswith("test john@*")
    assert message.endswith("* test")
    assert "doe" not in "".join(path.read_text(errors="replace") for path in ended.folder.rglob("*") if path.is_file())


@checks("IN14")
@pytest.mark.parametrize("name", ["token", "my.token"])
def test_an_input_of_type_secret_is_never_seen(run, name):
    ended = run(
        f"""\
        id: flow
        namespace: company.team
        inputs: [{{id: {name}, type: SECRET}}]
        tasks: [{{id: t, type: {SHELL}, commands: ["echo my secret {{{{ inputs.{name} }}}}"]}}]
        """,
        **{name: "hunter22x"},
    )

    assert said(ended) == ["my secret *********"]
    assert "hunter" not in "".join(
        path.read_text(errors="replace") for path in ended.folder.rglob("*") if path.is_file()
    )
