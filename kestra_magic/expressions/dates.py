"""Moments: how they are read from what a template has, and the zones they are told in (Kestra's `AbstractDate`)."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import regex

from .errors import ExpressionError
from .javatime import iso_offset
from .values import Instant, java_type

__all__ = ["Unreadable", "clamped", "instant", "iso_parsed", "local_zone", "made", "settled", "zone"]

_OFFSET = regex.compile(r"([+-])(\d\d?)(?::?(\d\d)(?::?(\d\d))?)?")
_PREFIXED = regex.compile(r"(UTC|GMT|UT)([+-].+)")


class Unreadable(ExpressionError):
    """A text is no moment in the form that was asked for."""


# zones


_GONE = {"EST", "MST", "HST", "ROC", "localtime", "posixrules"}


class _Prefixed(tzinfo):
    """`UTC+03:00`: an offset that keeps its prefix."""

    def __init__(self, prefix: str, offset: tzinfo) -> None:
        self._offset = offset
        said = iso_offset(datetime(2000, 1, 1, tzinfo=offset))
        self.key = prefix if said == "Z" else f"{prefix}{said}"

    def utcoffset(self, _: datetime | None) -> timedelta | None:
        return self._offset.utcoffset(None)

    def dst(self, _: datetime | None) -> timedelta | None:
        return timedelta()

    def tzname(self, _: datetime | None) -> str:
        return self.key


def local_zone() -> tzinfo:
    """Return the zone of this machine, by its name where it has one."""
    return _local_zone(os.environ.get("TZ"))


@lru_cache(maxsize=8)
def _local_zone(given: str | None) -> tzinfo:
    names = [given.lstrip(":")] if given else []
    names.append(os.path.realpath("/etc/localtime").rpartition("zoneinfo/")[2])
    if Path("/etc/timezone").is_file():
        names.append(Path("/etc/timezone").read_text("utf-8", "replace").strip())
    return next((found for name in names if (found := _region(name))), datetime.now().astimezone().tzinfo or UTC)


def _region(name: str) -> tzinfo | None:
    if not name or name.startswith("/") or ".." in name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone(name: str | None) -> tzinfo:
    """Return Java's `ZoneId.of(name)`; without a name this machine's zone."""
    if name is None:
        return local_zone()
    if name == "Z":
        return UTC
    found = _offset(name)
    if found is None and (prefixed := _PREFIXED.fullmatch(name)):
        inner = _offset(prefixed.group(2))
        found = None if inner is None else _Prefixed(prefixed.group(1), inner)
    found = found or (None if name in _GONE else _region(name))
    if found is None:
        raise ExpressionError(f"Unknown time-zone ID: {name}")
    return found


def _offset(said: str) -> tzinfo | None:
    found = _OFFSET.fullmatch(said)
    if not found:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    gap = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if gap > timedelta(hours=18) or minutes > 59 or seconds > 59:
        return None
    return timezone(-gap if found.group(1) == "-" else gap)


# moments


def instant(moment: datetime) -> Instant:
    """Return *moment* without its zone."""
    utc = moment.astimezone(UTC)
    return Instant(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, UTC)


def settled(moment: datetime) -> datetime:
    """Return *moment* as it exists: in the hour that a zone skips, Java goes on by the length of the gap."""
    home = moment.tzinfo
    if not isinstance(home, ZoneInfo):
        return moment
    try:
        return moment.astimezone(UTC).astimezone(home)
    except OverflowError:
        return moment


def made(value: Any, home: tzinfo, parse: Any = None) -> datetime:
    """Return what Kestra's date filters make of *value*; *parse* reads a text, else ISO 8601 does.

    A plain date is noon there, as a text it is midnight; a Long counts seconds.
    """
    if isinstance(value, Instant):
        return value.astimezone(home)
    if isinstance(value, datetime):
        return _plain(value) if value.tzinfo else settled(value.replace(tzinfo=home))
    if isinstance(value, date):
        return settled(datetime.combine(value, time(12), home))
    if java_type(value) == "java.lang.Long":
        return _of_seconds(value, home)
    if not isinstance(value, str):
        what = java_type(value) if value is not None else "null"
        near = "; write `value * 1` to make a Long of it, in seconds" if isinstance(value, int) else ""
        raise ExpressionError(f"class {what} cannot be cast to class java.lang.String", near=near)
    found = (parse or iso_parsed)(value)
    if not isinstance(found, datetime):
        found = datetime.combine(found, time())
    return found if found.tzinfo else settled(found.replace(tzinfo=home))


def _plain(value: datetime) -> datetime:
    return datetime.combine(value.date(), value.time(), value.tzinfo)


def _of_seconds(value: int, home: tzinfo) -> datetime:
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(value))).astimezone(home)
    except OverflowError:
        raise ExpressionError(
            f"{value} seconds are beyond the year 9999: milliseconds?", near="; divide them by 1000"
        ) from None


def clamped(year: int, month: int, day: int) -> date:
    """Return a date whose day is at most the last of its month, as Java's smart way of resolving does."""
    last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day if (year, month) < (9999, 12) else 31
    return date(year, month, min(day, last))


# ISO 8601, as the `parse` of Java's types reads it

_DATE = r"(\d{4})-(\d\d)-(\d\d)"
_TIME = r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{0,9}))?)?"
_ZONE = r"(Z|[+-]\d\d(?::\d\d(?::\d\d)?)?)(?:\[([^\]]+)\])?"
_ISO = regex.compile(rf"{_DATE}(?:[Tt]{_TIME}(?:{_ZONE})?)?", regex.IGNORECASE)


def iso_parsed(said: str) -> datetime | date:
    """Read a zoned moment, a local one or a date.

    Raises:
        Unreadable: it is none of them.
    """
    found = _ISO.fullmatch(said)
    if not found:
        raise Unreadable(f"Text '{said}' could not be parsed: it is no ISO 8601 date", near="; give `existingFormat`")
    year, month, day, hour, minute, second, fraction, offset, region = found.groups()
    try:
        day_ = date(int(year), int(month), int(day))
        if hour is None:
            return day_
        micro = int(f"{fraction or '':0<6.6}")
        moment = datetime.combine(day_, time(int(hour), int(minute), int(second or 0), micro))
    except ValueError as error:
        raise Unreadable(f"Text '{said}' could not be parsed: {error}") from None
    return _zoned(moment, offset, region) if offset else moment


def _zoned(moment: datetime, offset: str, region: str | None) -> datetime:
    exact = moment.replace(tzinfo=UTC if offset.upper() == "Z" else zone(offset))
    return exact if region is None else exact.astimezone(zone(region))
