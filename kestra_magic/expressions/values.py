"""The values of an expression: what Java calls their types, how they print, how they hash.

A Python `int` is Java's Integer (or Long, or BigInteger, if it does not fit), `float` is Double, `list` is List,
`dict` is Map, `datetime` with a zone is ZonedDateTime. What Python can not tell apart has a class of its own here.
"""

from __future__ import annotations

import json
import struct
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import ExpressionError
from .javatime import duration_text, instant_text, iso_offset, moment_text, time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "MAX_ITEMS", "MAX_TEXT", "TRIMMED", "Array", "Char", "Entry", "Float", "Group", "Instant", "Long", "Loop",
    "Macroed", "Refused", "bounded", "code_units", "java_hash", "java_map", "java_type", "native", "show_json",
    "show_plain", "text", "to_json",
]  # fmt: skip

MAX_TEXT = 10_000_000
MAX_ITEMS = 1_000_000
TRIMMED = "".join(map(chr, range(33)))  # what Java's `trim` takes away


class Long(int):
    """A whole number that came of a literal, a range or arithmetic with one."""

    __slots__ = ()


class Float(float):
    """A number of 32 bits."""

    __slots__ = ()

    def __new__(cls, value: float) -> Float:
        try:
            return float.__new__(cls, struct.unpack("f", struct.pack("f", value))[0])
        except OverflowError:
            return float.__new__(cls, float("inf") if value > 0 else float("-inf"))


class Char(str):
    """One character: what `first`, `last` and `'a'..'c'` give. It never equals a text."""

    __slots__ = ()


class Macroed(str):
    """What a macro printed (Pebble's SafeString): it prints and joins like a text, and equals none."""

    __slots__ = ()


class Array(tuple[Any, ...]):
    """A Java array: what `split` gives."""

    __slots__ = ()


class Group(tuple[Any, ...]):
    """A collection that is no list: a set, the keys or values of a map."""

    __slots__ = ()


class Instant(datetime):
    """A moment without a zone of its own; printed in UTC."""

    __slots__ = ()


class Entry(NamedTuple):
    """One entry of a map in a loop."""

    key: object
    value: object


class Loop:
    """`loop` inside a loop: `index` and `revindex` count from 0."""

    __slots__ = ("index", "length")

    def __init__(self, length: int) -> None:
        self.index, self.length = 0, length

    first = property(lambda self: self.index == 0)
    last = property(lambda self: self.index == self.length - 1)
    revindex = property(lambda self: self.length - self.index - 1)


class Refused:
    """A value inside plain data that is none itself: an error, once it is touched."""

    __slots__ = ("sentence",)

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence

    def error(self) -> ExpressionError:
        return ExpressionError(self.sentence)


def bounded(size: int) -> None:
    """Refuse a text or a list that would grow beyond what a notebook can bear."""
    if size > MAX_TEXT:
        raise ExpressionError(f"The result would be longer than {MAX_TEXT:,} characters")


def code_units(value: str) -> int:
    """Return the length of *value* as Java counts it: two for each character beyond U+FFFF."""
    return len(value) if value.isascii() else len(value) + sum(c > "\uffff" for c in value)


# names of types, as messages and `className` tell them

_NAMES: dict[type, str] = {
    str: "java.lang.String", bool: "java.lang.Boolean", Long: "java.lang.Long", float: "java.lang.Double",
    Float: "java.lang.Float", Decimal: "java.math.BigDecimal", Char: "java.lang.Character",
    Macroed: "io.pebbletemplates.pebble.extension.escaper.SafeString", list: "java.util.ArrayList",
    Group: "java.util.LinkedHashSet", Array: "[Ljava.lang.Object;", Entry: "java.util.LinkedHashMap$Entry",
    Instant: "java.time.Instant", date: "java.time.LocalDate", time: "java.time.LocalTime",
    timedelta: "java.time.Duration",
}  # fmt: skip


