from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestra_magic.expressions.errors import ExpressionError
from kestra_magic.expressions.render import render
from kestra_magic.expressions.rewriting import escaped, rewritten, uses


def asked(text: str) -> list[str]:
    return [f"{use.name}{use.tail}" for use in uses(text)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("no expression { here }", []),
        ("{{ lr }} and {{ inputs.lr }}", ["lr", "inputs.lr"]),
        ("{{ inputs['a b'] }} {{ inputs[key] }}", ["inputs['a b']", "inputs", "key"]),
        ("{{ x | default(y) | upper }}", ["x", "y"]),
        ("{{ now(format=f) }}", ["f"]),
        ("{{ x is null }} {{ y is not empty }}", ["x", "y"]),
        ("{{ x.trim() }} {{ x.a.b }}", ["x", "x.a"]),
        ("{{ {'a': b, 'c': [d]} }}", ["b", "d"]),
        ("{{ true ? yes : null }}", ["yes"]),
        ("{% for i in items %}{{ i }}{{ loop.index }}{% else %}{{ z }}{% endfor %}", ["items", "loop.index", "z"]),
        ("{% set a = b %}{{ a }}", ["b"]),
        ("{% if a %}{% elseif b > c %}{% endif %}", ["a", "b", "c"]),
        ('{{ "say #{word} #{ x.y }" }}', ["word", "x.y"]),
        ("{% raw %}{{ no }}{% endraw %}{{ yes }}", ["yes"]),
        ("{% verbatim %}{{ no }}{% endverbatim %}{# {{ no }} #}", []),
        ("{% macro m(a, b=1) %}{{ a }}{% endmacro %}{{ m(x) }}", ["x"]),
    ],
)
def test_the_names_that_a_template_takes_from_outside(text: str, names: list[str]) -> None:
    assert asked(text) == names


def test_a_use_knows_its_line() -> None:
    assert [use.line for use in uses("one\n{{ a }}\n\n{{\n b }}")] == [2, 5]


def test_only_the_names_are_replaced() -> None:
    text = "{{a}} {{- a.b | f(a) -}} a {% if a %}'{{ 'a' }}'{% endif %}"

    made = rewritten(text, lambda use: f"inputs.{use.name}{use.tail}")

    assert made == "{{inputs.a}} {{- inputs.a.b | f(inputs.a) -}} a {% if inputs.a %}'{{ 'a' }}'{% endif %}"


def test_what_is_no_template_is_refused() -> None:
    with pytest.raises(ExpressionError):
        uses("{{ a + }}")


@given(st.text(st.sampled_from("{}%#'\"-\n raw")), st.integers(1, 3))
def test_escaped_text_comes_back_after_as_many_passes(text: str, passes: int) -> None:
    made = escaped(text, passes)
    for _ in range(passes):
        made = render(made, {})

    assert made == text
