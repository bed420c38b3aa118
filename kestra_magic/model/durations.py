"""Durations as Kestra writes them: ISO-8601 like Java's Duration, or a number of seconds; and ``10m`` for a person."""

from __future__ import annotations

import re
from datetime import timedelta

__all__ = ["duration", "iso_duration", "short_duration"]

_ISO = re.compile(
    r"(?P<sign>[-+]?)P(?=.)(?:(?P<days>[-+]?\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>[-+]?\d+)H)?(?:(?P<minutes>[-+]?\d+)M)?(?:(?P<seconds>[-+]?\d+(?:[.,]\d{0,9})?)S)?)?",
    re.IGNORECASE | re.ASCII,
)
_SECONDS = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", re.ASCII)
_SHORT = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms])\s*)+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])", re.ASCII)
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}


def iso_duration(text: str) -> timedelta:
    """Return what Java's ``Duration.parse`` makes of *text*: days to seconds, no weeks, months or years.

    Raises:
        ValueError: it is none.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text}` is no ISO-8601 duration like PT10S, PT1M30S, PT2H, P1D")
    parts = {unit: float((match[unit] or "0").replace(",", ".")) for unit in ("days", "hours", "minutes", "seconds")}
    return _made(text, parts) * (-1 if match["sign"] == "-" else 1)


def duration(text: str) -> timedelta:
    """Return the duration of a Kestra property: ISO-8601, or a number of seconds (Kestra's DurationDeserializer).

    Raises:
        ValueError: it is none.
    """
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return _made(text, {"seconds": float(text)})
    return iso_duration(text)


def short_duration(text: str) -> timedelta:
    """Return what a person types for an option: ``10m``, ``1h30m``, ``500ms``, or any of `duration`.

    Raises:
        ValueError: it is none.
    """
    text = text.strip()
    if not _SHORT.fullmatch(text):
        return duration(text)
    parts = [_made(text, {_UNITS[unit]: float(number)}) for number, unit in _PART.findall(text)]
    return sum(parts, timedelta())


def _made(text: str, parts: dict[str, float]) -> timedelta:
    try:
        return timedelta(**parts)
    except (OverflowError, ValueError):
        raise ValueError(f"`{text}` is too long for a duration") from None
