"""Filters of texts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import unicodedata
from typing import Any
from urllib.parse import quote_plus, unquote_to_bytes

import regex

from ..settings import current
from .errors import ExpressionError
from .patterns import matcher, replace_all, split
from .registry import REGISTRY
from .values import TRIMMED, Macroed, bounded, java_map, java_type, show_plain, text

__all__ = ["needs_count", "needs_text", "replaced"]

filter_ = REGISTRY.filter


def needs_text(value: object) -> str:
    """Return *value* if it is a text; Java would fail to cast anything else."""
    if value.__class__ in (str, Macroed):
        return value
    what = java_type(value) if value is not None else "null"
    raise ExpressionError(f"class {what} cannot be cast to class java.lang.String")


def replaced(value: str, old: str, new: str) -> str:
    """Replace every *old*, but not into a text beyond all bounds."""
    bounded(len(value) + value.count(old) * (len(new) - len(old)))
    return value.replace(old, new)


@filter_("upper")
def upper(value: object) -> object:
    return None if value is None else text(value).upper()


@filter_("lower")
def lower(value: object) -> object:
    return None if value is None else text(value).lower()


@filter_("trim")
def trim(value: object) -> object:
    return None if value is None else needs_text(value).strip(TRIMMED)


@filter_("capitalize")
def capitalize(value: object) -> object:
    """The first character that is not white is made a capital; nothing is made small."""
    if value is None:
        return None
    said = needs_text(value)
    start = len(said) - len(said.lstrip())
    return said[:start] + _title(said[start : start + 1]) + said[start + 1 :]


@filter_("title")
def title(value: object) -> object:
    if value is None:
        return None
    return regex.sub(r"(?<!\S)\S", lambda found: _title(found.group()), needs_text(value))


def _title(character: str) -> str:
    capital = character.title()
    return capital if len(capital) == len(character) else character


@filter_("abbreviate", "length")
def abbreviate(value: object, length: object) -> object:
    if value is None:
        return None
    said, width = needs_text(value), needs_long(length, "length")
    if width < 0:
        raise ExpressionError("Invalid argument to abbreviate filter; must be greater than zero")
    if len(said) < width or len(said) <= 3:
        return said
    return said[:width] if width <= 3 else said[: width - 3] + "..."


def needs_long(value: object, name: str) -> int:
    """Return *value* if it is a Long, as the literals of a template are; Java would fail to cast an Integer."""
    if java_type(value) != "java.lang.Long":
        raise ExpressionError(
            f"The argument '{name}' must be a Long, such as a literal; an Integer comes of an input or of JSON",
            near=f"; write `{name} * 1`" if isinstance(value, int) else "",
        )
    return value  # type: ignore[return-value]


def needs_count(value: object, name: str) -> int:
    """Return *value* as a whole number; up to Kestra 0.21 (profile P1) it had to be a Long."""
    if current().profile == "P1" or isinstance(value, bool) or not isinstance(value, (int, float)):
        return needs_long(value, name)
    return int(value)


@filter_("nl2br")
def nl2br(value: object) -> object:
    return None if value is None else regex.sub("\r\n|[\r\n]", "<br />", needs_text(value))


@filter_("urlencode")
@filter_("urlEncode")
def url_encode(value: object) -> object:
    if value is None:
        return None
    return quote_plus(needs_text(value).encode("utf-8", "replace"), safe="*").replace("~", "%7E")


@filter_("urldecode")
@filter_("urlDecode")
def url_decode(value: object) -> object:
    """Decode what a form sends. Java's URLDecoder fails where a `%` is not followed by two digits."""
    if value is None:
        return None
    said = needs_text(value)
    if regex.search("%(?![0-9a-fA-F]{2})", said):
        raise ExpressionError("URLDecoder: Illegal hex characters in escape (%) pattern")
    return unquote_to_bytes(said.replace("+", " ")).decode("utf-8", "replace")


@filter_("base64encode")
@filter_("base64Encode")
def base64_encode(value: object) -> object:
    return None if value is None else base64.b64encode(text(value).encode("utf-8", "replace")).decode()


@filter_("base64decode")
@filter_("base64Decode")
def base64_decode(value: object) -> object:
    if value is None:
        return None
    if value.__class__ is not str:
        raise ExpressionError("This filter applies to String")
    try:
        said = value.encode("ascii")
        return base64.b64decode(said + b"=" * (-len(said) % 4), validate=True).decode("utf-8", "replace")
    except (binascii.Error, UnicodeEncodeError):
        what = "Please provide a correctly Base64 encoded string containing an UTF-8 string"
        raise ExpressionError(what) from None


