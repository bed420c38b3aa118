"""Values as JSON and Ion, and back; `jq`."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import regex

from .errors import ExpressionError
from .ion import from_ion, to_ion
from .registry import REGISTRY
from .texts import needs_text
from .values import java_type, to_json

if TYPE_CHECKING:
    from .evaluation import Evaluation

__all__ = ["read_json"]

filter_, function = REGISTRY.filter, REGISTRY.function


for _name in ("toJson", "json", "jsonEncode"):
    filter_(_name)(to_json)
filter_("toIon")(to_ion)


def read_json(said: str) -> object:
    """Read JSON as Jackson does: no `NaN`, the first value counts, nothing is null."""
    try:
        return _READER.raw_decode(said.lstrip(" \t\r\n"))[0]
    except (ValueError, RecursionError) as error:
        raise ExpressionError(f"Invalid json: {error}") from None


def _no_constant(said: str) -> object:
    raise ValueError(f"Non-standard token '{said}'")


_READER = json.JSONDecoder(parse_constant=_no_constant)


@function("fromJson", "json")
@function("json", "json")
@function("jsonDecode", "json")
def from_json(_: Evaluation, value: object) -> object:
    if value is None:
        return None
    if value.__class__ is not str:
        raise ExpressionError("The 'fromJson' function expects an argument 'json' with type string.")
    return read_json(value)


@function("fromIon", "ion allRows")
def first_or_all_of_ion(_: Evaluation, value: object, all_rows: object = False) -> object:
    """Read Ion text: its first value, or with *allRows* all of them."""
    if value is None:
        return None
    if value.__class__ is not str:
        raise ExpressionError("The 'fromIon' function expects an argument 'ion' with type string.")
    rows = from_ion(value)
    if all_rows is True:
        return rows
    return rows[0] if rows else None


# jq


@filter_("jq", "expression")
def jq(value: object, expression: object) -> object:
    """Return the list of what jq gives for a value, or for the JSON in a text."""
    if value is None:
        return None
    said = value if value.__class__ is str else to_json(value)
    program = _program(needs_text(expression))
    try:
        return list(program.input_text(said if read_json(str(said)) is not None else "null"))
    except ValueError as error:
        raise ExpressionError(f"Unable to parse jq value with type '{java_type(value)}': {error}") from None


@lru_cache(maxsize=200)
def _program(expression: str) -> Any:
    if regex.search(r"\b(env|input|inputs|input_filename|debug|import|include|halt|halt_error)\b|\$ENV", expression):
        raise ExpressionError("`jq` may not look outside its value here")
    try:
        return import_module("jq").compile(expression)
    except ImportError:
        raise ExpressionError("the filter `jq` needs the package `jq`: `pip install 'kestra-magic[jq]'`") from None
    except ValueError as error:
        raise ExpressionError(f"Unable to parse the jq expression: {error}") from None
