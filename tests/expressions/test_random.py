"""Templates that nobody wrote: whatever they are, they give a text or an error of ours."""

from __future__ import annotations

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kestra_magic import render
from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.errors import ExpressionError
from kestra_magic.expressions.operations import REGISTRY
from kestra_magic.expressions.render import line_map, render_typed, substitutions
from kestra_magic.expressions.render import render as render_text
from kestra_magic.expressions.scope import Scope
from tests.expressions.given import CONTEXT

SLOW = {"randomPort", "http"}
NAMES = st.sampled_from([*CONTEXT, "missing", "i", "v", "loop", "_context", "__class__"])
TEXTS = st.sampled_from(
    [
        "a",
        "x y",
        "",
        "é😀",
        "1",
        "1.5",
        "2024-03-05",
        "a,b",
        "{{ word }}",
        "[0-9]+",
        "(",
        "%s",
        "#,##0.0",
        "\\",
        "UTC",
        "DAYS",
    ]
)
NUMBERS = st.sampled_from(["0", "1", "-3", "2.5", "9223372036854775807", "99999999999999999999999", "7L", "1000000"])
BINARY = st.sampled_from(
    [
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "equals",
        "!=",
        "<",
        ">",
        "<=",
        ">=",
        "and",
        "or",
        "contains",
        "isIn",
        "..",
        "??",
        "???",
        "~",
    ]
)
FILTERS = st.sampled_from(sorted({*REGISTRY.filters, "default", "nofilter"}))
TESTS = st.sampled_from([*REGISTRY.tests, "mapping"])
FUNCTIONS = st.sampled_from(sorted({*REGISTRY.functions, "block", "parent", "m", "nofunction"} - SLOW))


def quoted(text: str) -> str:
    return "'" + text.replace("'", "\\'") + "'"


ATOMS = st.one_of(
    NAMES, NUMBERS, TEXTS.map(quoted), st.sampled_from(["true", "null", "[]", "{}", "inputs.url", "numbers[0]"])
)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.builds("{} {} {}".format, inner, BINARY, inner),
        st.builds("({})".format, inner),
        st.builds("{} | {}".format, inner, FILTERS),
        st.builds("{} | {}({})".format, inner, FILTERS, arguments),
        st.builds("{}({})".format, FUNCTIONS, arguments),
        st.builds("{} is {}".format, inner, TESTS),
        st.builds("{} is not {}".format, inner, TESTS),
        st.builds("{} ? {} : {}".format, inner, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("-{}".format, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{'k': {}}}".format, inner),
        st.builds(
            "{}.{}".format, NAMES, st.sampled_from(["url", "size()", "length", "a", "__init__", "hashCode()", "get(0)"])
        ),
        st.builds("{}[{}]".format, NAMES, inner),
        inner.map('"a#{{{}}}b"'.format),
    )


EXPRESSIONS = st.recursive(ATOMS, larger, max_leaves=6)


def statements(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds(
            "{{% if {} %}}{}{{% elseif {} %}}b{{% else %}}{}{{% endif %}}".format,
            EXPRESSIONS,
            inner,
            EXPRESSIONS,
            inner,
        ),
        st.builds("{{% for i in {} %}}{}{{% else %}}none{{% endfor %}}".format, EXPRESSIONS, inner),
        st.builds("{{% set v = {} %}}{}".format, EXPRESSIONS, inner),
        st.builds("{{% macro m(i, v={}) %}}{}{{% endmacro %}}{{{{ m({}) }}}}".format, EXPRESSIONS, inner, EXPRESSIONS),
        st.builds("{{% filter {} %}}{}{{% endfilter %}}".format, FILTERS, inner),
        st.builds("{{% block b %}}{}{{% endblock %}}".format, inner),
    )


