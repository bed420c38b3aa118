"""Numbers as text: Java's `DecimalFormat` (the filter `numberFormat`) and its `Formatter` (the filter `format`)."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from typing import Any, NamedTuple

import regex

from .errors import ExpressionError
from .operators import EXACT, is_number
from .registry import REGISTRY
from .texts import needs_text
from .values import Char, bounded, java_type, text

__all__: list[str] = []

filter_ = REGISTRY.filter

# DecimalFormat

_PATTERN = regex.compile(
    r"(?P<prefix>(?:'[^']*'|[^#0,.';])*)(?P<whole>[#,]*[0,]*)(?:\.(?P<tail>0*#*))?(?:E(?P<exponent>0+))?"
    r"(?P<suffix>(?:'[^']*'|[^#0,.';])*)"
)


@filter_("numberFormat", "format")
def number_format(value: Any, pattern: object = None) -> object:
    """Write a number as Java's `DecimalFormat`, half-even; without a pattern, up to three decimals in groups."""
    if value is None:
        return None
    if not is_number(value):
        raise ExpressionError(
            "The input for the 'NumberFormat' filter has to be a number.", near="; read a text with `number`"
        )
    return decimal_format(needs_text(pattern) if pattern is not None else "#,##0.###", value)


class _Digits(NamedTuple):
    """How many digits a pattern wants, as `DecimalFormat.applyPattern` counts them."""

    least_whole: int
    most_whole: int
    least_tail: int
    most_tail: int


def _digits(found: regex.Match[str]) -> _Digits:
    whole, tail = found["whole"].replace(",", ""), found["tail"] or ""
    if "0" not in whole and "0" not in tail and found["tail"] is not None and whole + tail:
        return _Digits(bool(whole), len(whole), not whole, len(tail))
    return _Digits(whole.count("0"), len(whole), tail.count("0"), len(tail))


def decimal_format(pattern: str, value: Any) -> str:
    positive, _, negative = pattern.partition(";")
    found = _PATTERN.fullmatch(positive)
    if found is None or len(pattern) > 1000:
        raise ExpressionError(f'Malformed pattern "{pattern}"')
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return "NaN" if value != value else _affixed(found, "∞", value < 0, negative)
    affixes, exact = found["prefix"] + found["suffix"], _shortest(value)
    if isinstance(value, float) and -int(exact.as_tuple().exponent) > len(found["tail"] or ""):
        exact = Decimal(float(value))  # a tie is decided by the digits behind it
    exact = EXACT.scaleb(exact, 2 if "%" in affixes else 3 if "‰" in affixes else 0)
    write = _with_exponent if found["exponent"] else _written
    said, zero = write(found, _digits(found), abs(exact))
    return _affixed(found, said, exact.is_signed() and (not zero or isinstance(value, float)), negative)


def _shortest(value: Any) -> Decimal:
    """Return the digits that Java has for *value*, after it made a double of a float."""
    return Decimal(repr(float(value))) if isinstance(value, float) else Decimal(value)


def _affixed(found: regex.Match[str], said: str, below: bool, negative: str) -> str:
    prefix, suffix = found["prefix"], found["suffix"]
    own = _PATTERN.fullmatch(negative) if negative and below else None
    if own is not None and (own["prefix"], own["suffix"]) != (prefix, suffix):
        prefix, suffix = own["prefix"], own["suffix"]
    elif below:
        prefix = f"-{prefix}"
    return _unquoted(prefix) + said + _unquoted(suffix)


def _unquoted(affix: str) -> str:
    return str(regex.sub(r"'([^']*)'", lambda found: found.group(1) or "'", affix))


def _written(found: regex.Match[str], digits: _Digits, value: Decimal) -> tuple[str, bool]:
    rounded = value.quantize(Decimal(1).scaleb(-digits.most_tail), ROUND_HALF_EVEN, EXACT)
    left, _, right = f"{rounded:f}".partition(".")
    right = right[: digits.least_tail] + right[digits.least_tail :].rstrip("0")
    left = left.lstrip("0").rjust(digits.least_whole, "0")
    if not left and not right:
        left = "0"
    size = len(found["whole"]) - found["whole"].rfind(",") - 1
    if "," in found["whole"] and size:
        left = _grouped(left, size)
    always = found["tail"] == "" or not found["whole"]
    return f"{left}{'.' if right or (always and found['tail'] is not None) else ''}{right}", not rounded


def _grouped(digits: str, size: int) -> str:
    head = len(digits) % size
    groups = [digits[:head]] if head else []
    return ",".join(groups + [digits[at : at + size] for at in range(head, len(digits), size)])


def _with_exponent(found: regex.Match[str], digits: _Digits, value: Decimal) -> tuple[str, bool]:
    """`DecimalFormat.subformat`: all significant digits, the point where the exponent puts it."""
    kept = Context(prec=max(digits.most_whole + digits.most_tail, 1), rounding=ROUND_HALF_EVEN).plus(value)
    figures = "".join(map(str, kept.as_tuple().digits)).rstrip("0")
    point = kept.adjusted() + 1 if kept else 0
    exponent, least = point - digits.least_whole, digits.least_whole
    if digits.most_whole > max(1, digits.least_whole):
        every, least = digits.most_whole, 1
        exponent = (point - 1) // every * every if point >= 1 else -(-(point - every) // every) * every
    whole = point - exponent if kept else least
    exponent = exponent if kept else 0
    figures = figures.ljust(max(whole, digits.least_whole + digits.least_tail), "0")
    dot = "." if len(figures) > whole else ""
    power = f"{'-' if exponent < 0 else ''}{abs(exponent):0{len(found['exponent'])}d}"
    return f"{figures[:whole]}{dot}{figures[whole:]}E{power}", not kept


