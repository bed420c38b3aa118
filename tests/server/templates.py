"""Random expressions: of the kind that flows use, over one context."""

from __future__ import annotations

import random

__all__ = ["CONTEXT", "random_template"]

CONTEXT = {
    "inputs": {"n": 7, "f": 2.5, "s": "Hello World", "yes": True, "no": False, "list": [3, 1, 2], "empty": "", "date": "2024-03-05T10:11:12Z"},
    "vars": {"a": "x-y-z", "m": {"k": "v", "deep": {"n": 1}}, "words": ["b", "a", "c"], "big": 12345678901, "json": '{"q": [1, 2]}'},
    "outputs": {"task": {"vars": {"rows": 42, "name": "Ada"}, "exitCode": 0, "outputFiles": {"a.csv": "kestra:///x/a.csv"}}},
    "flow": {"id": "f", "namespace": "company.team"},
    "taskrun": {"value": "item-3", "iteration": 3},
}  # fmt: skip

NUMBERS = ("inputs.n", "inputs.f", "outputs.task.vars.rows", "vars.m.deep.n", "3", "0", "10", "2.5", "vars.big", "-4")
TEXTS = (
    "inputs.s",
    "vars.a",
    "outputs.task.vars.name",
    "'abc'",
    '"it\'s"',
    "taskrun.value",
    "flow.namespace",
    "inputs.empty",
)
LISTS = ("inputs.list", "vars.words", "[1, 2, 3]", "['p', 'q']", "vars.words | sort", "inputs.list | reverse")
TRUTHS = (
    "inputs.yes",
    "inputs.no",
    "true",
    "false",
    "inputs.s is empty",
    "inputs.nope is defined",
    "inputs.list is iterable",
)
MISSING = ("inputs.nope", "outputs.other.x", "vars.m.zzz", "nothing")
TEXT_FILTERS = (
    "upper", "lower", "capitalize", "title", "trim", "length", "first", "last", "json", "toJson", "urlencode", "base64encode",
    "replace({'a': 'b'})", "split('-')", "substringBefore('-')", "substringAfter('-')", "substringBeforeLast('-')",
    "substringAfterLast('.')", "abbreviate(5)", "slugify", "sha256", "slice(0, 2)", "default('d')", "startsWith('x')",
    "endsWith('z')", "escape", "string", "className", "reverse", "md5", "nl2br", "chunk(2)",
)  # fmt: skip
NUMBER_FILTERS = (
    "abs",
    "numberformat('#.##')",
    "json",
    "toJson",
    "string",
    "default(1)",
    "number",
    "className",
    "length",
)
LIST_FILTERS = (
    "first", "last", "length", "join(',')", "sort", "rsort", "reverse", "json", "slice(0, 2)", "max", "merge([9])",
    "jq('.[0]')", "chunk(2)", "distinct", "flatten", "string", "contains(1)",
)  # fmt: skip


def random_template(chance: random.Random) -> str:
    pieces = [chance.choice((_expression, _expression, _block, _text))(chance) for _ in range(chance.randint(1, 3))]
    return " ".join(pieces)


def _text(chance: random.Random) -> str:
    return chance.choice(("plain", "a {b} c", "100%", "{# hidden #}", "echo $HOME", "\\n", "{{ '{{' }}"))


def _expression(chance: random.Random) -> str:
    open_, close = chance.choice((("{{ ", " }}"), ("{{", "}}"), ("{{- ", " -}}")))
    return f"{open_}{_value(chance)}{close}"


def _block(chance: random.Random) -> str:
    kind = chance.randrange(5)
    if kind == 0:
        return f"{{% if {_truth(chance)} %}}A{{% elseif {_truth(chance)} %}}B{{% else %}}C{{% endif %}}"
    if kind == 1:
        return f"{{% for i in {chance.choice(LISTS)} %}}{{{{ loop.index }}}}:{{{{ i }}}}{{% if not loop.last %}},{{% endif %}}{{% endfor %}}"
    if kind == 2:
        return f"{{% set t = {_value(chance)} %}}{{{{ t }}}}"
    if kind == 3:
        return "{% for e in vars.m %}{{ e.key }}={{ e.value }};{% endfor %}"
    return f"{{% raw %}}{{{{ {chance.choice(TEXTS)} }}}}{{% endraw %}}"


def _value(chance: random.Random, depth: int = 0) -> str:
    kind = chance.randrange(9 if depth < 2 else 5)
    if kind == 0:
        return f"{chance.choice(TEXTS)} | {chance.choice(TEXT_FILTERS)}"
    if kind == 1:
        return f"{chance.choice(NUMBERS)} | {chance.choice(NUMBER_FILTERS)}"
    if kind == 2:
        return f"{chance.choice(LISTS)} | {chance.choice(LIST_FILTERS)}"
    if kind == 3:
        return chance.choice(
            (
                *NUMBERS,
                *TEXTS,
                *LISTS,
                *TRUTHS,
                *MISSING,
                "vars.m",
                "vars.m['k']",
                "inputs.list[0]",
                "outputs.task.outputFiles['a.csv']",
            )
        )
    if kind == 4:
        return f"{chance.choice(MISSING)} {chance.choice(('??', '???'))} {chance.choice(TEXTS)}"
    if kind == 5:
        return f"{_value(chance, depth + 1)} {chance.choice(('+', '-', '*', '/', '%', '~', '~'))} {_value(chance, depth + 1)}"
    if kind == 6:
        return f"{_truth(chance)} ? {_value(chance, depth + 1)} : {_value(chance, depth + 1)}"
    if kind == 7:
        return f"({_value(chance, depth + 1)}) | {chance.choice(TEXT_FILTERS)}"
    return _call(chance)


def _truth(chance: random.Random) -> str:
    kind = chance.randrange(5)
    if kind == 0:
        return chance.choice(TRUTHS)
    if kind == 1:
        return f"{chance.choice(NUMBERS)} {chance.choice(('<', '>', '<=', '>=', '==', '!='))} {chance.choice(NUMBERS)}"
    if kind == 2:
        return f"{chance.choice(TEXTS)} {chance.choice(('==', '!=', 'equals', 'contains'))} {chance.choice(TEXTS)}"
    if kind == 3:
        return f"{chance.choice(LISTS)} contains {chance.choice(NUMBERS)}"
    return f"{chance.choice(TRUTHS)} {chance.choice(('and', 'or'))} not {chance.choice(TRUTHS)}"


def _call(chance: random.Random) -> str:
    return chance.choice(
        (
            "max(inputs.n, 3)", "min(1, inputs.n, 9)", "range(1, 4)", "fromJson(vars.json).q[1]", "render('{{ inputs.n }}')",
            "inputs.date | date('yyyy-MM-dd')", "inputs.date | dateAdd(1, 'DAYS')", "inputs.date | date('EEEE', timeZone='Europe/Paris')",
            "inputs.date | timestamp", "vars | jq('.m.deep.n') | first", "vars.json | json", "secret('TOKEN')", "block('x')",
            "errorLogs()", "currentEachOutput(outputs.task)", "isFileEmpty('nope')",
        )
    )  # fmt: skip
