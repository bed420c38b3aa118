"""The page that says what differs from Jinja2 says the truth: row by row, on both sides."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined

from kestra_magic import render
from kestra_magic.expressions.diagnosis import literal
from kestra_magic.expressions.errors import ExpressionError

PAGE = (Path(__file__).parents[2] / "docs" / "expressions.md").read_text("utf-8")
ROWS = [
    [re.sub(r"\\\|", "|", cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in PAGE.splitlines()
    if line.startswith("| `{") and line.count(" | ") > 2
]
TABLES = [row for row in ROWS if len(row) == 4]


def context() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], {}, names)
    return names


def text(cell: str) -> str | None:
    if cell == "error":
        return None
    return "" if cell == "(nothing)" else cell.strip("`").replace("⏎", "\n")


def test_the_page_has_its_rows() -> None:
    assert len(TABLES) > 55


@pytest.mark.parametrize(("template", "kestra", "jinja", "why"), TABLES)
def test_a_row_of_the_page(template: str, kestra: str, jinja: str, why: str) -> None:
    template = template.strip("`")
    assert kestra != jinja
    if text(kestra) is None:
        with pytest.raises(ExpressionError):
            render(template, context())
    else:
        assert str(render(template, context())).strip() == str(text(kestra)).strip()
    if text(jinja) is None:
        with pytest.raises(Exception):  # noqa: B017, PT011 - Jinja2's errors have many roots
            Environment(undefined=StrictUndefined).from_string(template).render(context())
    elif "…" not in jinja:
        assert (
            Environment(undefined=StrictUndefined).from_string(template).render(context()).strip()
            == str(text(jinja)).strip()
        )


@pytest.mark.parametrize("opener", ["{{", "{#", "{%"])
def test_the_page_says_how_braces_are_meant(opener: str) -> None:
    once, twice = literal(opener), literal(opener, twice=True)

    assert f"`{once}` | `{twice}`" in PAGE
    assert render(once) == opener
    assert render(str(render(twice))) == opener
