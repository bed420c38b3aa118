"""Java's `DateTimeFormatter`: the letters of its patterns, and the presets that Kestra names."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import regex

from .dates import instant
from .errors import ExpressionError
from .javatime import iso_offset, region
from .values import text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["DAYS", "ENGLISH", "MONTHS", "PRESETS", "STYLES", "Part", "parts", "written"]

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PRESETS = {
    "iso": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "iso_sec": "yyyy-MM-dd'T'HH:mm:ssXXX",
    "iso_milli": "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "sql": "yyyy-MM-dd HH:mm:ss.SSSSSS",
    "sql_milli": "yyyy-MM-dd HH:mm:ss.SSS",
    "sql_seq": "yyyy-MM-dd HH:mm:ss",
    "sql_sec": "yyyy-MM-dd HH:mm:ss",
    "iso_local_date": "uuuu-MM-dd",
}
# English as newer Java has it: a narrow space, which breaks no line, stands before AM and PM.
STYLES = {
    "full": "EEEE, MMMM d, y, h:mm:ss\u202fa zzzz",
    "long": "MMMM d, y, h:mm:ss\u202fa z",
    "medium": "MMM d, y, h:mm:ss\u202fa",
    "short": "M/d/yy, h:mm\u202fa",
}


class Part(NamedTuple):
    """A letter of a pattern with how often it stands there, or (letter empty) what is written as it is."""

    letter: str
    times: int
    literal: str = ""


# patterns

_TOKEN = regex.compile(r"''|'((?:[^']|'')*)'|([A-Za-z])\2*|([\[\]])|([#{}])|(')|[^A-Za-z'\[\]#{}]+", regex.DOTALL)
_MOST = {
    **dict.fromkeys("dhHkKmsw", 2), "D": 3, **dict.fromkeys("FWa", 1), **dict.fromkeys("MLEQqGecBZ", 5),
    **dict.fromkeys("Xx", 5), **dict.fromkeys("uyYAnN", 19), "S": 9, "V": 2, "v": 4, "z": 4, "O": 4,
}  # fmt: skip


@lru_cache(maxsize=500)
def parts(pattern: str) -> tuple[Part, ...]:
    """Return the parts of a Java pattern.

    Raises:
        ExpressionError: Java knows no such letter, or not so many of it.
    """
    found: list[Part] = []
    for token in _TOKEN.finditer(pattern):
        quoted, letter, bracket, reserved, lone = token.groups()
        said = token.group()
        if lone:
            raise ExpressionError(f"Pattern ends with an incomplete string literal: {pattern}")
        if reserved:
            raise ExpressionError(f"Pattern includes reserved character: '{reserved}'")
        if letter:
            found.append(_checked(letter, len(said), said))
        elif bracket:
            found.append(Part(bracket, 1))
        else:
            found.append(
                Part("", 0, "'" if said == "''" else quoted.replace("''", "'") if quoted is not None else said)
            )
    return tuple(found)


def _checked(letter: str, count: int, said: str) -> Part:
    if letter not in _MOST:
        raise ExpressionError(f"Unknown pattern letter: {letter}", near="; put words in single quotes")
    only = {"V": (2,), "v": (1, 4), "O": (1, 4), "B": (1, 4, 5)}.get(letter)
    if count > _MOST[letter] or (only and count not in only) or (letter == "c" and count == 2):
        raise ExpressionError(f"Too many pattern letters: {letter}" if not only else f"Invalid pattern: {said}")
    return Part(letter, count)


# names


class Names(NamedTuple):
    """Words of a language, each as (full, short, narrow); days begin with Monday."""

    months: tuple[tuple[str, str, str], ...]
    days: tuple[tuple[str, str, str], ...]
    halves: tuple[str, str] = ("AM", "PM")
    first_day: int = 6
    least_days: int = 1
    locale: str = "en_US"
    styles: Mapping[str, str] = MappingProxyType(STYLES)


ENGLISH = Names(
    tuple((name, name[:3], name[0]) for name in MONTHS),
    tuple((name, name[:3], name[0]) for name in DAYS),
)


@lru_cache(maxsize=50)
def names(locale: str | None) -> Names:
    """Return the words of *locale* (`fr`, `fr_FR`): English, or what the package `babel` knows of Unicode's CLDR."""
    if locale is None or locale == "" or locale.partition("_")[0] == "en":
        return ENGLISH
    if not regex.fullmatch(r"[a-z]{2,3}(_[A-Z]{2}|_\d{3})?(_\w*)?", locale):
        raise ExpressionError(f"Invalid locale format: {locale}")
    try:
        found = import_module("babel").Locale.parse(locale)
    except ImportError:
        raise ExpressionError("a locale other than English needs the package `babel`: `pip install babel`") from None
    except Exception:  # babel has an error of its own for a locale it does not know
        raise ExpressionError(f"no locale `{locale}` is known") from None
    wide = ("wide", "abbreviated", "narrow")

    def words(of: Any, keys: range) -> tuple[tuple[str, str, str], ...]:
        return tuple(tuple(str(of["format"][width][key]) for width in wide) for key in keys)  # type: ignore[misc]

    halves = found.day_periods["format"]["abbreviated"]
    return Names(
        words(found.months, range(1, 13)),
        words(found.days, range(7)),
        (str(halves["am"]), str(halves["pm"])),
        int(found.first_week_day) if found.territory else 6,
        int(found.min_week_days) if found.territory else 1,
        locale,
        {style: _style(found, style) for style in STYLES},
    )


