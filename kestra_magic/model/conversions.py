"""What a person gives for an input → a typed value, exactly as Java converts it (Kestra's FlowInputOutput)."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from kestra_magic.model.durations import iso_duration
from kestra_magic.model.scalars import as_text
from kestra_magic.model.source import Source, SourceError, load_yaml

__all__ = [
    "to_array", "to_boolean", "to_date", "to_datetime", "to_duration", "to_float", "to_int", "to_json", "to_text",
    "to_time", "to_uri", "to_yaml",
]  # fmt: skip

_DIGITS = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFdD]?)", re.ASCII)
_HEX_FLOAT = re.compile(r"([+-]?0[xX](?:[\da-fA-F]+\.?[\da-fA-F]*|\.[\da-fA-F]+)[pP][+-]?\d+)[fFdD]?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"(\d\d:\d\d)(?:(:\d\d)(?:\.(\d{1,9}))?)?", re.ASCII)
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{0,9}))?(Z|z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)", re.ASCII)
_URI = re.compile(
    r"[a-z]+://(?:www\.)?[-a-zA-Z0-9@:%._+~#=]{1,256}\.[a-zA-Z0-9()]{1,6}\b(?:[-a-zA-Z0-9()@:%_+.~#?&/=]*)", re.ASCII
)


def to_text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return as_text(value) if isinstance(value, str | int | float | bool) else str(value)


def to_int(value: Any) -> int:
    """Java's ``Integer.valueOf``: 32 bits, no blanks.

    Raises:
        ValueError: with Java's text.
    """
    text = to_text(value)
    if not _DIGITS.fullmatch(text) or not -(2**31) <= int(text[:64]) < 2**31 or len(text) > 64:
        raise ValueError(f'For input string: "{text}"')
    return int(text)


def to_float(value: Any) -> float:
    """Java's ``Float.valueOf``: trimmed, with its hexadecimal form and suffixes."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = to_text(value).strip()
    if not text:
        raise ValueError("empty String")
    hexadecimal = _HEX_FLOAT.fullmatch(text)
    if hexadecimal:
        return float.fromhex(hexadecimal[1])
    if not _FLOAT.fullmatch(text):
        raise ValueError(f'For input string: "{text}"')
    return float(text.rstrip("fFdD") if text[-1] in "fFdD" else text)


def to_boolean(value: Any) -> bool:
    """Java's ``Boolean.valueOf``: ``true`` in any case; everything else is false, never an error."""
    return to_text(value).lower() == "true"


def to_datetime(value: Any) -> datetime:
    """Java's ``Instant.parse``: seconds and a zone are needed; the result is in UTC."""
    text = value.isoformat() if isinstance(value, datetime) else to_text(value)
    match = _INSTANT.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        fraction = (match[2] or "").ljust(6, "0")[:6]
        return datetime.fromisoformat(f"{match[1]}.{fraction}{match[3].upper()}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(_unparsed("DATETIME", text, "2024-01-02T03:04:05Z")) from None


def to_date(value: Any) -> date:
    text = value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else to_text(value)
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(_unparsed("DATE", text, "2024-01-02")) from None


def to_time(value: Any) -> time:
    text = value.isoformat() if isinstance(value, time) else to_text(value)
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        return time.fromisoformat(f"{match[1]}{match[2] or ':00'}.{(match[3] or '').ljust(6, '0')[:6]}")
    except ValueError:
        raise ValueError(_unparsed("TIME", text, "18:27:49")) from None


def to_duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    text = to_text(value)
    try:
        return iso_duration(text)
    except ValueError:
        raise ValueError(_unparsed("DURATION", text, "PT1H30M")) from None


def to_json(value: Any) -> Any:
    if isinstance(value, dict | list):
        return value
    text = to_text(value)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected `JSON` but received `{_short(text)}`: {error}") from None


def to_yaml(value: Any) -> Any:
    if isinstance(value, dict | list):
        return value
    text = to_text(value)
    try:
        return load_yaml(Source(text)).value
    except SourceError as error:
        raise ValueError(f"Expected `YAML` but received `{_short(text)}`: {error}") from None


def to_uri(value: Any) -> str:
    text = to_text(value)
    if not _URI.fullmatch(text):
        raise ValueError("Invalid URI format.")
    return text


def to_array(value: Any) -> list[Any]:
    found = list(value) if isinstance(value, list | tuple) else to_json(value)
    if not isinstance(found, list):
        raise ValueError(f"Expected a JSON list but received `{_short(to_text(value))}`")
    return found


def _unparsed(kind: str, text: str, like: str) -> str:
    return f"Expected `{kind}` but received `{_short(text)}`; write it like `{like}`"


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