# Formatter

_SPEC = regex.compile(r"%(?:(\d+)\$)?([-#+ 0,(<]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])")


@filter_("format", variadic=True)
def format_(value: object, *arguments: object) -> object:
    """Write a text with its `%s`, `%d`, `%,.2f` … filled in (Java's `String.format`)."""
    if value is None:
        return None
    pattern, filled, at, next_ = text(value), [], 0, 0
    for found in _SPEC.finditer(pattern):
        filled.append(_literal(pattern[at : found.start()]))
        at = found.end()
        index, flags, _, _, kind = found.groups()
        if kind in "n%":
            filled.append("\n" if kind == "n" else _padded(found, "%"))
            continue
        last = next_
        if index:
            next_, last = int(index) - 1, next_
        elif "<" in flags:
            next_ -= 1
        if not 0 <= next_ < len(arguments):
            raise ExpressionError(f"Format specifier '{found.group()}'")
        filled.append(_filled(found, arguments[next_]))
        next_ = last if index else next_ + 1
    said = "".join([*filled, _literal(pattern[at:])])
    bounded(len(said))
    return said


def _literal(part: str) -> str:
    if "%" in part:
        raise ExpressionError(f"Unknown format conversion in `{part.strip()}`")
    return part


def _filled(found: regex.Match[str], value: Any) -> str:
    kind, flags = found.group(5), found.group(2)
    said = _CONVERSIONS.get(kind.lower())
    if said is None:
        raise ExpressionError(f"UnknownFormatConversionException: Conversion = '{kind}'")
    written = said(found, value)
    if kind in "dfeEgGxXo" and value is not None and kind not in "xXo":
        written = _signed(written, flags)
    return _padded(found, written.upper() if kind.isupper() else written)


def _padded(found: regex.Match[str], said: str) -> str:
    flags, width = found.group(2), int(found.group(3) or 0)
    bounded(width)
    if "-" in flags:
        return said.ljust(width)
    if "0" in flags and said[:1] in ("-", "+", " "):
        return said[0] + said[1:].rjust(width - 1, "0")
    return said.rjust(width, "0" if "0" in flags else " ")


def _signed(said: str, flags: str) -> str:
    if said.startswith("-"):
        return f"({said[1:]})" if "(" in flags else said
    return "+" + said if "+" in flags else " " + said if " " in flags else said


def _cut(found: regex.Match[str], _value: object, said: str) -> str:
    return said if found.group(4) is None else said[: int(found.group(4))]


def _whole(found: regex.Match[str], value: Any) -> str:
    if value is None:
        return "null"
    if not is_number(value) or isinstance(value, (float, Decimal)):
        raise ExpressionError(f"{found.group(5)} != {java_type(value)}")
    if found.group(5) in "xXo":
        bits = 64 if java_type(value) == "java.lang.Long" else 32
        return format(value & (1 << bits) - 1, found.group(5).lower())
    return f"{value:,}" if "," in found.group(2) else str(int(value))


def _decimals(found: regex.Match[str], value: Any) -> str:
    if value is None:
        return "null"
    if not isinstance(value, (float, Decimal)):
        raise ExpressionError(f"{found.group(5)} != {java_type(value)}")
    places, kind = int(found.group(4) or 6), found.group(5).lower()
    bounded(places)
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return text(value)
    exact = _shortest(value)
    if kind == "g":
        rounded = Context(prec=max(places, 1), rounding=ROUND_HALF_UP).plus(exact)
        kind = "f" if not rounded or -4 <= rounded.adjusted() < max(places, 1) else "e"
        places = max(places, 1) - 1 - (rounded.adjusted() if kind == "f" and rounded else 0)
    if kind == "f":
        rounded = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, EXACT)
        return f"{rounded:,f}" if "," in found.group(2) else f"{rounded:f}"
    rounded = Context(prec=places + 1, rounding=ROUND_HALF_UP).plus(exact)
    return f"{float(rounded):.{places}e}"


_CONVERSIONS: dict[str, Any] = {
    "s": lambda found, value: _cut(found, value, text(value)),
    "b": lambda found, value: _cut(found, value, text(value if isinstance(value, bool) else value is not None)),
    "c": lambda found, value: "null" if value is None else _character(found, value),
    "d": _whole, "x": _whole, "o": _whole, "f": _decimals, "e": _decimals, "g": _decimals,
}  # fmt: skip


def _character(_found: regex.Match[str], value: object) -> str:
    if value.__class__ is Char:
        return str(value)
    if java_type(value) == "java.lang.Integer":
        return chr(value)  # type: ignore[arg-type]
    raise ExpressionError(f"c != {java_type(value)}")