def _style(locale: Any, style: str) -> str:
    glue = str(locale.datetime_formats["medium"])
    return glue.replace("{1}", locale.date_formats[style].pattern).replace("{0}", locale.time_formats[style].pattern)


# writing


def written(pattern: str, moment: datetime, locale: str | None = None) -> str:
    """Write *moment*, which has a zone, by a pattern or a preset's name."""
    own = _NAMED.get(pattern)
    if own is not None:
        return own(moment)
    words = names(locale)
    pattern = words.styles[pattern] if pattern in STYLES else PRESETS.get(pattern, pattern)
    return "".join(_part(part, moment, words) for part in parts(pattern))


def _part(part: Part, moment: datetime, words: Names) -> str:
    letter, count, literal = part
    if not letter or letter in "[]":
        return literal
    number = _NUMBERS.get(letter)
    if number is not None:
        return str(number(moment)).rjust(count, "0")
    return _WORDS[letter](moment, count, words)


def _micros(moment: datetime) -> int:
    return ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond


_NUMBERS: dict[str, Callable[[datetime], int]] = {
    "d": lambda t: t.day,
    "D": lambda t: t.timetuple().tm_yday,
    "h": lambda t: t.hour % 12 or 12,
    "K": lambda t: t.hour % 12,
    "k": lambda t: t.hour or 24,
    "H": lambda t: t.hour,
    "m": lambda t: t.minute,
    "s": lambda t: t.second,
    "F": lambda t: (t.day - 1) // 7 + 1,
    "A": lambda t: _micros(t) // 1000,
    "n": lambda t: t.microsecond * 1000,
    "N": lambda t: _micros(t) * 1000,
}


def _year(moment: datetime, count: int, _: Names) -> str:
    return _years(moment.year, count)


def _years(year: int, count: int) -> str:
    return f"{year % 100:02d}" if count == 2 else str(year).rjust(count, "0")


def _choice(number: int, count: int, words: tuple[str, str, str]) -> str:
    return str(number).rjust(count, "0") if count < 3 else words[{3: 1, 4: 0}.get(count, 2)]


def _month(moment: datetime, count: int, words: Names) -> str:
    return _choice(moment.month, count, words.months[moment.month - 1])


def _day(moment: datetime, count: int, words: Names) -> str:
    return words.days[moment.weekday()][{4: 0, 5: 2}.get(count, 1)]


def _local_day(moment: datetime, count: int, words: Names) -> str:
    return _choice((moment.weekday() - words.first_day) % 7 + 1, count, words.days[moment.weekday()])


def _quarter(moment: datetime, count: int, _: Names) -> str:
    number = (moment.month + 2) // 3
    return _choice(number, count, (f"{('1st', '2nd', '3rd', '4th')[number - 1]} quarter", f"Q{number}", str(number)))


def _week(moment: date, words: Names) -> tuple[int, int]:
    """Return the year and the number of the week that *moment* lies in, as its locale counts weeks."""
    day = moment.date() if isinstance(moment, datetime) else moment
    for year in (day.year + 1, day.year, day.year - 1):
        first = date(min(year, 9999), 1, 1)
        before = (first.weekday() - words.first_day) % 7
        start = first.toordinal() - before + (7 if 7 - before < words.least_days else 0)
        if day.toordinal() >= start and year < 10_000:
            return year, (day.toordinal() - start) // 7 + 1
    return day.year, 1


def _week_of_month(moment: datetime, words: Names) -> int:
    before = (moment.replace(day=1).weekday() - words.first_day) % 7
    return (moment.day - 1 + before) // 7 + (1 if 7 - before >= words.least_days else 0)


def _half(moment: datetime, _: int, words: Names) -> str:
    return words.halves[moment.hour >= 12]


def _period(moment: datetime, *_: object) -> str:
    if moment.hour in (0, 12) and not moment.minute:
        return "midnight" if not moment.hour else "noon"
    bounds = ((6, "at night"), (12, "in the morning"), (18, "in the afternoon"), (21, "in the evening"))
    return next((said for hour, said in bounds if moment.hour < hour), "at night")


