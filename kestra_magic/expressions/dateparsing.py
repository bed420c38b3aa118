"""Reading a moment by a Java pattern: what `existingFormat` asks for."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

import regex

from .datepatterns import DAYS, ENGLISH, MONTHS, PRESETS, STYLES, Part, parts
from .dates import Unreadable, clamped, iso_parsed, zone
from .errors import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["parser"]

_NUMERIC = set("uyMLdDHhKkmsSAnNYwWeFQq")


def parser(form: str) -> Callable[[str], datetime | date]:
    """Return what reads a text of the given preset or pattern.

    Raises:
        ExpressionError: it is no pattern.
    """
    if form in _OWN:
        return _OWN[form]
    return _Reader(STYLES.get(form) or PRESETS.get(form, form)).read


@lru_cache(maxsize=200)
def _compiled(pattern: str) -> tuple[regex.Pattern[str], tuple[str, ...]]:
    """Return a regular expression of *pattern* and the letter of each of its groups."""
    pieces: list[str] = []
    letters: list[str] = []
    found = parts(pattern)
    for index, part in enumerate(found):
        if part.letter == "[":
            pieces.append("(?:")
        elif part.letter == "]":
            pieces.append(")?")
        elif not part.letter:
            pieces.append(regex.escape(part.literal))
        else:
            following = found[index + 1] if index + 1 < len(found) else None
            pieces.append(f"({_expected(part, following)})")
            letters.append(part.letter)
    try:
        return regex.compile("".join(pieces)), tuple(letters)
    except regex.error:
        raise ExpressionError(f"Pattern has brackets that do not match: {pattern}") from None


def _expected(part: Part, following: Part | None) -> str:
    letter, count, _ = part
    named = _named(letter, count)
    if named:
        return named
    if letter in _TEXTS:
        return _TEXTS[letter][min(count, len(_TEXTS[letter])) - 1]
    if letter == "S":
        return rf"\d{{{count}}}"
    if letter in "uyY" and count != 2:
        adjacent = following is not None and following.letter in _NUMERIC and following.times < 3
        return r"\d{4}" if adjacent and count == 4 else rf"[+-]?\d{{{min(count, 9)},9}}"
    return r"\d{1,19}" if count == 1 else rf"\d{{{count}}}"


def _named(letter: str, count: int) -> str:
    if letter in "ML" and count > 2:
        return "|".join(words[{3: 1, 4: 0}.get(count, 2)] for words in ENGLISH.months)
    if letter == "E" or (letter in "ec" and count > 2):
        return "|".join(words[{4: 0, 5: 2}.get(count, 1)] for words in ENGLISH.days)
    return ""


_COLON = r"Z|[+-]\d\d:\d\d"
_TEXTS: dict[str, tuple[str, ...]] = {
    "a": ("AM|PM",),
    "G": ("AD|BC",),
    "X": (r"Z|[+-]\d\d(?:\d\d)?", r"Z|[+-]\d{4}", _COLON, r"Z|[+-]\d{4}(?:\d\d)?", rf"{_COLON}(?::\d\d)?"),
    "x": (r"[+-]\d\d(?:\d\d)?", r"[+-]\d{4}", r"[+-]\d\d:\d\d", r"[+-]\d{4}(?:\d\d)?", r"[+-]\d\d:\d\d(?::\d\d)?"),
    "Z": (r"[+-]\d{4}",) * 3 + (r"GMT(?:[+-]\d\d:\d\d)?", rf"{_COLON}(?::\d\d)?"),
    "O": (r"GMT(?:[+-]\d\d?(?::\d\d)?)?",) * 4,
    "V": (r"[A-Za-z][A-Za-z0-9~/._+-]+|Z|[+-]\d\d:\d\d",) * 2,
    "z": (r"[A-Za-z][A-Za-z0-9~/._+-]+",) * 4,
    "v": (r"[A-Za-z][A-Za-z0-9~/._+-]+",) * 4,
}


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern, self.letters = _compiled(pattern)

    def read(self, said: str) -> datetime | date:
        found = self.pattern.fullmatch(said, timeout=1)
        if not found:
            raise Unreadable(f"Text '{said}' could not be parsed by the pattern")
        groups = zip(self.letters, found.groups(), strict=True)
        values = {letter: value for letter, value in groups if value is not None}
        try:
            return self._resolved(said, values)
        except (ValueError, OverflowError) as error:
            raise Unreadable(f"Text '{said}' could not be parsed: {error}") from None

    def _resolved(self, said: str, values: dict[str, str]) -> datetime | date:
        day = _date(values)
        if day is None:
            raise Unreadable(f"Text '{said}' could not be parsed: it says no date")
        clock, days = _time(values)
        if clock is None:
            return day
        moment = datetime.combine(day + timedelta(days=days), clock)
        home = _zone(values)
        return moment if home is None else moment.replace(tzinfo=home)


def _year(values: dict[str, str]) -> int | None:
    said = values.get("u") or values.get("y")
    if said is None:
        return None
    return int(said) + (2000 if len(said) == 2 else 0)


def _date(values: dict[str, str]) -> date | None:
    year = _year(values)
    if year is None:
        return None
    if "D" in values:
        day = date(year, 1, 1) + timedelta(days=int(values["D"]) - 1)
        if day.year != year:
            raise ValueError(f"Invalid date 'DayOfYear {values['D']}'")
        return day
    month = values.get("M") or values.get("L")
    if month is None or "d" not in values:
        return None
    number = int(month) if month.isdigit() else _position(month)
    if not 1 <= int(values["d"]) <= 31:
        raise ValueError(f"Invalid value for DayOfMonth: {values['d']}")
    found = clamped(year, number, int(values["d"]))
    named = values.get("E")
    if named and not DAYS[found.weekday()].startswith(named):
        raise ValueError(f"DayOfWeek {DAYS[found.weekday()].upper()} differs from {named}")
    return found


def _position(month: str) -> int:
    return 1 + next(index for index, name in enumerate(MONTHS) if name.startswith(month))


def _time(values: dict[str, str]) -> tuple[time | None, int]:
    """Return the time of day, and a day to add where it is 24:00."""
    if "A" in values:
        return (datetime.min + timedelta(milliseconds=int(values["A"]))).time(), 0
    hour = _hour(values)
    if hour is None or ("s" in values and "m" not in values):
        return None, 0
    minute, second = int(values.get("m", 0)), int(values.get("s", 0))
    micro = int(f"{values.get('S', ''):0<6.6}") if "S" in values else int(values.get("n", 0)) // 1000
    if hour == 24 and not minute and not second and not micro:
        return time(), 1
    return time(hour, minute, second, micro), 0


def _hour(values: dict[str, str]) -> int | None:
    if "H" in values:
        return int(values["H"])
    if "k" in values:
        return int(values["k"]) % 24
    half = {"AM": 0, "PM": 12}.get(values.get("a", ""))
    if half is None:
        return None
    if "h" in values and not 1 <= int(values["h"]) <= 12:
        raise ValueError(f"Invalid value for ClockHourOfAmPm: {values['h']}")
    twelfth = values.get("h") or values.get("K")
    return None if twelfth is None else int(twelfth) % 12 + half


def _zone(values: dict[str, str]) -> tzinfo | None:
    for letter in "VzvXxZO":
        if letter in values:
            said = values[letter]
            return UTC if said == "GMT" and letter in "ZO" else zone(said.removeprefix("GMT") or said)
    return None


# presets that no pattern can read

_RFC = regex.compile(
    r"(?:(Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?(\d\d?) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4})"
    r" (\d\d):(\d\d)(?::(\d\d))? (GMT|[+-]\d{4})",
    regex.IGNORECASE,
)


def _rfc_1123(said: str) -> datetime:
    found = _RFC.fullmatch(said)
    if not found:
        raise Unreadable(f"Text '{said}' could not be parsed: it is no RFC 1123 date")
    _, day, month, year, hour, minute, second, offset = found.groups()
    home = zone("Z" if offset.upper() == "GMT" else offset)
    try:
        on = clamped(int(year), _position(month.title()), int(day))
        return datetime.combine(on, time(int(hour), int(minute), int(second or 0)), home)
    except ValueError as error:
        raise Unreadable(f"Text '{said}' could not be parsed: {error}") from None


def _only(kind: type, *, zoned: bool | None) -> Callable[[str], datetime | date]:
    """Return what reads ISO 8601 of one kind: a moment with a zone, without one, or a date."""

    def read(said: str) -> datetime | date:
        found = iso_parsed(said)
        wrong = type(found) is not kind or (
            isinstance(found, datetime) and zoned not in (None, found.tzinfo is not None)
        )
        if wrong:
            raise Unreadable(f"Text '{said}' could not be parsed: it has another form")
        return found

    return read


def _dated(said: str) -> date:
    return _only(date, zoned=None)(regex.sub(r"(?<=^.{10})(Z|[+-]\d\d:\d\d)$", "", said))


def _ordinal(said: str) -> datetime | date:
    return _Reader("uuuu-DDD").read(regex.sub(r"(?<=^.{8})(Z|[+-]\d\d:\d\d)$", "", said))


def _week_date(said: str) -> date:
    found = regex.fullmatch(r"(\d{4})-W(\d\d)-([1-7])(?:Z|[+-]\d\d:\d\d)?", said)
    if not found:
        raise Unreadable(f"Text '{said}' could not be parsed: it is no week date")
    try:
        return date.fromisocalendar(*map(int, found.groups()))
    except ValueError as error:
        raise Unreadable(f"Text '{said}' could not be parsed: {error}") from None


def _no_date(said: str) -> date:
    raise Unreadable(f"Text '{said}' could not be parsed: that format says no date")


_OWN: dict[str, Callable[[str], datetime | date]] = {
    "iso_date_time": _only(datetime, zoned=None),
    "iso_zoned_date_time": _only(datetime, zoned=True),
    "iso_local_date_time": _only(datetime, zoned=False),
    "iso_local_date": _only(date, zoned=None),
    "iso_date": _dated,
    "iso_ordinal_date": _ordinal,
    "iso_week_date": _week_date,
    "rfc_1123_date_time": _rfc_1123,
    **dict.fromkeys(("iso_instant", "iso_time", "iso_local_time", "iso_offset_time"), _no_date),
}
