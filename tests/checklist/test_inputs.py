"""§8.9: inputs, as a flow sees them."""

import pytest

from kestra_magic.model.resolution import InputsError
from tests.checklist.ids import checks
from tests.flows.conftest import LOG, said

DECLARED = """\
inputs:
  - {id: string, type: STRING}
  - {id: optional, type: STRING, required: false}
  - {id: int, type: INT}
  - {id: float, type: FLOAT}
  - {id: bool, type: BOOLEAN}
  - {id: instant, type: DATETIME}
  - {id: date, type: DATE}
  - {id: time, type: TIME}
  - {id: duration, type: DURATION}
  - {id: file, type: FILE}
  - {id: json, type: JSON}
  - {id: uri, type: URI}
  - {id: nested.string, type: STRING}
  - {id: nested.more.int, type: INT, defaults: 123}
  - {id: array, type: ARRAY, itemType: INT}
  - {id: yaml, type: YAML, defaults: {property: value}}
  - {id: empty, type: STRING, defaults: ""}
"""
GIVEN = {
    "string": "myString", "int": "42", "float": "42.42", "bool": "false", "instant": "2019-10-06T18:27:49Z",
    "date": "2019-10-06", "time": "18:27:49", "duration": "PT5M6S", "file": "application-test.yml", "json": '{"a": "b"}',
    "uri": "https://www.google.com", "nested.string": "a string", "array": "[1, 2, 3]",
}  # fmt: skip
SEEN = {
    "string": "myString", "int": "42", "float": "42.42", "bool": "false", "date": "2019-10-06", "duration": "PT5M6S",
    "json.a": "b", "nested.string": "a string", "nested.more.int": "123", "array[2]": "3", "yaml.property": "value",
    "empty == ''": "true", "optional is null": "true", "uri": "https://www.google.com", "time": "18:27:49",
}  # fmt: skip


@checks("IN1", "IN3")
def test_every_type_is_seen_typed(run, beside):
    (beside / "application-test.yml").write_text("hello")
    messages = "".join(f'    - "{{{{ inputs.{text} }}}}"\n' for text in SEEN)
    flow = f"id: flow\nnamespace: company.team\n{DECLARED}tasks:\n- id: t\n  type: {LOG}\n  message:\n{messages}"
    ended = run(flow, **GIVEN)

    assert said(ended) == list(SEEN.values())
    assert ended.context.inputs["file"].startswith("kestra:///company/team/flow/executions/")
    assert ended.context.inputs["file"].endswith("/inputs/file/application-test.yml")


REFUSED = [
    ("IN2", "{id: x, type: STRING}", None, "Missing required input:x"),
    ("IN4", "{id: x, type: STRING, validator: 'A[0-9]+'}", "foo", "it must match the pattern `A[0-9]+`"),
    ("IN5", "{id: x, type: INT, min: 10, max: 20}", "9", "it must be more than `10`"),
    ("IN5", "{id: x, type: INT, min: 10, max: 20}", "21", "it must be less than `20`"),
    ("IN6", "{id: x, type: DATE, after: '2023-01-01'}", "2022-01-01", "it must be after `2023-01-01`"),
    ("IN7", "{id: x, type: DATETIME, after: '2023-01-01T00:00:00Z'}", "2022-01-01T00:00:00Z", "it must be after"),
    ("IN8", "{id: x, type: DURATION, min: PT10S}", "PT1S", "It must be more than `PT10S`"),
    ("IN9", "{id: x, type: FLOAT, min: 0.1}", "0.01", "it must be more than `0.1`"),
    ("IN10", "{id: x, type: TIME, after: '01:00'}", "00:00:01", "it must be after `01:00`"),
    ("IN11", "{id: x, type: URI}", "http:/bla", "Invalid URI format."),
    ("IN12", "{id: x, type: ENUM, values: [ENUM_VALUE, OTHER_ONE]}", "INVALID", "it must match the values `[ENUM_VALUE, OTHER_ONE]`"),
    ("IN12", "{id: x, type: ARRAY, itemType: INT}", '["s1", "s2"]', "Unable to parse array element as `INT` on `s1`"),
    ("X20", "{id: x, type: URI}", "http://localhost:8080", "Invalid URI format."),
]  # fmt: skip


@checks("IN2", *(f"IN{n}" for n in range(4, 13)), "X20")
@pytest.mark.parametrize(("name", "declared", "given", "cause"), REFUSED)
def test_a_bad_value_keeps_a_flow_from_starting(run, beside, name, declared, given, cause):
    flow = f"id: flow\nnamespace: company.team\ninputs: [{declared}]\ntasks: [{{id: t, type: {LOG}, message: a}}]"

    with pytest.raises(InputsError) as caught:
        run(flow, **({} if given is None else {"x": given}))
    assert cause in str(caught.value)
    assert not (beside / "runs" / "flow").exists()


@checks("IN13")
def test_an_empty_map_is_a_map(run):
    flow = f"id: flow\nnamespace: company.team\ninputs: [{{id: x, type: JSON}}]\ntasks: [{{id: t, type: {LOG}, message: '{{{{ inputs.x }}}}'}}]"

    assert said(run(flow, x="{}")) == ["{}"]


@checks("IN15")
def test_inputs_depend_on_others(run):
    flow = f"""\
        id: flow
        namespace: company.team
        inputs:
          - {{id: a, type: BOOLEAN}}
          - {{id: b, type: STRING, defaults: b, dependsOn: {{inputs: [a], condition: "{{{{ inputs.a }}}}"}}}}
          - {{id: c, type: STRING, defaults: c, dependsOn: {{inputs: [b]}}}}
        tasks:
          - {{id: t, type: {LOG}, message: "{{{{ inputs.b ?? 'off' }}}} {{{{ inputs.c ?? 'off' }}}}"}}
        """

    assert said(run(flow, a="true")) == ["b c"]
    assert said(run(flow, a="false")) == ["off off"]
