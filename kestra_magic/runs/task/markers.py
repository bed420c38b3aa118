"""``::{"outputs": …}::``: what a script says to Kestra on a line of its own.

Source: Kestra's ``TaskLogLineMatcher`` and ``PluginUtilsService.parseOut``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, NoReturn

__all__ = ["InvalidMarker", "Marker", "Metric", "almost", "parse"]

LEVELS = ("ERROR", "WARN", "INFO", "DEBUG", "TRACE")
_MARKER = re.compile(r"^::(\{[^\n\r\x85\u2028\u2029]*\})::[\x85\u2028\u2029]?$")
_ALMOST = re.compile(r"::(?:\{\s*[\"}]|\[).*[}\]]::")  # not `::{{closure}}::`, as Rust writes
_DURATION = re.compile(
    r"P(?:(?P<days>[\d.]+)D)?(?:T(?:(?P<hours>[\d.]+)H)?(?:(?P<minutes>[\d.]+)M)?(?:(?P<seconds>[\d.]+)S)?)?",
    re.IGNORECASE,
)


class InvalidMarker(ValueError):
    """A line has the form of a marker, but its content is not what Kestra takes; nothing of it is applied."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A counter (added up), a timer (seconds, added up) or a gauge (the last one counts)."""

    type: Literal["counter", "timer", "gauge"]
    name: str
    value: float
    tags: tuple[tuple[str, str], ...] = ()
    at: float = 0.0

    @property
    def key(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        return self.type, self.name, self.tags


@dataclass(frozen=True, slots=True)
class Marker:
    """What one line said."""

    outputs: dict[str, Any] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    logs: tuple[tuple[str, str], ...] = ()
    assets: dict[str, Any] = field(default_factory=dict)


def parse(line: str, *, at: float = 0.0) -> Marker | None:
    """Return what *line* says to Kestra, or None if it is an ordinary line.

    Raises:
        InvalidMarker: it has the form, but not the content.
    """
    match = _MARKER.match(line)
    if match is None:
        return None
    said = _first_object(match[1])
    return Marker(
        outputs=_map(said.get("outputs"), "outputs"),
        metrics=tuple(_metric(m, at) for m in _list(said.get("metrics"), "metrics")),
        logs=tuple(_log(entry) for entry in _list(said.get("logs"), "logs")),
        assets=_map(said.get("assets"), "assets"),
    )


def almost(line: str) -> str | None:
    """Say why *line* is not read as a marker although it looks like one; None if it does not."""
    found = _ALMOST.search(line)
    if found is None or _MARKER.match(line):
        return None
    if found[0].startswith("::["):
        return "a list is not taken: `::{…}::` holds one JSON object"
    if found.start():
        return "text stands in front of `::{`: a marker needs a line of its own (print a newline first)"
    if line.rstrip("\r\n") != found[0]:
        return "text stands behind `}::`: a marker needs a line of its own"
    return "a line separator inside the JSON ends the line for Kestra: escape it (\\u2028)"


def _first_object(text: str) -> dict[str, Any]:
    """As Jackson reads: one object; what follows it on the line is ignored."""
    try:
        value, _ = json.JSONDecoder(parse_constant=_refuse).raw_decode(text)
    except ValueError as error:
        raise InvalidMarker(str(error)) from None
    except RecursionError:
        raise InvalidMarker("nested too deeply") from None
    assert isinstance(value, dict)  # the pattern begins with a brace
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _map(value: Any, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidMarker(f"`{what}` must be a map, not {_kind(value)}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidMarker(f"`{what}` must be a list, not {_kind(value)}")
    return value


def _metric(entry: Any, at: float) -> Metric:
    said = _map(entry, "metrics[]")
    kind, name = said.get("type"), said.get("name")
    if kind not in ("counter", "timer", "gauge"):
        raise InvalidMarker(f"a metric's type is counter, timer or gauge, not {kind!r}")
    if not isinstance(name, str):
        raise InvalidMarker("a metric needs a `name`")
    tags = _map(said.get("tags"), "tags")
    value = _seconds(said.get("value")) if kind == "timer" else _number(said.get("value"))
    return Metric(kind, name, value, tuple(sorted((k, _text(v)) for k, v in tags.items())), at)


def _number(value: Any) -> float:
    try:
        if isinstance(value, bool) or value is None:
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidMarker(f"a metric's value is a number, not {_kind(value)}") from None


def _seconds(value: Any) -> float:
    """A timer's value: a number of seconds, or ISO-8601 text."""
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or not any(found.groups()):
        return _number(value)
    return timedelta(**{unit: float(amount) for unit, amount in found.groupdict().items() if amount}).total_seconds()


def _log(entry: Any) -> tuple[str, str]:
    said = _map(entry, "logs[]")
    level, message = said.get("level"), said.get("message")
    if level is None:
        return "WARN", f"Invalid log '{json.dumps(entry)}'"
    if level not in LEVELS:
        raise InvalidMarker(f"a log's level is one of {', '.join(LEVELS)}, not {level!r}")
    if not isinstance(message, str | int | float | None):
        raise InvalidMarker(f"a log's message is text, not {_kind(message)}")
    return level, "" if message is None else _text(message)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _kind(value: Any) -> str:
    return {dict: "a map", list: "a list", str: "text", bool: "a boolean", type(None): "null"}.get(
        type(value), "a number"
    )
