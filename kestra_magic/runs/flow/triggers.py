"""What would start a flow on a server: told, not run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kestra_magic.model.flow import Trigger

__all__ = ["next_time", "told"]

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_DAYS = "sun mon tue wed thu fri sat"
_NAMES = {
    3: {name: n for n, name in enumerate(_MONTHS.split(), 1)},
    4: {name: n for n, name in enumerate(_DAYS.split())},
}
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_SHORT = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}  # fmt: skip


def told(triggers: Iterable[Trigger], now: datetime | None = None) -> list[str]:
    """Return one line for each trigger that is not disabled."""
    return [_told(trigger, now or datetime.now(UTC)) for trigger in triggers if not trigger.disabled]


def _told(trigger: Trigger, now: datetime) -> str:
    kind = trigger.type.rpartition(".")[2]
    more = trigger.model_extra or {}
    if kind == "Schedule" and isinstance(more.get("cron"), str):
        return f"{kind} `{more['cron']}`: on a server{_next(more['cron'], str(more.get('timezone') or ''), now)}"
    if kind == "Webhook" and more.get("key"):
        return f"{kind} `{trigger.id}`: on a server, at …/webhook/…/{trigger.id}"
    return f"{kind} `{trigger.id}`: on a server"


def _next(cron: str, zone: str, now: datetime) -> str:
    try:
        at = next_time(cron, now.astimezone(ZoneInfo(zone) if zone else None))
    except (ValueError, ZoneInfoNotFoundError):
        return f"; `{zone or cron}` is not understood here"
    return f"; next at {at:%Y-%m-%d %H:%M}{f' ({zone})' if zone else ''}" if at else "; never again"


def next_time(cron: str, now: datetime) -> datetime | None:
    """Return the first minute after *now* that the five fields of *cron* name; None if there is none in five years.

    Raises:
        ValueError: it is no cron expression.
    """
    fields = _SHORT.get(cron.strip(), cron).split()
    if len(fields) != 5:
        raise ValueError(cron)
    minutes, hours, days, months, weekdays = (_numbers(text, n) for n, text in enumerate(fields))
    weekdays |= {0} if 7 in weekdays else set()
    either = fields[2][0] != "*" and fields[4][0] != "*"
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for _ in range(366 * 5):
        by_date, by_week = day.day in days, day.isoweekday() % 7 in weekdays
        if day.month in months and ((by_date or by_week) if either else (by_date and by_week)):
            times = (day.replace(hour=hour, minute=minute) for hour in sorted(hours) for minute in sorted(minutes))
            found = next((at for at in times if at > now), None)
            if found:
                return found
        day += timedelta(days=1)
    return None


def _numbers(text: str, field: int) -> set[int]:
    low, high = _RANGES[field]
    found: set[int] = set()
    for part in text.lower().split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        start = low if span in ("*", "?") else _number(first, field)
        end = high if span in ("*", "?") or (step and not dash) else _number(last if dash else first, field)
        if not low <= start <= end <= high or (step and int(step) < 1):
            raise ValueError(text)
        found |= set(range(start, end + 1, int(step or 1)))
    return found


def _number(text: str, field: int) -> int:
    return _NAMES.get(field, {}).get(text[:3]) or (0 if text[:3] == "sun" else int(text))
