"""What a template can see of the notebook, and what it can not."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kestra_magic.expressions.errors import ExpressionError, MissingError
from kestra_magic.expressions.render import render
from kestra_magic.expressions.scope import Scope, bare_name, plain
from kestra_magic.workspace.outputs import OutputFile


def see(template: str, **notebook: Any) -> str:
    return render(template, Scope({"inputs": {"given": 1}}, notebook, inputs_fall_back=True))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (True, "true"), (3, "3"), (0.5, "0.5"), ("text", "text"), (Path("a/b"), "a/b"),
        (np.int64(3), "3"), (np.float32(0.5), "0.5"), (np.bool_(True), "true"), (np.str_("s"), "s"),
        (np.datetime64("2024-03-05T10:11:12"), "2024-03-05T10:11:12"), (pd.NaT, ""),
        (pd.Timestamp("2024-03-05", tz="UTC"), "2024-03-05T00:00Z"), (pd.Timedelta(hours=1), "PT1H"),
        ((1, 2), "[1,2]"), ([{"a": (1,)}], '[{"a":[1]}]'), (date(2024, 3, 5), "2024-03-05"),
        (datetime(2024, 3, 5, 10, tzinfo=UTC), "2024-03-05T10:00Z"),
        (OutputFile("a", Path("/x/a"), "kestra:///x/a"), "kestra:///x/a"),
    ],
)  # fmt: skip
def test_plain_data_is_seen(value: object, text: str) -> None:
    assert see("{{ x }}", x=value) == text


@pytest.mark.parametrize(
    ("value", "instead"),
    [
        (pd.DataFrame({"a": [1]}), "-f x.csv=x"), (pd.Series([1]), "-f x.csv=x"), (np.zeros(3), "x.tolist()"),
        (b"bytes", "-f x.bin=x"), ({1, 2}, "sorted(x)"), (len, "call it"), (threading, "call it"),
        (SimpleNamespace(a=1), "put what is needed"), (open, "call it"), ({(1, 2): 3}, "keys are texts"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_what_to_do_instead(value: object, instead: str) -> None:
    with pytest.raises(ExpressionError, match="`x`") as caught:
        see("{{ x }}", x=value)

    assert instead in str(caught.value)


def test_what_is_refused_harms_only_when_it_is_touched() -> None:
    rows = {"name": "a", "frame": pd.DataFrame({"a": [1]})}

    assert see("{{ x.name }}", x=rows) == "a"
    with pytest.raises(ExpressionError, match=r"`x\.frame` is a DataFrame"):
        see("{{ x.frame }}", x=rows)


def test_what_is_refused_is_not_missing() -> None:
    with pytest.raises(ExpressionError, match="expressions take plain data only"):
        see("{{ x ?? 'd' }}", x=object())


def test_a_list_that_holds_itself_is_refused() -> None:
    knot: list[Any] = []
    knot.append(knot)

    with pytest.raises(ExpressionError, match="holds itself"):
        see("{{ x }}", x=knot)


def test_a_template_changes_no_list_of_the_notebook() -> None:
    mine = [3, 1, 2]

    assert see("{{ x | sort }}{{ x }}", x=mine) == "[1,2,3][1,2,3]"
    assert mine == [3, 1, 2]


def test_inputs_fall_back_on_the_notebook() -> None:
    assert see("{{ inputs.given }} {{ inputs.lr }} {{ lr }}", lr=0.1) == "1 0.1 0.1"
    assert see("{{ inputs }}", lr=0.1) == '{"given":1}'


def test_inputs_of_a_flow_do_not() -> None:
    with pytest.raises(MissingError):
        render("{{ inputs.lr }}", Scope({"inputs": {}}, {"lr": 0.1}))


def test_kestras_variables_stand_before_the_notebooks() -> None:
    assert render("{{ flow.id }}", Scope({"flow": {"id": "k"}}, {"flow": {"id": "mine"}})) == "k"


def test_hidden_names_are_not_there() -> None:
    with pytest.raises(MissingError):
        see("{{ _secret }}", _secret=1)


def test_near_names_are_a_persons_own() -> None:
    with pytest.raises(MissingError, match="did you mean `year`"):
        see("{{ yer }}", year=1, yet=len)
    with pytest.raises(MissingError, match="did you mean `year`"):
        see("{{ inputs.yer }}", year=1)


def test_kestras_variables_can_not_be_set() -> None:
    with pytest.raises(ExpressionError, match="can not be set"):
        render("{% set flow = 1 %}", Scope({"flow": {}}))
    assert render("{% set x = 2 %}{{ x }}", Scope({}, {"x": 1})) == "2"


def test_the_context_is_kestras_variables_and_what_is_set() -> None:
    scope = Scope({"inputs": {"a": 1}}, {"x": object(), "y": 1})

    assert render("{% set q = 1 %}{{ fetchContext() }}", scope) == '{"q":1,"inputs":{"a":1}}'


@pytest.mark.parametrize(
    ("text", "name"),
    [("{{ df }}", "df"), (" {{df}} ", "df"), ("{{- df -}}", "df"), ("{{ inputs.df }}", "df"), ("{{ df.a }}", None), ("{{ df }}x", None), ("df", None), ("{{ df | json }}", None)],
)  # fmt: skip
def test_a_bare_name(text: str, name: str | None) -> None:
    assert bare_name(text) == name


def test_what_changes_while_it_is_read_is_no_crash() -> None:
    class Growing(dict[str, int]):
        def __iter__(self) -> Any:
            raise RuntimeError("changed")

    assert plain({"a": Growing(b=1)}, "x") == {"a": {"b": 1}}
