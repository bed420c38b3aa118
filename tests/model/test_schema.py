from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kestra_magic.model.schema import schema
from kestra_magic.model.source import Source, load_yaml

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
FLOW = """
id: all
namespace: company.team
labels: [{key: a, value: b}]
inputs:
  - {id: n, type: INT, defaults: 3, min: 1}
  - {id: l, type: ARRAY, itemType: STRING}
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: "{{ inputs.l }}"
    tasks:
      - id: say
        type: io.kestra.plugin.scripts.python.Script
        script: print(1)
        timeout: PT10S
        retry: {type: constant, interval: PT1S, maxAttempt: 2}
        outputFiles: "{{ ['a'] }}"
        env: {A: "1"}
        taskRunner: {type: io.kestra.plugin.core.runner.Process, any: thing}
  - {id: aws, type: io.kestra.plugin.aws.s3.Upload, bucket: b}
triggers: [{id: t, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 9 * * *"}]
"""
WRONG = {
    "a task without id": ("id: say\n", "name: say\n"),
    "a property that does not exist": ("timeout: PT10S", "timout: PT10S"),
    "a script that is missing": ("        script: print(1)\n", ""),
    "an input of no type": ("type: INT", "type: INTEGER"),
    "a limit of another type": ("defaults: 3", "required: maybe"),
    "inputs as a map": ("inputs:\n  - {id: n, type: INT, defaults: 3, min: 1}\n  - {id: l", "inputs:\n  x: {id: l"),
    "tasks that are missing": ("tasks:\n  - id: each", "task:\n  - id: each"),
}


@pytest.fixture(scope="module")
def validator() -> Any:
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


def problems(validator: Any, text: str) -> list[str]:
    return [error.message for error in validator.iter_errors(load_yaml(Source(text)).value)]


def test_a_valid_flow_is_valid(validator: Any) -> None:
    assert problems(validator, FLOW) == []


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_flow_is_wrong(validator: Any, case: str) -> None:
    right, wrong = WRONG[case]
    assert right in FLOW

    assert problems(validator, FLOW.replace(right, wrong))


@pytest.mark.parametrize("file", sorted(NOTEBOOKS.glob("*.yaml")), ids=lambda file: file.name)
def test_the_flows_of_our_notebooks_are_valid(validator: Any, file: Path) -> None:
    assert problems(validator, file.read_text("utf-8")) == []
