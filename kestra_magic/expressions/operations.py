"""Every operation the compiler may call, under the name by which Jinja2 finds it."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from . import (  # noqa: F401 - they fill the registry
    calendar,
    documents,
    filters,
    functions,
    identifiers,
    iterations,
    moments,
    numbers,
    numbertexts,
    texts,
    yamltext,
)
from .attributes import attribute, call
from .errors import ExpressionError, MissingError
from .evaluation import Evaluation
from .operators import (
    add,
    arithmetic,
    arithmetic_3_2,
    compare,
    concat,
    contains,
    default,
    equals,
    is_in,
    negative,
    null_coalesce,
    positive,
    shielded,
    truth,
    undefined_coalesce,
)  # fmt: skip
from .registry import REGISTRY, Registered
from .values import Long, java_map

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OPERATIONS", "REGISTRY", "Registered"]


def _fail(what: str, near: str) -> object:
    raise ExpressionError(what, near=near)


def _attribute(owner: object, key: object, root: str | None = None) -> object:
    if owner is None and root is not None:
        raise MissingError(root, note=f"; `{root}` is null")
    return attribute(owner, key)


def _lenient(read: Callable[..., object]) -> Callable[..., object]:
    def reading(owner: object, key: object, *more: Any) -> object:
        try:
            return None if owner is None else read(owner, key, *more)
        except MissingError:
            return None

    return reading


def _sum(plus: Callable[[object, object], object], first: object, *rest: object) -> object:
    for value in rest:
        first = plus(first, value)
    return first


def _compared(symbol: str, left: object, right: object) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        raise ExpressionError("invalid operands for mathematical comparison: two texts")
    return compare(symbol, left, right)


OPERATIONS: dict[str, Callable[..., Any]] = {
    ":read": Evaluation.read,
    ":set": Evaluation.write,
    ":for": Evaluation.each,
    ":captured": Evaluation.captured,
    ":macro": Evaluation.macro,
    ":argument": Evaluation.argument,
    ":enter": Evaluation.enter,
    ":place": Evaluation.place,
    ":block": Evaluation.named_block,
    ":fail": _fail,
    ":first": lambda value, *_: value,
    ":if": lambda value: truth(value, "if statement"),
    "?if": lambda value: value is not None and truth(value, "if statement"),
    ":ternary": lambda value: value is not None and truth(value, "a ternary"),
    ":truth": lambda value: truth(value, "and operator"),
    "?truth": lambda value: value is not None and truth(value, "and operator"),
    ":shield": shielded,
    ":map": java_map,
    ":long": Long,
    ":infinity": lambda _: math.inf,
    ".": _attribute,
    ".()": call,
    "?.": _lenient(attribute),
    "?.()": _lenient(call),
    ":not": lambda value: not truth(value, "not()"),
    "?not": lambda value: value is None or not truth(value, "not()"),
    "unary -": negative,
    "unary +": positive,
    "??": null_coalesce,
    "???": undefined_coalesce,
    "contains": contains,
    "isIn": is_in,
    "~": concat,
    "==": equals,
    "equals": equals,
    "!=": lambda left, right: not equals(left, right),
    "+": lambda first, *rest: _sum(add, first, *rest),
    "3.2 +": lambda first, *rest: _sum(partial(arithmetic_3_2, "+"), first, *rest),
    "3.2 unary -": lambda value: arithmetic_3_2("*", -1, value),
    "3.2 unary +": lambda value: arithmetic_3_2("*", 1, value),
    **{f"3.2 {s}": partial(arithmetic_3_2, s) for s in "-*/%"},
    **{f"3.2 {s}": partial(_compared, s) for s in ("<", ">", "<=", ">=")},
    **{s: (lambda left, right, s=s: arithmetic(s, left, right)) for s in "-*/%"},
    **{s: (lambda left, right, s=s: compare(s, left, right)) for s in ("<", ">", "<=", ">=")},
    **{f"|{name}": known.function for name, known in REGISTRY.filters.items()},
    **{f"is {name}": known.function for name, known in REGISTRY.tests.items()},
    **{f"{name}()": known.function for name, known in REGISTRY.functions.items()},
}


REGISTRY.filters["default"] = Registered(default, "filter", ("default",))
OPERATIONS["|default"] = default
