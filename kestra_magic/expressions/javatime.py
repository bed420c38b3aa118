"""How Java prints moments, times of day and durations: the `toString` of `java.time`."""

from __future__ import annotations

from datetime import datetime, time, timedelta

__all__ = ["duration_text", "instant_text", "iso_offset", "moment_text", "region", "time_text"]


def _fraction(micros: int) -> str:
    """Write a part of a second in as few groups of three digits as it needs."""
    if not micros:
        return ""
    digits = f"{micros:06d}"
    return "." + (digits[:3] if digits.endswith("000") else digits)


def iso_offset(moment: datetime) -> str:
    """Return the offset from UTC as `Z` or `+02:00`."""
    offset = moment.utcoffset() or timedelta()
    seconds = int(offset.total_seconds())
    if not seconds:
        return "Z"
    hours, rest = divmod(abs(seconds), 3600)
    tail = f":{rest % 60:02d}" if rest % 60 else ""
    return f"{'-' if seconds < 0 else '+'}{hours:02d}:{rest // 60:02d}{tail}"


def time_text(value: time | datetime) -> str:
    seconds = f":{value.second:02d}" if value.second or value.microsecond else ""
    return f"{value.hour:02d}:{value.minute:02d}{seconds}{_fraction(value.microsecond)}"


def instant_text(value: datetime) -> str:
    seconds = f"{value.hour:02d}:{value.minute:02d}:{value.second:02d}{_fraction(value.microsecond)}"
    return f"{value.year:04d}-{value.month:02d}-{value.day:02d}T{seconds}Z"


def region(moment: datetime) -> str | None:
    """Return the name of a moment's zone, `Europe/Berlin`; an offset has none."""
    return getattr(moment.tzinfo, "key", None)


def moment_text(value: datetime) -> str:
    local = f"{value.year:04d}-{value.month:02d}-{value.day:02d}T{time_text(value)}"
    if value.tzinfo is None:
        return local
    name = region(value)
    return local + iso_offset(value) + (f"[{name}]" if name else "")


def duration_text(value: timedelta) -> str:
    """Return a duration in hours at most: `PT24H` for a day."""
    micros = round(value.total_seconds() * 1_000_000)
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    seconds, micros = divmod(micros, 1_000_000)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    tail = f"{seconds}{f'.{micros:06d}'.rstrip('0') if micros else ''}"
    parts = [f"{sign}{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M")) if n]
    if seconds or micros or not parts:
        parts.append(f"{sign}{tail}S")
    return "PT" + "".join(parts)
