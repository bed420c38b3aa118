"""Every problem at once, each with the cell's line, the near name, and how to write it."""

from textwrap import dedent

import pytest

from tests.model.conftest import LOG, SHELL

HEAD = "id: a\nnamespace: b\ntasks:\n"


def one(task: str) -> str:
    return HEAD + "".join(f"  {line}\n" for line in dedent(task).strip().split("\n"))


def test_all_problems_are_told_in_the_order_of_the_text(refused):
    flow = f"""\
        id: a b
        namespace: Company
        inputs:
          - id: n
            type: INTEGER
        tasks:
          - id: one
            type: {SHELL}
            comands: [ls]
          - id: one
            type: io.kestra.plugin.aws.s3.Upload
        """
    assert refused(flow) == [
        (2, "id: `a b` must match `^[a-zA-Z0-9][a-zA-Z0-9._-]*`"),
        (3, "namespace: `Company` must match `^[a-z0-9][a-z0-9._-]*`: lower-case letters, digits, `.`, `_` and `-`"),
        (6, "type: `INTEGER` is no type of input; did you mean `INT`?"),
        (8, "commands: must not be null"),
        (10, "comands: unknown property; did you mean `commands`?"),
        (11, "id: Duplicate task id with name [one]"),
        (12, "`io.kestra.plugin.aws.s3.Upload` needs a Kestra server: `%kestra server URL` names one; script and core tasks run here"),
    ]  # fmt: skip


TYPES = [
    ("io.kestra.plugin.scripts.shell.Command", "did you mean `io.kestra.plugin.scripts.shell.Commands`?"),
    ("io.kestra.plugin.script.shell.Commands", "did you mean `io.kestra.plugin.scripts.shell.Commands`?"),
    ("python.Script", "did you mean `io.kestra.plugin.scripts.python.Script`?"),
    ("shell", "did you mean `io.kestra.plugin.scripts.shell.Commands`?"),
    ("io.kestra.plugin.core.flow.ForEachItem", "needs a Kestra server"),
    ("io.kestra.plugin.scripts.jython.Eval", "needs a Kestra server"),
    ("com.example.Mine", "needs a Kestra server"),
    ("echo hello", "a type is a full name like"),
]


@pytest.mark.parametrize(("written", "said"), TYPES)
def test_an_unknown_type_is_a_slip_or_needs_a_server(refused, written, said):
    ((line, message),) = refused(one(f"- id: t\n  type: {written}"))

    assert (line, said in message) == (6, True)


TRAPS = [
    ('- echo "Status: ok"', 8, "quote the text: `- 'echo \"Status: ok\"'`"),
    ("- {{ inputs.x }}", 8, 'quote the text: `- "{{ inputs.x }}"`'),
    ("- *.csv", 8, 'quote the text: `- "*.csv"`'),
    ("- @echo off", 8, 'quote the text: `- "@echo off"`'),
    ("- 'it's'", 8, "the quote closes before the text ends"),
    ('- "never closed', 8, "the quote that opens here is never closed"),
    ("\t- tab", 8, "a tab indents this line"),
]


@pytest.mark.parametrize(("line", "number", "said"), TRAPS)
def test_a_trap_of_yaml_is_named_with_the_line_as_it_must_be(refused, line, number, said):
    problems = refused(one(f"- id: t\n  type: {SHELL}\n  commands:") + f"      {line}\n")

    assert [n for n, _ in problems][:1] == [number]
    assert said in problems[0][1]


ON_ONE_LINE = [
    ("outputFiles: [*.csv, b]", 'quote the text: `outputFiles: ["*.csv", b]`'),
    ("outputFiles: [a, {{ x }}.csv]", 'quote the text: `outputFiles: [a, "{{ x }}.csv"]`'),
    ("env: {A: {{ x }}, B: c}", 'quote the text: `env: {A: "{{ x }}", B: c}`'),
    ("env: {A: 1", "a `,` or the closing bracket is missing"),
    ("outputFiles: [a, b", "a `,` or the closing bracket is missing"),
]


@pytest.mark.parametrize(("line", "said"), ON_ONE_LINE)
def test_a_trap_inside_a_list_or_map_is_quoted_there(refused, line, said):
    ((number, message), *_) = refused(one(f"- id: t\n  type: {SHELL}\n  {line}"))

    assert (number, said in message) == (7, True), message


def test_a_comment_that_cuts_a_command_is_told(load):
    loaded = load(one(f'- id: t\n  type: {SHELL}\n  commands:\n    - echo "issue #12"\n    - ls # all'))

    assert loaded.notices == (
        "line 8: ` #` begins a comment and cuts the text off: quote it: `- 'echo \"issue #12\"'`",
    )


