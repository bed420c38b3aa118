"""YAML's scalars as Kestra's parser (Jackson) reads them, with what was written kept."""

from __future__ import annotations

import re

__all__ = ["Scalar", "WrittenFloat", "WrittenInt", "as_text", "falsy", "plain"]

Scalar = str | int | float | bool | None

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(?:0x[0-9a-fA-F_]+|0o[0-7_]+|0b[01_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?[0-9][0-9_]*\.[0-9]*(?:[eE][-+][0-9]+)?")
_LONGEST_NUMBER = 400  # characters: beyond, Python refuses to read an int, and nobody means a number


class WrittenInt(int):
    """An integer that remembers how it was written: ``007`` is 7, and `007` as a text."""

    written: str

    def __str__(self) -> str:
        return self.written


class WrittenFloat(float):
    """A float that remembers how it was written: ``pythonVersion: 3.10`` is not Python 3.1."""

    written: str

    def __str__(self) -> str:
        return self.written


def plain(text: str) -> Scalar:
    """Return what the unquoted *text* means.

    As Jackson's YAMLParser: only true and false are booleans, ``yes``, ``on``, dates and ``1e3`` are texts.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if len(text) <= _LONGEST_NUMBER:
        if _INT.fullmatch(text):
            return _integer(text)
        if _FLOAT.fullmatch(text):
            return _float(text)
    return text


def as_text(value: Scalar) -> str:
    """Return a scalar's text as Jackson gives it: as written, booleans in lower case."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def falsy(text: str) -> bool:
    """Source: Kestra's ``TruthUtils``: everything else is true, ``no`` and ``False`` too."""
    return text.strip(" ") in ("false", "0", "-0", "")


def _integer(text: str) -> Scalar:
    digits = text.replace("_", "")
    try:
        number = int(digits, 0 if digits.lstrip("+-")[:2].lower() in {"0x", "0o", "0b"} else 10)
    except ValueError:  # nothing but underscores after 0x
        return text
    if str(number) == text:
        return number
    written = WrittenInt(number)
    written.written = text
    return written


def _float(text: str) -> float:
    number = float(text.replace("_", ""))
    if repr(number) == text:
        return number
    written = WrittenFloat(number)
    written.written = text
    return written
