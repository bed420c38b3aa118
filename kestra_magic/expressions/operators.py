"""What the operators do to values: Pebble's `OperatorUtils`, with Java's arithmetic."""

from __future__ import annotations

import math
import operator
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation
from typing import TYPE_CHECKING, Any

import regex

from .errors import ExpressionError, MissingError
from .values import TRIMMED, Array, Float, Group, Long, Macroed, Refused, bounded, java_type, text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "EXACT", "add", "arithmetic", "arithmetic_3_2", "compare", "concat", "contains", "default", "equals", "has_key",
    "is_empty", "is_in", "is_number", "java_equals", "negative", "null_coalesce", "positive", "shielded", "truth",
    "undefined_coalesce", "wrapped",
]  # fmt: skip

NUMBERS = (int, float, Decimal)
EXACT = Context(prec=10_000)
DECIMAL128 = Context(prec=34, rounding=ROUND_HALF_EVEN)
_WHOLE = regex.compile(r"[+-]?[0-9]+")
_DECIMAL = regex.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fFdD]?\s*")


def is_number(value: object) -> bool:
    return isinstance(value, NUMBERS) and value.__class__ is not bool


def number(value: object) -> Any:
    """Return *value* as a number; a text is read as Pebble 4.1 reads it."""
    if is_number(value):
        return value
    if value.__class__ is not str:
        raise ExpressionError(f"Cannot convert to Number: {text(value)}")
    said: str = value
    if any(sign in said for sign in ".eE"):
        if _DECIMAL.fullmatch(said):
            return float(said.strip().rstrip("fFdD"))
    elif _WHOLE.fullmatch(said) and len(said) < 25 and -(2**63) <= int(said) < 2**63:
        return Long(said)
    raise ExpressionError(f'For input string: "{said}"')