PRINTS = st.one_of(
    st.builds("{{{{ {} }}}}".format, EXPRESSIONS),
    st.builds("{{{{- {} -}}}}".format, EXPRESSIONS),
    st.sampled_from(
        [
            "text",
            "\n",
            "{# gone #}",
            "{% raw %}{{ x }}{% endraw %}",
            "{% verbatim %}{{ x }}{% endverbatim %}",
            "{ name }",
            "é",
        ]
    ),
)
TEMPLATES = st.recursive(PRINTS, statements, max_leaves=5)
DAMAGE = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.sampled_from([*"{}%#|()[].,:?'\"~-+ \n\\", "{{", "}}", "{%", "%}", "endif", "#{", "\x00", "😀", ""]),
    ),
    min_size=1,
    max_size=4,
)
patiently = settings(max_examples=300, suppress_health_check=list(HealthCheck))


def damaged(template: str, damage: list[tuple[int, str]]) -> str:
    for place, piece in damage:
        at = place % (len(template) + 1)
        template = template[:at] + piece + template[at + (not piece) :]
    return template


def only_ours(template: str) -> None:
    for way in (render, lambda t, v: render(t, v, typed=True)):
        try:
            way(template, copy.deepcopy(CONTEXT))
        except KestraMagicError as error:
            assert isinstance(error, ExpressionError)
            assert str(error).startswith("line ")
            assert error.line <= template.count("\n") + 1


@patiently
@given(TEMPLATES)
def test_a_random_template_gives_a_text_or_our_error(template: str) -> None:
    only_ours(template)


@patiently
@given(TEMPLATES, DAMAGE)
def test_a_damaged_template_gives_a_text_or_our_error(template: str, damage: list[tuple[int, str]]) -> None:
    only_ours(damaged(template, damage))


@patiently
@given(st.lists(st.sampled_from([*"{}%#|()[].,:?'\"~-+ \n\\ax1", "{{", "}}", "{%", "%}"]), max_size=60).map("".join))
def test_noise_gives_a_text_or_our_error(template: str) -> None:
    only_ours(template)


@patiently
@given(TEMPLATES)
def test_pieces_are_the_text(template: str) -> None:
    volatile = ("now", "uuid", "id(", "ksuid", "nanoId", "random", "encrypt")
    if any(word in template for word in volatile):
        return
    scope = Scope(copy.deepcopy(CONTEXT))
    try:
        whole = render_text(template, Scope(copy.deepcopy(CONTEXT)))
    except ExpressionError:
        with pytest.raises(ExpressionError):
            substitutions(template, scope)
        return
    pieces = substitutions(template, scope)
    assert "".join(piece.text for piece in pieces) == whole
    assert len(line_map(pieces)) == whole.count("\n") + 1


@pytest.mark.parametrize("deep", [50, 500, 5000])
@pytest.mark.parametrize(
    ("opening", "middle", "closing"),
    [("(", "1", ")"), ("[", "", "]"), ("not ", "true", ""), ("{'a':", "1", "}"), ("-", "1", ""), ("1 + ", "1", ""), ("x | ", "upper", ""), ("a.", "b", "")],
)  # fmt: skip
def test_depth_is_no_crash(deep: int, opening: str, middle: str, closing: str) -> None:
    only_ours("{{ " + opening * deep + middle + closing * deep + " }}")


@pytest.mark.parametrize("deep", [20, 200, 2000])
def test_deep_tags_are_no_crash(deep: int) -> None:
    only_ours("{% if true %}" * deep + "x" + "{% endif %}" * deep)
    only_ours("{% for i in [1] %}" * deep + "x" + "{% endfor %}" * deep)


def test_a_lone_expression_keeps_its_type() -> None:
    scope = Scope(CONTEXT)
    wanted = {
        "{{ count }}": 3,
        "{{ numbers }}": [1, 2, 3],
        "{{ yes }}": True,
        "{{ nothing }}": None,
        "{{ 1.5 }}": 1.5,
        "{{ count }}!": "3!",
        "{{ pair }}": {"a": 1, "b": "two"},
        "text": "text",
        "{{ word | first }}": "b",
    }

    found = {template: render_typed(template, scope) for template in wanted}

    assert found == wanted
    assert {t: type(v) for t, v in found.items()} == {t: type(v) for t, v in wanted.items()}
