"""Expressions: what rendering costs beside the same text in plain Jinja2, in one run."""

from __future__ import annotations

import json
import timeit
from typing import TYPE_CHECKING, Any

from jinja2 import Environment

from benchmarks.figure import Figure
from kestra_magic.expressions.render import render
from kestra_magic.expressions.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["figures"]

CONTEXT: dict[str, Any] = {
    "inputs": {"name": "train", "lr": 0.1, "epochs": 3, "tags": ["a", "b", "c", "d", "e"], "url": "http://host/data"},
    "outputs": {"load": {"vars": {"rows": 42, "when": "2024-03-05"}, "outputFiles": {"a.csv": "kestra:///a.csv"}}},
    "flow": {"id": "bench", "namespace": "company.team"},
    "vars": {"map": {"k": "v", "n": 1}, "list": [1, 2, 3]},
}
SHARED = """set -e
cd {{ inputs.name }}
echo {{ flow.id }} {{ flow.namespace }}
python train.py --lr {{ inputs.lr }} --epochs {{ inputs.epochs }}
for tag in {{ inputs.tags | join(' ') }}; do
  echo "$tag"
done
curl {{ inputs.url }}/{{ outputs.load.vars.when }}
echo rows: {{ outputs.load.vars.rows + 1 }}
cat {{ outputs.load.outputFiles['a.csv'] }}
"""
KESTRA = (
    SHARED
    + """{% if inputs.epochs > 5 %}long{% elseif inputs.epochs > 2 %}middle{% else %}short{% endif %}
{% for tag in inputs.tags %}
echo {{ loop.index }} {{ tag | upper }}
{% endfor %}
{% set out = inputs.name ~ '-' ~ inputs.epochs %}
echo {{ out }} {{ inputs.missing ?? 'none' }}
echo '{{ vars.map | toJson }}'
echo {{ vars.list | length }} {{ vars.list | first }}
echo {{ inputs.name is empty ? 'no' : 'yes' }}
echo {{ inputs.lr * 2 }}
"""
)
JINJA = (
    SHARED
    + """{% if inputs.epochs > 5 %}long{% elif inputs.epochs > 2 %}middle{% else %}short{% endif %}
{% for tag in inputs.tags %}
echo {{ loop.index0 }} {{ tag | upper }}
{% endfor %}
{% set out = inputs.name ~ '-' ~ inputs.epochs %}
echo {{ out }} {{ inputs.missing | default('none') }}
echo '{{ dumps(vars.map) }}'
echo {{ vars.list | length }} {{ vars.list | first }}
echo {{ 'no' if inputs.name == '' else 'yes' }}
echo {{ inputs.lr * 2 }}
"""
)


def figures() -> Iterator[Figure]:
    scope = Scope(CONTEXT)
    environment = Environment(autoescape=False)  # the same text by hand, as Jinja2 wants it
    template = environment.from_string(JINJA)
    names = CONTEXT | {"dumps": lambda value: json.dumps(value, separators=(",", ":"))}
    assert render(KESTRA, scope).strip() == template.render(names).strip()
    plain = _best(lambda: template.render(names))
    yield Figure("20 lines, cached, beside plain Jinja2", _best(lambda: render(KESTRA, scope)) / plain, "×", most=3)
    fresh = _best(lambda: render(KESTRA, Scope(CONTEXT)))
    yield Figure("20 lines, cached, the variables copied anew", fresh / plain, "×", most=3)
    text = "echo nothing to render; " * 40
    yield Figure("text without a brace", _best(lambda: render(text, scope)) * 1e9, "ns", most=1000)
    yield _unseen(environment)


def _unseen(environment: Environment) -> Figure:
    number = iter(range(10**9))
    ours = _best(lambda: render(f"{{# {next(number)} #}}{KESTRA}", Scope(CONTEXT)), count=20)
    plain = _best(lambda: environment.from_string(f"{{# {next(number)} #}}{JINJA}"), count=20)
    return Figure("20 lines, never seen, beside plain Jinja2", ours / plain, "×")


def _best(measured: Callable[[], object], count: int = 300) -> float:
    return min(timeit.repeat(measured, number=count, repeat=7)) / count
