"""Templates are other people's texts: they reach no Python, and they come to an end."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest

from kestra_magic import render, settings
from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.errors import ExpressionError
from kestra_magic.expressions.render import render as render_text
from kestra_magic.expressions.scope import Scope
from kestra_magic.expressions.values import MAX_ITEMS, MAX_TEXT


class Trap:
    """Says so when anything of it is touched."""

    touched = False

    def boom(self) -> str:
        Trap.touched = True
        return "boom"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        Trap.touched = True
        return self


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__", "''.__class__.__mro__", "text.__class__", "text.format.__globals__", "text.encode()", "text.join([1])",
        "items.append(3)", "items.pop()", "items.__len__()", "items.__class__", "pair.pop('a')", "pair.update({})", "pair.items()",
        "pair.__init__", "pair.get.__globals__", "number.real", "number.__add__(1)", "number.to_bytes(2)", "trap.boom()",
        "trap.anything", "function('x')", "function.__globals__", "module.system('id')", "module.environ", "file.read()",
        "lipsum()", "cycler", "joiner", "self", "self._TemplateReference__context", "namespace()", "dict()", "range.__self__",
        "_context", "caller()", "text | attr('upper')", "items | map('upper')", "items | tojson", "text | format_map", "loop",
        "(text | upper).__class__", "[].__class__", "{}.__class__", "1.__class__", "true.__class__", "null.__class__",
        "text[':read']", "text['.']", "pair[':set']", "text.isEmpty.__code__", "block('root')", "':fail' | :fail",
    ],
)  # fmt: skip
def test_python_is_out_of_reach(expression: str) -> None:
    things = {
        "text": "abc", "items": [1], "pair": {"a": 1}, "number": 5, "trap": Trap(), "function": open, "module": os,
        "file": io.StringIO("read"),
    }  # fmt: skip
    if expression == "block('root')":
        assert render("{{ block('root') }}", things) == ""
        return
    for template in (
        f"{{{{ {expression} }}}}",
        f"{{% if {expression} %}}x{{% endif %}}",
        f"{{% for i in {expression} %}}{{% endfor %}}",
    ):
        with pytest.raises(ExpressionError):
            render(template, things)
    assert not Trap.touched


def test_a_value_that_looks_like_a_template_is_not_rendered() -> None:
    assert render("{{ x }}", {"x": "{{ y }}", "y": "no"}) == "{{ y }}"


@pytest.mark.parametrize(
    "template",
    [
        f"{{{{ range(1, {MAX_ITEMS + 1}) }}}}",
        f"{{{{ 1..{MAX_ITEMS + 1} }}}}",
        "{{ range(1, 9223372036854775807) }}",
        "{% for a in 1..900000 %}{% for b in 1..900000 %}{% endfor %}{% endfor %}",
        "{% set s = 'x' %}{% for i in 1..100 %}{% set s = s ~ s %}{% endfor %}",
        "{% set s = 'x' %}{% for i in 1..100 %}{% set s = s + s %}{% endfor %}",
        "{% set l = [1] %}{% for i in 1..100 %}{% set l = l + l %}{% endfor %}",
        "{% set l = [1] %}{% for i in 1..100 %}{% set l = l | merge(l) %}{% endfor %}",
        "{% for i in 1..900000 %}aaaaaaaaaaaaaaaaaaaa{% endfor %}",
        "{{ 'x' | indent(99999999999) }}",
        "{{ 'a\n' | indent(5, 'x') | replace({'x': big}) | replace({'x': big}) | replace({'x': big}) | replace({'x': big}) }}",
        "{{ '%99999999999d' | format(1) }}",
        "{{ nanoId(99999999999) }}",
        "{{ big.repeat(many) }}",
        "{{ render(bomb) }}",
        "{{ render(loop1) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% block b %}{{ block('b') }}{% endblock %}",
    ],
)  # fmt: skip
def test_a_bomb_is_refused(template: str) -> None:
    variables = {
        "big": "x" * 1000,
        "many": 2_000_000_000,
        "bomb": "{{ render(bomb) }}{{ render(bomb) }}",
        "loop1": "{{ loop1 }}x",
    }

    with pytest.raises(ExpressionError):
        render(template, variables)


@pytest.mark.parametrize(
    "expression",
    [
        "text | split('(a+)+$')", "text | replace({'(a+)+$': 'x'}, true)", "text | regexMatch('(a+)+$')",
        "text | regexReplace('(a|a)+$', 'x')", "text | regexExtract('(a*)*$')",
        "text.replaceAll('(a+)+$', 'x')", "text.split('(a|aa)+$')",
    ],
)  # fmt: skip
def test_a_pattern_that_never_ends_is_ended(expression: str) -> None:
    with pytest.raises(ExpressionError, match="longer than a second"):
        render(f"{{{{ {expression} }}}}", {"text": "a" * 40 + "!" + "a" * 3000 + "b"})


def test_a_long_text_is_no_bomb() -> None:
    assert len(str(render("{% for i in 1..100000 %}0123456789{% endfor %}", {}))) == 1_000_000 <= MAX_TEXT


def test_http_is_off() -> None:
    with pytest.raises(KestraMagicError, match="`http\\(\\)` is off"):
        render("{{ http('http://localhost:1/') }}")


def test_http_is_asked_of_the_host_once_it_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "_current", settings.Settings(http=True))
    asked: list[Any] = []

    class Web:
        def http(self, request: Any) -> object:
            asked.append(request)
            return {"answer": 42}

    host: Any = Web()
    said = render_text("{{ http(uri='http://h/', method='post', body={'a': 1}).answer }}", Scope({}), host)

    assert said == "42"
    assert (asked[0]["uri"], asked[0]["method"], asked[0]["body"]) == ("http://h/", "POST", {"a": 1})


def test_what_is_outside_is_named_where_nobody_answers() -> None:
    with pytest.raises(ExpressionError, match="answered in a run only"):
        render_text("{{ secret('X') }}", Scope({}))


def test_jq_looks_at_its_value_only() -> None:
    for program in ("env", "$ENV.HOME", "input", "inputs", "input_filename", 'include "x"; .', "halt"):
        with pytest.raises(ExpressionError):
            render("{{ x | jq(p) }}", {"x": {"a": 1}, "p": program})
