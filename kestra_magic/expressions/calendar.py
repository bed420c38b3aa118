"""What a date is in the calendar: newer Kestra's functions for conditions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import regex

from . import datepatterns
from .dates import Unreadable, iso_parsed
from .errors import ExpressionError
from .registry import REGISTRY
from .values import text

if TYPE_CHECKING:
    from .evaluation import Evaluation

__all__: list[str] = []

function = REGISTRY.function
DAYS = [day.upper() for day in datepatterns.DAYS]
POSITIONS = ("FIRST", "SECOND", "THIRD", "FOURTH", "LAST")


def _read(name: str, what: str, value: Any) -> date | datetime:
    if value is None:
        raise ExpressionError(f"The '{name}()' function expects a '{what}' argument")
    if isinstance(value, date):
        return value
    try:
        return iso_parsed(text(value))
    except Unreadable as error:
        raise ExpressionError(f"The '{name}()' function could not parse '{what}': {error.what}") from None


def _day(name: str, value: object) -> date:
    """Return the date as it is written, whatever its zone."""
    found = _read(name, "date", value)
    return found.date() if isinstance(found, datetime) else found


def _weekday(name: str, what: str, said: object) -> int:
    word = text(said).upper()
    if word not in DAYS:
        raise ExpressionError(
            f"The '{name}()' function received an invalid '{what}' value: '{text(said)}'. Expected one of: "
            + ", ".join(DAYS)
        )
    return DAYS.index(word)


@function("isWeekend", "date")
def is_weekend(_: Evaluation, value: object) -> object:
    return _day("isWeekend", value).weekday() >= 5


@function("dayOfWeek", "date")
def day_of_week(_: Evaluation, value: object) -> object:
    return DAYS[_day("dayOfWeek", value).weekday()]


@function("dayOfMonth", "date")
def day_of_month(_: Evaluation, value: object) -> object:
    return _day("dayOfMonth", value).day


@function("monthOfYear", "date")
def month_of_year(_: Evaluation, value: object) -> object:
    return _day("monthOfYear", value).month


@function("hourOfDay", "date")
def hour_of_day(_: Evaluation, value: object) -> object:
    found = _read("hourOfDay", "date", value)
    return found.hour if isinstance(found, datetime) else 0


@function("isDayWeekInMonth", "date dayOfWeek position")
def is_day_week_in_month(_: Evaluation, value: object, weekday: object, position: object) -> object:
    """Whether a date is the first, second … last such day of its month."""
    day = _day("isDayWeekInMonth", value)
    wanted = _weekday("isDayWeekInMonth", "dayOfWeek", weekday)
    place = text(position).upper()
    if place not in POSITIONS:
        raise ExpressionError(
            f"The 'isDayWeekInMonth()' function received an invalid 'position' value: '{text(position)}'. "
            f"Expected one of: {', '.join(POSITIONS)}"
        )
    if day.weekday() != wanted:
        return False
    if place == "LAST":
        return (day + timedelta(days=7)).month != day.month
    return (day.day - 1) // 7 == POSITIONS.index(place)


@function("isLastWorkingDay", "date workingDays")
def is_last_working_day(_: Evaluation, value: object, working: object = None) -> object:
    """Whether a date is the last of the given days (Monday to Friday) in its month."""
    day = _day("isLastWorkingDay", value)
    said = (
        regex.split(r"[,\s]+", text(working).strip(", \t\n")) if working is not None and text(working).strip() else ()
    )
    days = {_weekday("isLastWorkingDay", "workingDays", word) for word in said} or set(range(5))
    last = day
    while (last + timedelta(days=1)).month == day.month:
        last += timedelta(days=1)
    while last.weekday() not in days:
        last -= timedelta(days=1)
    return day == last


def _moment(name: str, what: str, value: object) -> datetime:
    found = _read(name, what, value)
    if not isinstance(found, datetime) or found.tzinfo is None:
        raise ExpressionError(f"The '{name}()' function could not parse '{what}': it needs a time and an offset")
    return found.astimezone(UTC)


@function("isDateBefore", "date before")
def is_date_before(_: Evaluation, value: object, before: object) -> object:
    return _moment("isDateBefore", "date", value) < _moment("isDateBefore", "before", before)


@function("isDateAfter", "date after")
def is_date_after(_: Evaluation, value: object, after: object) -> object:
    return _moment("isDateAfter", "date", value) > _moment("isDateAfter", "after", after)


@function("isDateBetween", "date after before")
def is_date_between(_: Evaluation, value: object, after: object, before: object) -> object:
    name = "isDateBetween"
    return _moment(name, "after", after) < _moment(name, "date", value) < _moment(name, "before", before)


@function("isPublicHoliday", "date countryCode subDivision")
def is_public_holiday(_: Evaluation, value: object, country: object, division: object = None) -> object:
    day = _day("isPublicHoliday", value)
    code = None if division is None or not text(division).strip() else text(division)
    try:
        known = import_module("holidays").country_holidays(text(country).upper(), subdiv=code, years=day.year)
    except ImportError:
        raise ExpressionError("`isPublicHoliday` needs the package `holidays`: `pip install holidays`") from None
    except (NotImplementedError, KeyError) as error:
        raise ExpressionError(f"no holidays are known for `{text(country)}`: {error}") from None
    return day in known