def wrapped(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def as_double(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def arithmetic(symbol: str, left: object, right: object) -> object:
    """Return `left symbol right` for `+ - * / %` after Java's widening: the wider type of the two decides."""
    if symbol == "-" and isinstance(left, list):
        return _without(left, right)
    a, b = number(left), number(right)
    kinds = {a.__class__, b.__class__}
    if Decimal in kinds:
        return _decimals(symbol, _exact(a), _exact(b))
    if float in kinds:
        return _doubles(symbol, as_double(a), as_double(b))
    if Float in kinds:
        return Float(_doubles(symbol, Float(as_double(a)), Float(as_double(b))))
    if Long in kinds or any(2**31 <= abs(n) < 2**63 and n != -(2**31) for n in (a, b)):
        return Long(wrapped(_wholes(symbol, wrapped(a, 64), wrapped(b, 64)), 64))
    return wrapped(_wholes(symbol, wrapped(a, 32), wrapped(b, 32)), 32)


_SIMPLE: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_DECIMALS = {
    "+": EXACT.add, "-": EXACT.subtract, "*": DECIMAL128.multiply, "/": DECIMAL128.divide, "%": DECIMAL128.remainder,
}  # fmt: skip


def _wholes(symbol: str, a: int, b: int) -> int:
    if do := _SIMPLE.get(symbol):
        return int(do(a, b))
    if b == 0:
        raise ExpressionError("/ by zero")
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return quotient if symbol == "/" else a - quotient * b


def _doubles(symbol: str, a: float, b: float) -> float:
    if do := _SIMPLE.get(symbol):
        return float(do(a, b))
    if symbol == "/":
        if b:
            return a / b
        return math.nan if not a or a != a else math.copysign(math.inf, a) * math.copysign(1, b)
    return math.nan if not b or math.isinf(a) else math.fmod(a, b)


def _exact(value: Any) -> Decimal:
    """BigDecimal.valueOf(double): the digits that the double prints."""
    double = as_double(value)
    if math.isinf(double) or double != double:
        raise ExpressionError("Infinite or NaN")
    return Decimal(text(double))


def _decimals(symbol: str, a: Decimal, b: Decimal) -> Decimal:
    try:
        return _DECIMALS[symbol](a, b)
    except (DivisionByZero, InvalidOperation):
        raise ExpressionError("Division by zero") from None


def add(left: object, right: object) -> Any:
    """`+`: joins as soon as one side is a text, appends to a list, else adds."""
    if left.__class__ is str or right.__class__ is str or left.__class__ is Macroed or right.__class__ is Macroed:
        return _joined(text(left), text(right))
    if isinstance(left, list):
        more = list(right) if isinstance(right, (list, Group)) else [right]
        bounded(10 * (len(left) + len(more)))
        return left + more
    return arithmetic("+", left, right)


def _joined(left: str, right: str) -> str:
    bounded(len(left) + len(right))
    return left + right


def _without(left: list[object], right: object) -> list[object]:
    if isinstance(right, (list, Group)):
        return [item for item in left if not any(java_equals(item, gone) for gone in right)]
    rest = list(left)
    for index, item in enumerate(rest):
        if java_equals(item, right):
            del rest[index]
            break
    return rest


def arithmetic_3_2(symbol: str, left: object, right: object) -> object:
    """What Pebble 3.2 does otherwise: no text is a number, and a list that is changed stays changed."""
    if isinstance(left, list) and symbol in "+-":
        left[:] = add(left, right) if symbol == "+" else _without(left, right)
        return left
    if symbol == "+" and (isinstance(left, str) or isinstance(right, str)):
        return add(left, right)
    for value in (left, right):
        number(None if isinstance(value, str) else value)
    return arithmetic(symbol, left, right)


def concat(*parts: object) -> str:
    """`~`: the texts of both sides; null is nothing."""
    joined = "".join(["" if part is None else text(part) for part in parts])
    bounded(len(joined))
    return joined


def negative(value: object) -> object:
    return arithmetic("*", -1, value)


def positive(value: object) -> object:
    return arithmetic("*", 1, value)


# comparison


_COMPARISONS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    ">": ("GREATER_THAN", lambda a, b: a > b),
    ">=": ("GREATER_THAN_EQUALS", lambda a, b: a >= b),
    "<": ("LESS_THAN", lambda a, b: a < b),
    "<=": ("LESS_THAN_EQUALS", lambda a, b: a <= b),
}


def compare(symbol: str, left: object, right: object) -> bool:
    """`< > <= >=`: numbers as doubles, texts by their characters; with null it is false."""
    if left is None or right is None:
        return False
    name, holds = _COMPARISONS[symbol]
    if is_number(left) and is_number(right):
        return holds(as_double(left), as_double(right))
    if left.__class__ is str and right.__class__ is str:
        return holds(left, right)
    raise ExpressionError(f"invalid operands for mathematical comparison [{name}]")


def equals(left: object, right: object) -> bool:
    """`==`: numbers as doubles, everything else as Java's `equals`."""
    if is_number(left) and is_number(right):
        return as_double(left) == as_double(right)
    return java_equals(left, right)


def java_equals(left: object, right: object) -> bool:
    """Java's `equals`: an Integer never equals a Long, a character never a text."""
    if left is right:
        return left.__class__ not in (Array, Macroed) or left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(java_equals, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(java_equals(left[key], right[key]) for key in left)
    if isinstance(left, Group) and isinstance(right, Group):
        return len(left) == len(right) and all(any(java_equals(a, b) for b in right) for a in left)
    if isinstance(left, (Array, Group)):
        return False
    if isinstance(left, float) and left != left and right != right:
        return java_type(left) == java_type(right)
    return left == right and java_type(left) == java_type(right)


def contains(left: object, right: Callable[[], object]) -> bool:
    """`contains`: an item, all items of another collection, a key, a part of a text."""
    if left is None:
        return False
    value = right()
    if isinstance(left, (list, Group)):
        wanted = value if isinstance(value, (list, Group)) else [value]
        return all(any(java_equals(want, item) for item in left) for want in wanted)
    if isinstance(left, dict):
        return has_key(left, value)
    if isinstance(left, Array):
        return any(value is item or java_equals(value, item) for item in left)
    if left.__class__ is str:
        return text(value) in left
    raise ExpressionError(
        "Contains operator can only be used on Collections, Maps and arrays. Actual type was: " + java_type(left)
    )


def has_key(mapping: dict[Any, object], key: object) -> bool:
    if key.__class__ is str:
        return key in mapping
    return any(java_equals(known, key) for known in mapping)


def is_in(left: object, right: object) -> bool:
    """`isIn` of newer Kestra: by text, in a collection, or among the keys and values of a map."""
    if left is None or right is None:
        return False
    if isinstance(right, dict):
        right = [*right, *right.values()]
    if not isinstance(right, (list, Group)):
        return False
    said = text(left)
    return any(text(item) == said for item in right)


# truth


def truth(value: object, where: str) -> bool:
    """Return whether *value* holds in `if`, `not`, `and`, `or`; a list, a map and null are errors there."""
    kind = value.__class__
    if kind is bool:
        return value  # type: ignore[return-value]
    if kind is str:
        return value != ""
    if is_number(value):
        return value == value and value != 0
    if value is None:
        raise ExpressionError(f"null value given to {where} and strict variables is set to true")
    if isinstance(value, Refused):
        raise value.error()
    what = java_type(value).rpartition(".")[2]
    raise ExpressionError(f"Unsupported value type {what}. Expected Boolean, String, Number in {where}", near=_EMPTY)


_EMPTY = "; ask `is empty` or `is not empty` of a list or a map"


def is_empty(value: object) -> bool:
    """Whether *value* is null, a blank text, or an empty list or map."""
    if value is None:
        return True
    if value.__class__ is str:
        return not value.strip(TRIMMED)
    return isinstance(value, (list, dict, Group)) and not value


# what looks at an operand that may be missing: it comes as a thunk


def null_coalesce(left: Callable[[], object], right: Callable[[], object]) -> object:
    """`??`"""
    try:
        value = left()
    except MissingError:
        return right()
    return right() if value is None else value


def undefined_coalesce(left: Callable[[], object], right: Callable[[], object]) -> object:
    """`???`"""
    try:
        return left()
    except MissingError:
        return right()


def default(value: Callable[[], object], other: object = None) -> object:
    """The filter `default`."""
    try:
        found = value()
    except MissingError:
        return other
    return other if is_empty(found) else found


def shielded(operand: Callable[[], object]) -> object:
    """Evaluate an operand of arithmetic or comparison, which Pebble wraps: `??` around it catches nothing."""
    try:
        return operand()
    except MissingError as error:
        raise ExpressionError(error.what, near=error.near) from None