SHAPES = [
    ("inputFiles: [a.csv]", "inputFiles: Invalid `files` properties with type 'class java.util.ArrayList'"),  # X12
    ("inputFiles: {a: 1}", "inputFiles.a: the content of a file must be a text"),
    ("env: [A=1]", "env: must be a map of names to values"),
    ("failFast: maybe", "failFast: must be true or false, but is `maybe`"),
    ("timeout: 5m", "timeout: must be a duration like PT10S"),
    ("targetOS: linux", "targetOS: must be one of LINUX, WINDOWS, AUTO, but is `linux`; did you mean `LINUX`?"),
    ("disabled: perhaps", "disabled: must be true or false"),
    ("retry: {type: constant}", "retry.interval: must not be null"),
    ("retry: {type: constant, interval: PT2M, maxDuration: PT1M}", "'interval' must be less than 'maxDuration' but is PT2M"),
    ("retry: {type: random, minInterval: PT5S, maxInterval: PT1S}", "'minInterval' must be less than 'maxInterval' but is PT5S"),
    ("retry: {type: often}", "type: must be one of constant, exponential, random"),
    ("retry: {type: constant, interval: PT1S, maxAttempts: 0}", "must be greater than or equal to 1"),
    ("taskRunner: {type: Process}", "did you mean `io.kestra.plugin.core.runner.Process`?"),
    ("taskRunner: {type: io.kestra.plugin.core.runner.Proces}", "did you mean `io.kestra.plugin.core.runner.Process`?"),
    ("outputsFiles: [a]", "outputsFiles: unknown property; did you mean `outputFiles`?"),
    ("image: ubuntu", "image: unknown property; did you mean `containerImage`?"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "said"), SHAPES, ids=[s[0] for s in SHAPES])
def test_a_property_of_the_wrong_shape_is_told_at_its_line(refused, written, said):
    problems = refused(one(f"- id: t\n  type: {SHELL}\n  commands: [ls]\n  {written}"))

    assert [line for line, _ in problems] == [8]
    assert said in problems[0][1]


def test_a_key_that_stands_twice_is_refused(refused):
    assert refused(one(f"- id: t\n  type: {LOG}\n  message: a\n  message: b")) == [
        (8, "`message` stands twice in this map, first in line 7")
    ]


FLOWS = [
    ("labels: {system.x: a}", "System labels can only be set by Kestra itself, offending label: system.x=a"),
    ("labels: [a]", "must be a map of names to texts, or a list of `key` and `value`"),
    ("concurrency: {limit: 0}", "limit: must be greater than or equal to 1"),
    ("outputs: [{id: o, type: STRING, value: a}, {id: o, type: STRING, value: b}]", "Duplicate output with name [o]"),
    ("inputs: [{id: a, type: INT}, {id: a, type: INT}]", "Duplicate input with name [a]"),
    ("triggers: [{id: t, type: x.y.Z}, {id: t, type: x.y.Z}]", "Duplicate trigger id with name [t]"),
    ("inputs: [{id: a, type: INT, dependsOn: {inputs: [b]}}]", "Input with id 'a' depends on a non-existent input 'b'."),
    ("inputs: [{id: a, type: INT, dependsOn: {inputs: [b]}}, {id: b, type: INT, dependsOn: {inputs: [a]}}]",
     "Cycle dependency detected for input with id 'a'"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "said"), FLOWS, ids=[f[0] for f in FLOWS])
def test_what_a_flow_says_of_itself_is_checked(refused, written, said):
    problems = refused(one(f"- id: t\n  type: {LOG}\n  message: a") + written)

    assert any(said in message and line == 8 for line, message in problems), problems


FLOWABLES = [
    ("type: io.kestra.plugin.core.flow.Sequential\n  tasks: []", "tasks: must not be empty"),
    (f"type: io.kestra.plugin.core.flow.WorkingDirectory\n  tasks:\n    - id: u\n      type: io.kestra.plugin.core.flow.Sequential\n      tasks: [{{id: v, type: {LOG}, message: a}}]",
     "Only runnable tasks are allowed as children of a WorkingDirectory task"),
    (f"type: io.kestra.plugin.core.flow.WorkingDirectory\n  tasks:\n    - id: u\n      type: {SHELL}\n      commands: [ls]\n      workerGroup: {{key: gpu}}",
     "Cannot set a Worker Group in any WorkingDirectory sub-tasks"),
    (f"type: io.kestra.plugin.core.flow.Dag\n  tasks:\n    - task: {{id: u, type: {LOG}, message: a}}\n      dependsOn: [x]",
     "Not existing task id 'x' in dependency"),
    (f"type: io.kestra.plugin.core.flow.Dag\n  tasks:\n    - task: {{id: u, type: {LOG}, message: a}}\n      dependsOn: [u]",
     "Cyclic dependency detected: u"),
    ("type: io.kestra.plugin.core.flow.Subflow\n  namespace: b\n  flowId: a", "Recursive call to flow [b.a]"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "said"), FLOWABLES, ids=[f[1] for f in FLOWABLES])
def test_tasks_within_tasks_are_checked(refused, written, said):
    problems = refused(one(f"- id: t\n  {written}"))

    assert any(said in message for _, message in problems), problems
