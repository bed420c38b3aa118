"""Filters of lists, maps and whatever has a length; the tests that stand after `is`."""

from __future__ import annotations

import json
from functools import cmp_to_key
from typing import Any

from .attributes import cut
from .errors import ExpressionError, MissingError
from .operators import is_empty
from .registry import REGISTRY
from .texts import needs_count, needs_text
from .values import Array, Char, Entry, Group, Macroed, bounded, code_units, java_map, java_type, text

__all__ = ["joined"]

filter_, test = REGISTRY.filter, REGISTRY.test


@filter_("length")
def length(value: object) -> object:
    if isinstance(value, (list, dict, tuple)) and not isinstance(value, Entry):
        return len(value)
    return code_units(value) if value.__class__ in (str, Macroed) else 0


@filter_("first")
def first(value: object) -> object:
    return _end(value, 0)


@filter_("last")
def last(value: object) -> object:
    return _end(value, -1)


def _end(value: object, index: int) -> object:
    if value is None:
        return None
    if value.__class__ in (str, Macroed):
        size = code_units(value)
        at = index % size if size else 0
        return Char(cut(value, at, at + 1))
    if isinstance(value, (list, Array, Group)):
        return value[index] if value else None
    raise ExpressionError(f"class {java_type(value)} cannot be cast to class java.util.Collection")


@filter_("join", "separator")
def join(value: object, separator: object = None) -> object:
    if value is None:
        return None
    if not isinstance(value, (list, Array, Group)):
        raise ExpressionError("The 'join' filter expects that the input is either a collection or an array")
    return joined("" if separator is None else needs_text(separator), value)


def joined(glue: str, items: list[Any] | tuple[Any, ...]) -> str:
    bounded(len(glue) * len(items))
    said = glue.join(map(text, items))
    bounded(len(said))
    return said


@filter_("slice", "fromIndex toIndex")
def slice_(value: object, start: object = None, end: object = None) -> object:
    """A part of a text, list or array; past the end is an error, as is an empty part with an end."""
    if value is None:
        return None
    begin = 0 if start is None else _whole(start, "fromIndex")
    if begin < 0:
        raise ExpressionError("fromIndex must be greater than 0")
    if end is not None:
        _whole(end, "toIndex")
    if not isinstance(value, (list, Array)) and value.__class__ not in (str, Macroed):
        raise ExpressionError(
            f"Slice filter can only be applied to String, List and array inputs. Actual type was: {java_type(value)}"
        )
    size = code_units(value) if isinstance(value, str) else len(value)
    stop = size if end is None else _whole(end, "toIndex")
    if stop > size:
        raise ExpressionError(f"toIndex must be smaller than input size: {size}")
    if end is not None and begin >= stop:
        raise ExpressionError("toIndex must be greater than fromIndex")
    if begin > stop:
        raise ExpressionError(f"begin {begin}, end {stop}, length {size}")
    if isinstance(value, str):
        return cut(value, begin, stop)
    return value.__class__(value[begin:stop])