def _hashed(algorithm: str, value: object) -> object:
    if value is None:
        return None
    if value.__class__ is not str:
        raise ExpressionError("Need a string to hash")
    return hashlib.new(algorithm, value.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


for _algorithm in ("md5", "sha1", "sha256", "sha512"):
    filter_(_algorithm)(lambda value, *, algorithm=_algorithm: _hashed(algorithm, value))


@filter_("startsWith", "value")
def starts_with(value: object, other: object) -> object:
    return _not_null(value).startswith(_not_null(other))


@filter_("endsWith", "value")
def ends_with(value: object, other: object) -> object:
    return _not_null(value).endswith(_not_null(other))


def _not_null(value: object) -> str:
    if value is None:
        raise ExpressionError("The text to look at is null")
    return text(value)


@filter_("substringBefore", "separator")
def substring_before(value: object, separator: object) -> object:
    if value is None or separator is None:
        return None if value is None else text(value)
    return text(value).partition(needs_text(separator))[0] if separator else ""


@filter_("substringBeforeLast", "separator")
def substring_before_last(value: object, separator: object) -> object:
    if value is None:
        return None
    head, found, _ = text(value).rpartition(needs_text(separator)) if separator else ("", "", "")
    return head if found else text(value)


@filter_("substringAfter", "separator")
def substring_after(value: object, separator: object) -> object:
    if value is None or separator is None:
        return None if value is None else ""
    return text(value).partition(needs_text(separator))[2] if separator else text(value)


@filter_("substringAfterLast", "separator")
def substring_after_last(value: object, separator: object) -> object:
    if value is None:
        return None
    _, found, tail = text(value).rpartition(needs_text(separator)) if separator else ("", "", "")
    return tail if found else ""


@filter_("slugify")
def slugify(value: object) -> object:
    """Kestra's `Slugify`: accents go, white and `_` become one dash; before 0.22 (P1) letters with accents went too."""
    if value is None:
        return None
    if current().profile != "P1":
        said = unicodedata.normalize("NFD", regex.sub(r"\s", "-", text(value), flags=regex.ASCII))
        said = regex.sub(r"[^\w-]", "", said, flags=regex.ASCII).replace("_", "-")
        return regex.sub("-+", "-", said).removeprefix("-").removesuffix("-").lower()
    said = regex.sub(
        r"[^A-Za-z0-9_\s-]", "", regex.sub(r"[^\w\s-]", "", text(value), flags=regex.ASCII), flags=regex.ASCII
    )
    return regex.sub(r"-+", "-", regex.sub(r"\s", "-", said, flags=regex.ASCII)).lower().strip("-")


@filter_("string")
def string(value: object) -> object:
    return None if value is None else show_plain(value)


@filter_("condenseString")
def condense(value: object) -> object:
    """Make every run of white one blank, and none at the ends."""
    return None if value is None else " ".join(text(value).split())


@filter_("indent", "amount prefix")
def indent(value: object, amount: object, prefix: object = " ") -> object:
    return _indented("indent", value, amount, prefix)


@filter_("nindent", "amount prefix")
def nindent(value: object, amount: object, prefix: object = " ") -> object:
    return _indented("nindent", value, amount, prefix)


def _indented(name: str, value: object, amount: object, prefix: object) -> object:
    if value is None or (said := text(value)) == "":
        return value and ""
    many = needs_long(amount, "amount")
    if many < 0:
        raise ExpressionError(f"The '{name}' filter expects a positive integer >=0 as argument 'amount'")
    newline = next((mark for mark in ("\r\n", "\n\r", "\n", "\r") if mark in said), "\n")
    bounded(len(needs_text(prefix)) * many)
    said = newline + said if name == "nindent" else said
    return replaced(said, newline, newline + needs_text(prefix) * many)


@filter_("split", "delimiter limit")
def split_(value: object, delimiter: object, limit: object = None) -> object:
    if value is None:
        return None
    if delimiter is None:
        raise ExpressionError("missing delimiter parameter in split filter")
    return split(needs_text(value), needs_text(delimiter), int(limit) if limit is not None else 0)  # type: ignore[call-overload]


# filters that go through maps and lists


def _throughout(value: object, change: Any) -> object:
    """Apply *change* to all texts in a map or a list; Java fails on a null inside."""
    if isinstance(value, dict):
        return java_map((key, _throughout(inner, change)) for key, inner in value.items())
    if isinstance(value, list):
        return [_throughout(inner, change) for inner in value]
    return change(_not_null(value))


_QUOTES = {"single": ("'", "\\'"), "double": ('"', '\\"'), "shell": ("'", "'\\''"), "sh": ("'", "'\\''")}


@filter_("escapeChar", "type")
def escape_char(value: object, kind: object) -> object:
    if value is None:
        return None
    quotes = _QUOTES.get(needs_text(kind).lower())
    if quotes is None:
        raise ExpressionError(
            "The 'escapeChar' filter expects the value of 'type' to be either 'single', 'double', or 'shell'"
        )
    return _throughout(value, lambda said: replaced(said, *quotes))


@filter_("replace", "replace_pairs regexp")
def replace(value: object, pairs: object, regexp: object = False) -> object:
    if value is None:
        return None
    if pairs is None:
        raise ExpressionError("The argument 'replace_pairs' is required")
    if not isinstance(regexp, bool):
        raise ExpressionError(f"class {java_type(regexp)} cannot be cast to class java.lang.Boolean", near=_PAIRS)
    if not isinstance(pairs, dict):
        raise ExpressionError(f"class {java_type(pairs)} cannot be cast to class java.util.Map", near=_PAIRS)
    change = replace_all if regexp else replaced

    def each(said: str) -> str:
        for old, new in pairs.items():
            said = change(said, _not_null(old), _not_null(new))
        return said

    return _throughout(value, each)


_PAIRS = "; write `replace({'old': 'new'})`"


@filter_("regexMatch", "regex")
def regex_match(value: object, pattern: object) -> object:
    return False if value is None else matcher(needs_text(pattern)).search(text(value), timeout=1) is not None


@filter_("regexReplace", "regex replacement")
def regex_replace(value: object, pattern: object, replacement: object) -> object:
    return None if value is None else replace_all(text(value), needs_text(pattern), needs_text(replacement))


@filter_("regexExtract", "regex group")
def regex_extract(value: object, pattern: object, group: object = 0) -> object:
    if value is None:
        return None
    found = matcher(needs_text(pattern)).search(text(value), timeout=1)
    return found.group(int(group)) if found else None  # type: ignore[call-overload]
