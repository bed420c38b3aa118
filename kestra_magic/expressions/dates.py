"""Moments, zones and Java's patterns of dates."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from .values import Instant

__all__ = ["instant", "local_zone"]


def local_zone() -> tzinfo:
    """Return the zone of this machine."""
    return datetime.now().astimezone().tzinfo or UTC


def instant(moment: datetime) -> Instant:
    """Return *moment* without its zone."""
    utc = moment.astimezone(UTC)
    return Instant(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, UTC)
