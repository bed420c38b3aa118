"""`value.name`, `value[key]`, `value.name(…)`: keys, items, and a white list of Java's methods.

Nothing here reaches a Python attribute by a name that a template gives: what is not in the tables is not there.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .datepatterns import DAYS, MONTHS
from .dates import instant
from .errors import ExpressionError, MissingError
from .operators import has_key, is_number, java_equals, wrapped
from .patterns import SECONDS, matcher, replace_all, split
from .texts import replaced
from .values import (
    TRIMMED,
    Array,
    Char,
    Entry,
    Float,
    Group,
    Instant,
    Long,
    Loop,
    Macroed,
    Refused,
    bounded,
    code_units,
    java_hash,
    java_type,
    text,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["attribute", "call", "cut"]

Table = dict[str, "Callable[..., object]"]


def attribute(owner: object, key: object) -> object:
    """Return `owner.key`; raise MissingError where Kestra would not find it."""
    if isinstance(owner, dict):
        found = _entry(owner, key)
    elif owner is None:
        raise MissingError(text(key), note="; what it is read from is null")
    elif isinstance(owner, (list, Array)) and (index := _index(key)) is not None:
        if not 0 <= index < len(owner):
            raise MissingError(text(key), note=f"; it has {len(owner)} items, counted from 0")
        found = owner[index]
    else:
        found = call(owner, key, ())
    if found.__class__ is Refused:
        raise found.error()
    return found


def _entry(owner: dict[Any, object], key: object) -> object:
    if key.__class__ is str:
        try:
            return owner[key]
        except KeyError:
            if key in _OF_A_MAP:
                return call(owner, key, ())
            raise MissingError(key, owner) from None
    if is_number(key):
        return _numbered(owner, key)
    for known, value in owner.items():
        if java_equals(known, key):
            return value
    if key is None:
        raise ExpressionError("null can not be the key of a map")
    raise MissingError(text(key), owner)


def _numbered(owner: dict[Any, object], key: Any) -> object:
    """Read a key that is a number: Pebble casts it to the type of the map's first key."""
    first = next(iter(owner), None)
    if not is_number(first):
        raise ExpressionError(f"type {java_type(first)} not supported for key {text(key)}")
    for known, value in owner.items():
        if known == (key if isinstance(first, float) else int(key)):
            return value
    raise MissingError(text(key), owner)


def _index(key: object) -> int | None:
    said = text(key)
    digits = said[1:] if said[:1] in ("-", "+") else said
    return int(said) if digits.isdecimal() and digits.isascii() and len(digits) < 10 else None


def call(owner: object, key: object, arguments: tuple[object, ...]) -> object:
    """Return what Java's method or getter *key* of *owner* gives; MissingError if it is not on the list."""
    if owner is None:
        raise MissingError(text(key), note="; what it is read from is null")
    name = text(key)
    table = _table(owner)
    method = table.get(name) or table.get(name.lower())
    if method is None or method.__code__.co_argcount - len(method.__defaults__ or ()) > len(arguments) + 1:
        raise MissingError(name, table, note=_PYTHON.get(name, "") if table else "")
    if method.__code__.co_argcount < len(arguments) + 1:
        raise MissingError(name)
    if (owner.__class__, name.lower()) in _OF_INTEGERS and not all(map(_fits, arguments)):
        raise MissingError(
            name, note="; it takes an Integer, but a literal is a Long: use the filters `slice`, `first` …"
        )
    try:
        return method(owner, *arguments)
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise ExpressionError(f"Could not call {name}: {error}") from None


_OF_A_MAP = ("size", "keySet", "values", "entrySet", "toString", "hashCode")
_OF_INTEGERS = {(str, name) for name in ("substring", "charat", "repeat", "split", "indexof", "startswith")} | {
    (list, "sublist")
}


def _fits(argument: object) -> bool:
    return not isinstance(argument, int) or java_type(argument) == "java.lang.Integer"


def _table(owner: object) -> Table:
    for kinds, table in _TABLES:
        if isinstance(owner, kinds):
            return table
    return {}


def cut(value: str, start: int, end: int | None = None) -> str:
    """Return a part of *value*; offsets count as in Java, in units of 16 bits."""
    if value.isascii() or code_units(value) == len(value):
        size, part = len(value), value[start:end]
    else:
        data = value.encode("utf-16-le", "surrogatepass")
        size = len(data) // 2
        part = data[2 * start : None if end is None else 2 * end].decode("utf-16-le", "surrogatepass")
    if not 0 <= start <= (size if end is None else end) <= size:
        raise ExpressionError(f"begin {start}, end {size if end is None else end}, length {size}")
    return part


