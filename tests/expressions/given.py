"""What the rows of the tables are rendered with, and how."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kestra_magic.expressions.errors import ExpressionError
from kestra_magic.expressions.render import render
from kestra_magic.expressions.scope import Scope

__all__ = ["CONTEXT", "FAILS", "Rows", "check"]

FAILS = None
"""What stands for the text where a server fails."""
Rows = dict[str, tuple[str, str | None]]
CONTEXT: dict[str, Any] = {
    "word": "bird",
    "count": 3,
    "big": 2147483647,
    "yes": True,
    "nothing": None,
    "numbers": [1, 2, 3],
    "pair": {"a": 1, "b": "two"},
    "when": "2024-03-05T10:11:12.345678Z",
    "key": "MTIzNDU2Nzg5MDEyMzQ1Ng==",
    "inputs": {"url": "http://h/x", "one": 1},
    "outputs": {"load": {"value": {"rows": [{"id": 1}, {"id": 2}]}}},
    "vars": {"first": "{{ word }}", "second": "{{ vars.first }}", "loop": "{{ vars.pool }}", "pool": "{{ vars.loop }}"},
    "flow": {"id": "f", "namespace": "my.team"},
    "envs": {"token": "t"},
    "tasks": {"a": {"state": "FAILED"}, "b": {"v1": {"state": "FAILED"}, "v2": {"state": "SUCCESS"}}},
}


def check(template: str, expected: str | None) -> None:
    """See that *template* gives the text, or fails with an error of ours and nothing else."""
    scope = Scope(copy.deepcopy(CONTEXT))
    if expected is FAILS:
        with pytest.raises(ExpressionError):
            render(template, scope)
    else:
        assert render(template, scope) == expected
