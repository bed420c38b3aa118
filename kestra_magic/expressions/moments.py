"""Filters and functions of moments: `date`, `dateAdd`, `timestamp…`, `now`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from ..errors import did_you_mean
from ..settings import current
from .dateparsing import parser
from .datepatterns import written
from .dates import clamped, made, settled, zone
from .errors import ExpressionError
from .registry import REGISTRY
from .texts import needs_count, needs_text
from .values import Long

if TYPE_CHECKING:
    from .evaluation import Evaluation

__all__ = ["moment_of"]

filter_, function = REGISTRY.filter, REGISTRY.function


def moment_of(value: object, home: tzinfo, existing: object) -> datetime:
    return made(value, home, parser(needs_text(existing)) if existing is not None else None)


def _home(name: object) -> tzinfo:
    return zone(None if name is None else needs_text(name))


def _written(moment: datetime, form: object, home: tzinfo, locale: object) -> str:
    try:
        local = moment.astimezone(home)
    except OverflowError:
        raise ExpressionError("A date before the year 1 or after 9999 can not be told here") from None
    return written(needs_text(form), local, None if locale is None else needs_text(locale))


@filter_("date", "format timeZone existingFormat locale")
def date_(
    value: object, form: object = "iso", time_zone: object = None, existing: object = None, locale: object = None
) -> object:
    if value is None:
        return None
    home = _home(time_zone)
    return _written(moment_of(value, home, existing), form, home, locale)


@function("now", "format timeZone existingFormat locale")
def now(
    _: Evaluation,
    form: object = "iso",
    time_zone: object = None,
    _existing: object = None,
    locale: object = None,
) -> object:
    return _written(datetime.now(UTC), form, _home(time_zone), locale)


@filter_("dateAdd", "amount unit format timeZone existingFormat locale")
def date_add(
    value: object,
    amount: object,
    unit: object,
    form: object = "iso",
    time_zone: object = None,
    existing: object = None,
    locale: object = None,
) -> object:
    """Add *amount* of a unit of Java's `ChronoUnit`: days and longer by the calendar, shorter ones by the clock."""
    if value is None:
        return None
    many, home = needs_count(amount, "amount"), _home(time_zone)
    moment = moment_of(value, home, existing)
    try:
        later = _added(moment, many, needs_text(unit))
    except (OverflowError, ValueError):
        raise ExpressionError("A date before the year 1 or after 9999 can not be told here") from None
    return _written(later, form, home, locale)


_SHORT = {
    "MICROS": timedelta(microseconds=1), "MILLIS": timedelta(milliseconds=1), "SECONDS": timedelta(seconds=1),
    "MINUTES": timedelta(minutes=1), "HOURS": timedelta(hours=1), "HALF_DAYS": timedelta(hours=12),
}  # fmt: skip
_MONTHS = {"MONTHS": 1, "YEARS": 12, "DECADES": 120, "CENTURIES": 1200, "MILLENNIA": 12_000}
_DAYS = {"DAYS": 1, "WEEKS": 7}


def _added(moment: datetime, many: int, unit: str) -> datetime:
    if unit == "NANOS":
        return _by_clock(moment, timedelta(microseconds=many // 1000))
    if unit in _SHORT:
        return _by_clock(moment, many * _SHORT[unit])
    if unit in _DAYS:
        return settled(moment + timedelta(days=many * _DAYS[unit]))
    if unit in _MONTHS:
        total = moment.year * 12 + moment.month - 1 + many * _MONTHS[unit]
        day = clamped(total // 12, total % 12 + 1, moment.day)
        return settled(datetime.combine(day, moment.time(), moment.tzinfo))
    known = ["NANOS", *_SHORT, *_DAYS, *_MONTHS]
    near = did_you_mean(unit.upper(), known) or did_you_mean(f"{unit.upper()}S", known)
    raise ExpressionError(f"No enum constant java.time.temporal.ChronoUnit.{unit}", near=near)


def _by_clock(moment: datetime, step: timedelta) -> datetime:
    return (moment.astimezone(UTC) + step).astimezone(moment.tzinfo)


# timestamps


def _since_1970(value: object, time_zone: object, existing: object) -> tuple[int, int]:
    """Return seconds, and microseconds of the second."""
    moment = moment_of(value, _home(time_zone), existing)
    gap = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return gap.days * 86400 + gap.seconds, gap.microseconds


@filter_("timestamp", "timeZone existingFormat")
def timestamp(value: object, time_zone: object = None, existing: object = None) -> object:
    return None if value is None else Long(_since_1970(value, time_zone, existing)[0])


@filter_("timestampMilli", "timeZone existingFormat")
def timestamp_milli(value: object, time_zone: object = None, existing: object = None) -> object:
    if value is None:
        return None
    seconds, micros = _since_1970(value, time_zone, existing)
    return Long(seconds * 1000 + micros // 1000)


@filter_("timestampMicro", "timeZone existingFormat")
def timestamp_micro(value: object, time_zone: object = None, existing: object = None) -> object:
    """Microseconds. Up to 0.21 (profile P1) they were added to the nanoseconds of the second, a slip."""
    if value is None:
        return None
    seconds, micros = _since_1970(value, time_zone, existing)
    return str(seconds * (1_000_000_000 if current().profile == "P1" else 1_000_000) + micros)


@filter_("timestampNano", "timeZone existingFormat")
def timestamp_nano(value: object, time_zone: object = None, existing: object = None) -> object:
    if value is None:
        return None
    seconds, micros = _since_1970(value, time_zone, existing)
    return str(seconds * 1_000_000_000 + micros * 1000)
