"""No broken text gets more out of the model than a list of problems with lines."""

from pathlib import Path
from textwrap import dedent

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kestra_magic.model.load import load_flow, property_names
from kestra_magic.model.source import Source, SourceError

OWN = dedent("""\
    id: whole
    namespace: company.team
    inputs:
      - id: file
        type: FILE
      - id: kind
        type: SELECT
        values: [a, b]
        dependsOn: {inputs: [file], condition: "{{ true }}"}
    variables: &v {a: 1, b: [1, 2]}
    labels: {<<: *v}
    tasks:
      - id: each
        type: io.kestra.plugin.core.flow.ForEach
        values: "{{ [1, 2] }}"
        tasks:
          - id: shell
            type: io.kestra.plugin.scripts.shell.Commands
            retry: {type: constant, interval: PT1S, maxAttempts: 3}
            inputFiles:
              main.py: |
                print("a: b # c")
            commands:
              - echo "one" # two
              - >-
                python
                main.py
      - id: switch
        type: io.kestra.plugin.core.flow.Switch
        value: "{{ inputs.kind }}"
        cases:
          a: [{id: said, type: io.kestra.plugin.core.log.Log, message: [x, y]}]
    outputs:
      - {id: out, type: STRING, value: "{{ outputs.shell }}"}
    """)
FLOWS = [path.read_text("utf-8") for path in (Path(__file__).parents[3] / "shared" / "flows").glob("*.yaml")] + [OWN]
LINES = sorted({line for flow in FLOWS for line in flow.split("\n")})


@st.composite
def broken(draw) -> str:
    """A flow, cut, with lines doubled, indented otherwise, exchanged, or with a character too many."""
    lines = draw(st.sampled_from(FLOWS)).split("\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 6)):
            case 0:
                lines = [*lines[:at], lines[at][: draw(st.integers(0, 40))]]
            case 1:
                lines.insert(at, lines[at])
            case 2:
                lines[at] = " " * draw(st.integers(0, 9)) + lines[at].lstrip()
            case 3:
                lines[at] = draw(st.sampled_from(LINES))
            case 4:
                lines[at] += draw(st.sampled_from(list("\t:{}[]|>'\"*&!%@`#-?,\x00\ud800\u2028")))
            case 5:
                lines = [line.lstrip() for line in lines]
            case _:
                del lines[at]
                lines = lines or [""]
    return "\n".join(lines)


def tried(text: str) -> None:
    source = Source(text, first_line=2)
    try:
        load_flow(source)
    except SourceError as error:
        last = 2 + text.count("\n")
        assert error.problems
        assert all(problem.line is not None and 2 <= problem.line <= last for problem in error.problems)
        assert all(problem.message and "\n" not in problem.message.strip("\n") for problem in error.problems)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(broken())
def test_a_broken_flow_is_a_list_of_problems_with_lines(text):
    tried(text)


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text_is(text):
    tried(text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["{{ x }}", "PT1S"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [*property_names(), *property_names("io.kestra.plugin.scripts.python.Script"), "cases", "cache", "then", "message"]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.sampled_from(["shell.Commands", "python.Script"]))
def test_any_value_of_any_property_is(properties, kind):
    import json

    task = {"id": "t", "type": f"io.kestra.plugin.scripts.{kind}", "commands": ["ls"], **properties}
    tried(json.dumps({"id": "a", "namespace": "b", "tasks": [task], **properties}))