def _text_of(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is needed, not {java_type(value)}")
    return value


def _repeat(value: str, count: int) -> str:
    bounded(len(value) * max(count, 0))
    if count < 0:
        raise ValueError(f"count is negative: {count}")
    return value * count


def _compare(left: str, right: str) -> int:
    return next((ord(a) - ord(b) for a, b in zip(left, right, strict=False) if a != b), len(left) - len(right))


def _matches(value: str, pattern: str) -> bool:
    return matcher(pattern).fullmatch(value, timeout=SECONDS) is not None


_STRING: Table = {
    "length": code_units,
    "empty": lambda s: s == "",
    "blank": lambda s: not s.strip(),
    "tostring": lambda s: s,
    "touppercase": lambda s: s.upper(),
    "tolowercase": lambda s: s.lower(),
    "trim": lambda s: s.strip(TRIMMED),
    "strip": lambda s: s.strip(),
    "substring": lambda s, start, end=None: cut(s, int(start), None if end is None else int(end)),
    "startswith": lambda s, prefix, start=0: s.startswith(_text_of(prefix), start),
    "endswith": lambda s, suffix: s.endswith(_text_of(suffix)),
    "contains": lambda s, part: _text_of(part) in s,
    "indexof": lambda s, part, start=0: s.find(_text_of(part), start),
    "replaceall": lambda s, pattern, new: replace_all(s, _text_of(pattern), _text_of(new)),
    "matches": lambda s, pattern: _matches(s, _text_of(pattern)),
    "hashcode": java_hash,
    "lastindexof": lambda s, part: s.rfind(_text_of(part)),
    "replace": lambda s, old, new: replaced(s, _text_of(old), _text_of(new)),
    "split": lambda s, pattern, limit=0: split(s, _text_of(pattern), int(limit)),
    "charat": lambda s, index: Char(cut(s, int(index), int(index) + 1)),
    "concat": lambda s, other: s + _text_of(other),
    "equals": java_equals,
    "equalsignorecase": lambda s, other: isinstance(other, str) and s.casefold() == other.casefold(),
    "compareto": lambda s, other: _compare(s, _text_of(other)),
    "repeat": lambda s, count: _repeat(s, int(count)),
}


def _find(items: list[object], wanted: object) -> int:
    return next((index for index, item in enumerate(items) if java_equals(item, wanted)), -1)


def _item(items: list[object], index: int) -> object:
    if not 0 <= index < len(items):
        raise IndexError(f"Index {index} out of bounds for length {len(items)}")
    return items[index]


def _integer(index: object) -> int:
    if java_type(index) != "java.lang.Integer":
        raise MissingError("get", note="; it takes an Integer, but a literal is a Long: write `[0]`")
    return index  # type: ignore[return-value]


_COLLECTION: Table = {
    "size": lambda c: len(c),
    "empty": lambda c: not c,
    "contains": lambda c, item: _find(c, item) >= 0,
    "tostring": text,
}
_LIST: Table = _COLLECTION | {
    "get": lambda items, index: _item(items, _integer(index)),
    "reversed": lambda items: items[::-1],
    "hashcode": java_hash,
    "first": lambda items: _item(items, 0),
    "last": lambda items: _item(items, len(items) - 1),
    "indexof": _find,
    "lastindexof": lambda items, item: len(items) - 1 - _find(items[::-1], item) if _find(items, item) >= 0 else -1,
    "sublist": lambda items, start, end: items[int(start) : int(end)],
}
_MAP: Table = {
    "size": lambda m: len(m),
    "hashcode": java_hash,
    "isempty": lambda m: not m,
    "get": lambda m, key: _entry(m, key) if has_key(m, key) else None,
    "getordefault": lambda m, key, other: _entry(m, key) if has_key(m, key) else other,
    "containskey": has_key,
    "containsvalue": lambda m, value: _find(list(m.values()), value) >= 0,
    "keyset": lambda m: Group(m),
    "values": lambda m: Group(m.values()),
    "entryset": lambda m: Group(Entry(*pair) for pair in m.items()),
    "tostring": text,
}
_NUMBER: Table = {
    "intvalue": lambda n: wrapped(int(n), 32) if isinstance(n, int) else int(n),
    "hashcode": java_hash,
    "compareto": lambda n, other: (n > other) - (n < other),
    "isnan": lambda n: n != n,
    "longvalue": lambda n: Long(n),
    "doublevalue": lambda n: float(n),
    "floatvalue": lambda n: Float(n),
    "tostring": text,
    "equals": java_equals,
}
_ENTRY: Table = {"key": lambda e: e.key, "value": lambda e: e.value, "tostring": text}
_LOOP: Table = {
    "index": lambda loop: loop.index,
    "revindex": lambda loop: loop.revindex,
    "length": lambda loop: loop.length,
    "first": lambda loop: loop.first,
    "last": lambda loop: loop.last,
}
_INSTANT: Table = {
    "epochsecond": lambda t: Long(t.timestamp() // 1),
    "toepochmilli": lambda t: Long(round(t.timestamp() * 1000)),
    "nano": lambda t: t.microsecond * 1000,
    "tostring": text,
    "isbefore": lambda t, other: t < other,
    "isafter": lambda t, other: t > other,
}
_DATE: Table = {
    "year": lambda d: d.year,
    "monthvalue": lambda d: d.month,
    "month": lambda d: MONTHS[d.month - 1].upper(),
    "dayofmonth": lambda d: d.day,
    "dayofweek": lambda d: DAYS[d.weekday()].upper(),
    "dayofyear": lambda d: d.timetuple().tm_yday,
    "tostring": text,
    "isbefore": lambda d, other: d < other,
    "isafter": lambda d, other: d > other,
    "plusdays": lambda d, days: d + timedelta(days=int(days)),
    "minusdays": lambda d, days: d - timedelta(days=int(days)),
}
_TIME: Table = {
    "hour": lambda t: t.hour,
    "minute": lambda t: t.minute,
    "second": lambda t: t.second,
    "nano": lambda t: t.microsecond * 1000,
    "tostring": text,
}
_MOMENT: Table = (
    _DATE
    | _TIME
    | {
        "toepochsecond": lambda t: Long(t.timestamp() // 1),
        "toinstant": instant,
        "tolocaldate": lambda t: t.date(),
        "tolocaltime": lambda t: t.time(),
        "tolocaldatetime": lambda t: t.replace(tzinfo=None),
    }
)
_DURATION: Table = {
    "seconds": lambda d: Long(d.total_seconds() // 1),
    "toseconds": lambda d: Long(d.total_seconds() // 1),
    "tominutes": lambda d: Long(d.total_seconds() // 60),
    "tohours": lambda d: Long(d.total_seconds() // 3600),
    "todays": lambda d: Long(d.total_seconds() // 86400),
    "tomillis": lambda d: Long(round(d.total_seconds() * 1000)),
    "tostring": text,
}


def _with_getters(table: Table) -> Table:
    """Add the names by which Java has a getter: `year` is read by `getYear()`, `empty` by `isEmpty()`."""
    more = {f"{'is' if name in ('empty', 'blank') else 'get'}{name}": method for name, method in table.items()}
    return more | table


_TABLES: list[tuple[Any, Table]] = [
    ((Char, Macroed), {"tostring": lambda s: str(s)}),
    (str, _with_getters(_STRING)),
    (bool, {"tostring": text, "booleanvalue": lambda b: b}),
    ((int, float, Decimal), _NUMBER),
    (dict, _MAP),
    (list, _with_getters(_LIST)),
    (Group, _with_getters(_COLLECTION)),
    (Array, {}),
    (Entry, _with_getters(_ENTRY)),
    (Loop, _with_getters(_LOOP)),
    (Instant, _with_getters(_INSTANT)),
    (datetime, _with_getters(_MOMENT)),
    (date, _with_getters(_DATE)),
    (time, _with_getters(_TIME)),
    (timedelta, _with_getters(_DURATION)),
]
_PYTHON = {
    "items": "; loop over the map itself: each entry has `.key` and `.value`",
    "keys": "; use the filter `keys`, or `keySet()`",
    "upper": "; use the filter `upper`, or `toUpperCase()`",
    "lower": "; use the filter `lower`, or `toLowerCase()`",
    "format": "; use the filter `format`",
    "join": "; use the filter `join`",
    "append": "; write `list + item`",
}