def java_type(value: object) -> str:
    """Return the name of the class that *value* has in Kestra."""
    kind = value.__class__
    if kind is int:
        return f"java.{_width(value)}"  # type: ignore[arg-type]
    if isinstance(value, datetime) and kind is not Instant:
        return "java.time.ZonedDateTime" if value.tzinfo else "java.time.LocalDateTime"
    return _NAMES.get(kind) or ("java.util.LinkedHashMap" if isinstance(value, dict) else kind.__name__)


def _width(value: int) -> str:
    if -(2**31) <= value < 2**31:
        return "lang.Integer"
    return "lang.Long" if -(2**63) <= value < 2**63 else "math.BigInteger"


# text: Java's String.valueOf, which `~`, `+`, `join` and the inside of macros use


def text(value: object) -> str:
    """Return Java's `String.valueOf(value)`: `null`, `true`, `1.0E9`, `[1, 2]`, `{a=1}`."""
    if value.__class__ is str:
        return value
    if value is None:
        return "null"
    write = _TEXTS.get(value.__class__)
    if write is not None:
        return write(value)
    if isinstance(value, dict):
        return _dict_text(value)
    if isinstance(value, Refused):
        raise value.error()
    return str(value)


def _list_text(items: Iterable[object]) -> str:
    return f"[{', '.join(map(text, items))}]"


def _dict_text(items: dict[object, object]) -> str:
    return "{" + ", ".join(f"{text(key)}={text(value)}" for key, value in items.items()) + "}"


def _loop_text(loop: Loop) -> str:
    last, first = text(loop.last), text(loop.first)
    return f"{{last={last}, length={loop.length}, index={loop.index}, revindex={loop.revindex}, first={first}}}"


def _double_text(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[repr(float(value))]
    return _scientific(repr(float(value)), value)


def _float_text(value: Float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return _double_text(value)
    tries = (f"{value:.{digits}g}" for digits in range(1, 10))
    return _scientific(next((t for t in tries if Float(float(t)) == value), repr(float(value))), value)


def _scientific(shortest: str, value: float) -> str:
    """Write the digits of *shortest* as Java does: plain between 0.001 and 10,000,000, else 1.0E9."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        plain = f"{Decimal(shortest):f}"
        return plain if "." in plain else plain + ".0"
    sign, digits, exponent = Decimal(shortest).normalize().as_tuple()
    first, *rest = map(str, digits)
    return f"{'-' * sign}{first}.{''.join(rest) or '0'}E{int(exponent) + len(digits) - 1}"


_TEXTS: dict[type, Callable[[Any], str]] = {
    bool: lambda value: "true" if value else "false",
    int: int.__repr__, Long: int.__repr__, float: _double_text, Float: _float_text, Decimal: str,
    Char: str.__str__, Macroed: str.__str__, dict: _dict_text, list: _list_text, Group: _list_text,
    Array: lambda value: f"[Ljava.lang.Object;@{abs(java_hash(list(value))):x}",
    Entry: lambda entry: f"{text(entry.key)}={text(entry.value)}", Loop: _loop_text,
    Instant: instant_text, datetime: moment_text, date: date.isoformat, time: time_text,
    timedelta: duration_text,
}  # fmt: skip


# printing: maps and lists as JSON; inside macros, blocks that are called and filter tags as text


def show_json(value: object) -> str:
    """Print *value* as Kestra's `JsonWriter`: null is nothing, maps, lists and arrays are compact JSON."""
    if value is None:
        return ""
    if isinstance(value, (dict, list, Group, Array)):
        return to_json(value)
    return show_plain(value)


def show_plain(value: object) -> str:
    """Print *value* as Pebble's own writer."""
    if value is None:
        return ""
    return f"{value:f}" if value.__class__ is Decimal else text(value)


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"} | {
    chr(code): f"\\u{code:04X}" for code in range(32) if chr(code) not in "\b\t\n\f\r"
}
_ESCAPED = str.maketrans(_ESCAPES)


def to_json(value: object) -> str:
    """Return compact JSON as Kestra's Jackson writes it: entries whose value is null are left out."""
    if value is None:
        return "null"
    kind = value.__class__
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPED)}"'
    if kind is bool or isinstance(value, int):
        return text(value)
    if isinstance(value, float):
        said = text(value)
        return said if said[-1].isdigit() else f'"{said}"'
    if isinstance(value, dict):
        pairs = ((key, inner) for key, inner in value.items() if inner is not None)
        return "{" + ",".join(f"{to_json(text(key))}:{to_json(inner)}" for key, inner in pairs) + "}"
    if isinstance(value, Entry):
        return to_json({value.key: value.value})
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(to_json, value))}]"
    if isinstance(value, Loop):
        return to_json({name: getattr(value, name) for name in ("first", "last", "length", "index", "revindex")})
    if isinstance(value, datetime):
        return f'"{_json_moment(value)}"'
    return to_json(text(value)) if kind is not Decimal else str(value)