def _whole(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ExpressionError(f"Argument {name} must be a number. Actual type: {java_type(value)}")
    return int(value)


@filter_("sort")
def sort(value: object) -> object:
    """Sort a list itself, as Java does: who prints it again sees it sorted."""
    if isinstance(value, list):
        value.sort(key=cmp_to_key(_order))
        return value
    if value is None or isinstance(value, Array):
        return None if value is None else sorted(value, key=cmp_to_key(_order))
    raise ExpressionError("Unsupported input type for sort filter")


@filter_("rsort")
def rsort(value: object) -> object:
    if value is not None:
        _list(value).sort(key=cmp_to_key(_order), reverse=True)
    return value


@filter_("reverse")
def reverse(value: object) -> object:
    if value is not None:
        _list(value).reverse()
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ExpressionError(f"class {java_type(value)} cannot be cast to class java.util.List")
    return value


def _order(left: Any, right: Any) -> int:
    """Java's compareTo: only values of one type have an order."""
    kind = java_type(left)
    if left is None or right is None or kind != java_type(right) or isinstance(left, (list, dict, tuple)):
        raise ExpressionError(f"class {kind} cannot be cast to class {java_type(right)}")
    return int(left > right) - int(left < right)


@filter_("merge", "items")
def merge(value: object, items: object = None) -> object:
    if value is None or items is None:
        if value is None and items is None:
            raise ExpressionError("The two arguments to be merged are null")
        return items if value is None else value
    if isinstance(value, dict):
        return _merged_map(value, items)
    if isinstance(value, list):
        return _merged_list(value, items)
    if isinstance(value, Array) and isinstance(items, Array):
        return Array((*value, *items))
    raise ExpressionError("The object being filtered is not a Map/List/Array")


def _merged_map(value: dict[Any, Any], items: object) -> object:
    if isinstance(items, dict):
        more = list(items.items())
    elif isinstance(items, list):
        more = [(item, item) for item in items]
    else:
        what = f"Currently, only Maps and Lists can be merged with a Map. Arg2: {java_type(items)}"
        raise ExpressionError(what)
    return java_map([*value.items(), *more], capacity=len(value) + len(more) + 16)


def _merged_list(value: list[Any], items: object) -> object:
    if not isinstance(items, (dict, list)):
        what = f"Currently, only Maps and Lists can be merged with a List. Arg2: {java_type(items)}"
        raise ExpressionError(what)
    more = [Entry(*pair) for pair in items.items()] if isinstance(items, dict) else items
    bounded(10 * (len(value) + len(more)))
    return value + more


@filter_("chunk", "size")
def chunk(value: object, size: object) -> object:
    if value is None:
        return None
    if not isinstance(value, list):
        raise ExpressionError(f"'chunk' filter can only be applied to List. Actual type was: {java_type(value)}")
    many = needs_count(size, "size")
    if many <= 0:
        raise ExpressionError("'chunk' needs a size above 0")
    return [value[start : start + many] for start in range(0, len(value), many)]


@filter_("flatten")
def flatten(value: object) -> object:
    """Open the lists in a list, one level."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise ExpressionError("The 'flatten' filter can only be applied to lists")
    flat: list[Any] = []
    for item in value:
        flat += item if isinstance(item, list) else [item]
        bounded(10 * len(flat))
    return flat


@filter_("distinct")
@filter_("uniq")
def distinct(value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, (list, Group)):
        raise ExpressionError(f"'distinct' filter can only be applied to List. Actual type was: {java_type(value)}")
    seen: set[tuple[str, str]] = set()
    found = []
    for item in value:
        key = java_type(item), text(item)
        if key not in seen:
            seen.add(key)
            found.append(item)
    return found


@filter_("keys")
def keys(value: object) -> object:
    """The keys of a map; of a list, its indices."""
    if value is None:
        return None
    if isinstance(value, dict):
        return Group(value)
    if isinstance(value, (list, Array)):
        return list(range(len(value)))
    raise ExpressionError(f"'keys' filter can only be applied to List, Map, Array. Actual type was: {java_type(value)}")


@filter_("values")
def values(value: object) -> object:
    if value is None or isinstance(value, dict):
        return None if value is None else Group(value.values())
    raise ExpressionError(f"'values' filter can only be applied to Map. Actual type was: {java_type(value)}")


@filter_("className")
def class_name(value: object) -> object:
    return None if value is None else java_type(value)


# tests


@test("defined")
def defined(value: Any) -> bool:
    try:
        return value() is not None
    except MissingError:
        return False


@test("null")
def null(value: object) -> bool:
    return value is None


@test("empty")
def empty(value: object) -> bool:
    return is_empty(value)


@test("even")
def even(value: object) -> bool:
    if value is None:
        raise ExpressionError('Can not pass null value to "even" test')
    if java_type(value) not in ("java.lang.Integer", "java.lang.Long"):
        raise ExpressionError(f"class {java_type(value)} cannot be cast to class java.lang.Long")
    return value % 2 == 0  # type: ignore[operator]


@test("odd")
def odd(value: object) -> bool:
    return not even(value)


@test("iterable")
def iterable(value: object) -> bool:
    return isinstance(value, (list, Group, Array))


@test("map")
def map_(value: object) -> bool:
    return isinstance(value, dict)


@test("json")
def json_(value: object) -> bool:
    """Whether a text can be read as JSON; nothing at all can."""
    if value is None:
        raise ExpressionError('argument "content" is null')
    try:
        json.loads(needs_text(value) or "null")
    except ValueError:
        return False
    return True
