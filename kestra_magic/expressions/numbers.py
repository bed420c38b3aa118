"""Numbers: how they are read and made. Java's `NumberUtils`, extremes and ranges."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import regex

from .errors import ExpressionError
from .operators import EXACT, compare, is_number
from .registry import REGISTRY
from .texts import needs_text
from .values import MAX_ITEMS, TRIMMED, Char, Float, Long, code_units, java_type, text

if TYPE_CHECKING:
    from .evaluation import Evaluation

__all__: list[str] = []

filter_, function = REGISTRY.filter, REGISTRY.function


@filter_("abs")
def absolute(value: Any) -> object:
    if value is None:
        raise ExpressionError('Can not pass null value to "abs" filter.')
    if not is_number(value):
        raise ExpressionError("The 'abs' filter does require as input a number.")
    if isinstance(value, (float, Decimal)):
        return abs(value) if isinstance(value, Decimal) else type(value)(abs(value))
    lowest = -(2**63) if java_type(value) == "java.lang.Long" else -(2**31)
    return value if value == lowest else value.__class__(abs(value))


# text → number

_HEX = regex.compile(r"([+-]?)(?:0[xX]|#)([0-9a-fA-F]+)")
_WHOLE = regex.compile(r"([+-]?)([0-9]+)")
_DECIMAL = regex.compile(r"[+-]?(?:[0-9]+(?:\.([0-9]*))?|\.([0-9]+))(?:[eE][+-]?[0-9]+)?")


@filter_("number", "type")
def number(value: object, kind: object = None) -> object:
    """Read a number: of the given type, else of the smallest that holds it (Java's `NumberUtils.createNumber`)."""
    if value is None:
        return None
    if value.__class__ is not str:
        raise ExpressionError(f"'number' filter can only be applied to String. Actual type was: {java_type(value)}")
    make = _MAKERS.get("" if kind is None else needs_text(kind), _smallest)
    try:
        return make(value)
    except (ValueError, OverflowError, ArithmeticError):
        raise ExpressionError(f'For input string: "{value}"') from None


def _decoded(said: str) -> int:
    """Java's `decode`: decimal, `0x1F`, `#1F`, and octal after a leading zero."""
    if found := _HEX.fullmatch(said):
        return int(found.group(1) + found.group(2), 16)
    if not (found := _WHOLE.fullmatch(said)) or len(said) > 1000:
        raise ValueError(said)
    sign, digits = found.groups()
    return int(sign + digits, 8 if digits[0] == "0" and len(digits) > 1 else 10)


def _within(said: str, bits: int) -> int:
    found = _decoded(said)
    if not -(2 ** (bits - 1)) <= found < 2 ** (bits - 1):
        raise ValueError(said)
    return found


def _double(said: str) -> float:
    said = said.strip(TRIMMED)
    named = {"NaN": "nan", "Infinity": "inf", "+Infinity": "inf", "-Infinity": "-inf"}.get(said)
    if named is None and not _DECIMAL.fullmatch(said.rstrip("fFdD") if said[-1:] in "fFdD" else said):
        raise ValueError(said)
    return float(named or said.rstrip("fFdD"))


def _big(said: str) -> Decimal:
    if not _DECIMAL.fullmatch(said) or len(said) > 1000:
        raise ValueError(said)
    return EXACT.create_decimal(said)


def _smallest(said: str) -> object:
    if not said.strip():
        raise ValueError(said)
    if _HEX.fullmatch(said):
        return _fitting(_decoded(said))
    last, digits = said[-1], said[:-1]
    if last in "lL":
        whole = _WHOLE.fullmatch(digits)
        return _at_least_long(int(digits)) if whole else _fail(said)
    if last in "fFdD" and digits:
        return Float(_double(digits)) if last in "fF" else _double(digits)
    if found := _WHOLE.fullmatch(said):
        leading = found.group(2)[0] == "0" and len(found.group(2)) > 1
        return _fitting(_decoded(said) if leading else int(said))
    return _floating(said)


def _fail(said: str) -> object:
    raise ValueError(said)


def _at_least_long(value: int) -> int:
    return Long(value) if -(2**63) <= value < 2**63 else value


def _fitting(value: int) -> int:
    return value if -(2**31) <= value < 2**31 else _at_least_long(value)


def _floating(said: str) -> object:
    """Return a Float for up to 7 decimal places, a Double for up to 16, if they hold it; else a BigDecimal."""
    found = _DECIMAL.fullmatch(said)
    if not found:
        raise ValueError(said)
    places = len(found.group(1) or found.group(2) or "")
    for most, kind in ((7, Float), (16, float)):
        near = kind(float(said))
        nothing = near == 0 and any(digit in "123456789" for digit in said.lower().partition("e")[0])
        if places <= most and abs(near) != float("inf") and not nothing:
            return near
    return _big(said)


_MAKERS: dict[str, Any] = {
    "INT": lambda said: _within(said, 32),
    "LONG": lambda said: Long(_within(said, 64)),
    "FLOAT": lambda said: Float(_double(said)),
    "DOUBLE": _double,
    "BIGDECIMAL": _big,
    "BIGINTEGER": _decoded,
}


# functions


@function("max", variadic=True)
def maximum(_: Evaluation, *values: object) -> object:
    return _extreme(">", values)


@function("min", variadic=True)
def minimum(_: Evaluation, *values: object) -> object:
    return _extreme("<", values)


def _extreme(symbol: str, values: tuple[object, ...]) -> object:
    found: object = None
    for value in values:
        if found is None or compare(symbol, value, found):
            found = value
    return found


@function("range", "start end increment")
def range_(evaluation: Evaluation, start: Any = None, end: Any = None, increment: Any = None) -> object:
    """All numbers, or letters, from *start* to *end*, both included."""
    if increment is not None and not is_number(increment):
        raise ExpressionError(f"The increment of the range function must be a number {text(increment)}")
    step = 1 if increment is None else int(increment)
    letters = start.__class__ is str and end.__class__ is str
    if letters and code_units(start) == code_units(end) == 1:
        first, last = ord(start), ord(end)
    elif is_number(start) and is_number(end):
        first, last = int(start), int(end)
    else:
        raise ExpressionError("Arguments of range function must be of type Number or String with a length of 1")
    if step == 0:
        raise ExpressionError("The increment of the range function must be different than 0")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    many = (last - first) // step + 1
    if many > MAX_ITEMS:
        raise ExpressionError(f"A range of {many:,} items is refused; at most {MAX_ITEMS:,}")
    evaluation.count(len(numbers))
    return [Char(chr(code)) for code in numbers] if letters else [Long(value) for value in numbers]


@function("randomInt", "lower upper")
def random_int(_: Evaluation, lower: object, upper: object) -> object:
    """A whole number from *lower* up to, not including, *upper*."""
    for name, value in (("lower", lower), ("upper", upper)):
        if java_type(value) not in ("java.lang.Integer", "java.lang.Long"):
            raise ExpressionError(f"The 'randomInt' function expects an argument {name} with type Integer")
    low, high = int(lower), int(upper)  # type: ignore[call-overload]
    if high < low:
        raise ExpressionError("In 'randomInt' upper is less than lower")
    return low + int(random.random() * (high - low))  # noqa: S311 - not for secrets, on a server neither