def _json_moment(value: datetime) -> str:
    if value.__class__ is Instant or value.tzinfo is None:
        return instant_text(value)[: None if value.tzinfo else -1]
    from .dates import local_zone  # a moment with a zone is told in the server's own

    local = value.astimezone(local_zone())
    return f"{instant_text(local)[:-1]}{iso_offset(local)}"


# Java's HashMap


def java_map(pairs: Iterable[tuple[object, object]], capacity: int | None = None) -> dict[object, object]:
    """Return a dict in the order in which a Java HashMap of these pairs is read.

    Keys that share a bucket stay in the order of insertion, as they do in Java until a bucket becomes a tree.
    """
    try:
        found = dict(pairs)
    except TypeError:
        raise ExpressionError("A list or a map can not be the key of a map here") from None
    if len(found) < 2:
        return found
    size = 1
    while size < (capacity if capacity is not None else -(-len(found) * 4 // 3)):
        size *= 2
    while len(found) > size * 0.75:
        size *= 2
    return dict(sorted(found.items(), key=lambda pair: _bucket(pair[0], size)))


def _bucket(key: object, size: int) -> int:
    code = java_hash(key) & 0xFFFFFFFF
    return (code ^ code >> 16) & size - 1


def java_hash(value: object) -> int:
    """Return Java's hashCode of *value*, in 32 signed bits."""
    if isinstance(value, str):
        return _fold(_units(value))
    if value.__class__ is bool:
        return 1231 if value else 1237
    if isinstance(value, int):
        wide = value.__class__ is Long or _width(value) != "lang.Integer"
        return _signed(value ^ (value >> 32)) if wide else value
    if isinstance(value, float):
        bits = struct.unpack(">q", struct.pack(">d", value))[0]
        return _signed(bits ^ (bits >> 32 & 0xFFFFFFFF))
    if isinstance(value, (list, tuple)):
        return _fold(map(java_hash, value), 1)
    if isinstance(value, dict):
        return _signed(sum(java_hash(key) ^ java_hash(inner) for key, inner in value.items()))
    return 0 if value is None else _fold(_units(text(value)))


def _units(value: str) -> Iterator[int]:
    data = value.encode("utf-16-le", "surrogatepass")
    return (unit for (unit,) in struct.iter_unpack("<H", data))


def _fold(codes: Iterable[int], start: int = 0) -> int:
    code = start
    for unit in codes:
        code = (code * 31 + unit) & 0xFFFFFFFF
    return _signed(code)


def _signed(code: int) -> int:
    code &= 0xFFFFFFFF
    return code - (1 << 32) if code >= 1 << 31 else code


def native(value: Any) -> object:
    """Return *value* in Python's own types: what `render_typed` hands out."""
    kind = value.__class__
    for ours, own in ((Long, int), (Float, float), (Char, str), (Macroed, str)):
        if kind is ours:
            return own(value)
    if isinstance(value, dict):
        return {native(key): native(inner) for key, inner in value.items()}
    if kind is Entry:
        return {"key": native(value.key), "value": native(value.value)}
    if isinstance(value, (list, tuple)):
        return [native(inner) for inner in value]
    if isinstance(value, Loop):
        return json.loads(to_json(value))
    if isinstance(value, Refused):
        raise value.error()
    if kind is Instant:
        moment: Any = value
        return datetime.combine(moment.date(), moment.time(), moment.tzinfo)
    return value