def _zone_id(moment: datetime, *_: object) -> str:
    return region(moment) or iso_offset(moment)


def _zone_name(moment: datetime, count: int, words: Names) -> str:
    key = region(moment)
    if key is None:
        return iso_offset(moment)
    if count < 4:
        short = moment.tzname() or key
        return f"GMT{iso_offset(moment)}" if short[0] in "+-" else short
    if key in ("UTC", "Etc/UTC") and words is ENGLISH:
        return "Coordinated Universal Time"
    return _long_name(moment, words, None)


def _generic_name(moment: datetime, count: int, words: Names) -> str:
    return _zone_name(moment, count, words) if count < 4 else _long_name(moment, words, "generic")


def _long_name(moment: datetime, words: Names, variant: str | None) -> str:
    try:
        dates = import_module("babel.dates")
    except ImportError:
        raise ExpressionError("the names of zones (`zzzz`) need the package `babel`: `pip install babel`") from None
    asked = moment if variant is None else moment.tzinfo
    return str(dates.get_timezone_name(asked, zone_variant=variant, locale=words.locale))


def _localized_offset(moment: datetime, count: int, _: Names) -> str:
    said = iso_offset(moment)
    if said == "Z":
        return "GMT"
    if count == 4:
        return f"GMT{said}"
    return f"GMT{said[0]}{int(said[1:3])}" + ("" if said[3:] == ":00" else said[3:])


def _offset(moment: datetime, count: int, zero: str) -> str:
    said = iso_offset(moment)
    if said == "Z":
        return zero
    hours, minutes, *seconds = said[0] + said[1:3], said[4:6], *([said[7:]] if said[7:] else [])
    if count == 1:
        return hours + (minutes if minutes != "00" else "")
    glue = ":" if count in (3, 5) else ""
    return glue.join([hours, minutes, *(seconds if count > 3 else [])])


def _capital_z(moment: datetime, count: int, words: Names) -> str:
    if count == 4:
        return _localized_offset(moment, 4, words)
    return _offset(moment, 2 if count < 4 else 5, "+0000" if count < 4 else "Z")


_WORDS: dict[str, Callable[[datetime, int, Names], str]] = {
    "G": lambda _, count, __: {4: "Anno Domini", 5: "A"}.get(count, "AD"),
    "u": _year, "y": _year, "M": _month, "L": _month, "E": _day, "e": _local_day, "c": _local_day,
    "Q": _quarter, "q": _quarter, "a": _half, "B": _period, "V": _zone_id, "z": _zone_name, "v": _generic_name,
    "O": _localized_offset, "Z": _capital_z,
    "S": lambda t, count, _: f"{t.microsecond:06d}000"[:count],
    "Y": lambda t, count, words: _years(_week(t, words)[0], count),
    "w": lambda t, count, words: str(_week(t, words)[1]).rjust(count, "0"),
    "W": lambda t, _, words: str(_week_of_month(t, words)),
    "X": lambda t, count, _: _offset(t, count, "Z"),
    "x": lambda t, count, _: _offset(t, count, ("+00", "+0000", "+00:00", "+0000", "+00:00")[count - 1]),
}  # fmt: skip


# presets that no pattern can write


def _local_time(moment: datetime) -> str:
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%H:%M:%S}{fraction}"


def _local_date(moment: datetime) -> str:
    return f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}"


def _zoned(moment: datetime) -> str:
    key = region(moment)
    return f"{_local_date(moment)}T{_local_time(moment)}{iso_offset(moment)}" + (f"[{key}]" if key else "")


def _rfc_1123(moment: datetime) -> str:
    offset = _offset(moment, 2, "GMT")
    return f"{DAYS[moment.weekday()][:3]}, {moment.day} {MONTHS[moment.month - 1][:3]} {moment:%Y %H:%M:%S} {offset}"


def _week_date(moment: datetime) -> str:
    year, week, day = moment.isocalendar()
    return f"{year:04d}-W{week:02d}-{day}{iso_offset(moment)}"


_NAMED: dict[str, Callable[[datetime], str]] = {
    "iso_date_time": _zoned,
    "iso_zoned_date_time": _zoned,
    "iso_date": lambda t: _local_date(t) + iso_offset(t),
    "iso_time": lambda t: _local_time(t) + iso_offset(t),
    "iso_offset_time": lambda t: _local_time(t) + iso_offset(t),
    "iso_local_time": _local_time,
    "iso_local_date_time": lambda t: f"{_local_date(t)}T{_local_time(t)}",
    "iso_instant": lambda t: text(instant(t)),
    "iso_ordinal_date": lambda t: f"{t.year:04d}-{t.timetuple().tm_yday:03d}{iso_offset(t)}",
    "iso_week_date": _week_date,
    "rfc_1123_date_time": _rfc_1123,
}
