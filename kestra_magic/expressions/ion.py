"""Amazon Ion as text: what Kestra's files of rows are made of."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import regex

from .errors import ExpressionError
from .javatime import iso_offset, region
from .values import Entry, Group, Instant, text

__all__ = ["from_ion", "to_ion"]

DEEPEST = 500
_SYMBOL = regex.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_KEYWORDS = {"null", "true", "false", "nan"}


def to_ion(value: object) -> str:
    """Write *value* as Jackson writes Ion text."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return text(value)
    if isinstance(value, str):
        return _quoted(value, '"')
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, Decimal):
        return str(value).replace("E", "d") if "E" in str(value) or "." in str(value) else f"{value}."
    if isinstance(value, dict):
        pairs = ((key, inner) for key, inner in value.items() if inner is not None)
        return "{" + ",".join(f"{_name(text(key))}:{to_ion(inner)}" for key, inner in pairs) + "}"
    if isinstance(value, Entry):
        return to_ion({value.key: value.value})
    if isinstance(value, (list, tuple, Group)):
        return "[" + ",".join(map(to_ion, value)) + "]"
    return _moment(value)


def _float(value: float) -> str:
    if value != value or abs(value) == float("inf"):
        return {"nan": "nan", "inf": "+inf", "-inf": "-inf"}[repr(float(value))]
    digits = repr(float(value))
    return digits.replace("e+", "e") if "e" in digits else f"{digits}e0"


def _moment(value: Any) -> str:
    if isinstance(value, Instant):
        return text(value)
    if isinstance(value, datetime) and value.tzinfo:
        zone = region(value)
        local = f"{value:%Y-%m-%dT%H:%M:%S}" + (f".{value.microsecond:06d}" if value.microsecond else "")
        offset = iso_offset(value)
        return f'ZonedDateTime::"{local}{offset}{f"[{zone}]" if zone else ""}"'
    for kind, name in ((datetime, "LocalDateTime"), (date, "LocalDate"), (time, "LocalTime"), (timedelta, "Duration")):
        if isinstance(value, kind):
            return f"{name}::{_quoted(text(value), chr(34))}"
    return _quoted(text(value), '"')


def _name(said: str) -> str:
    return said if _SYMBOL.fullmatch(said) and said not in _KEYWORDS else _quoted(said, "'")


_ESCAPES = {
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\b": r"\b",
    "\f": r"\f",
    "\v": r"\v",
    "\a": r"\a",
    "\0": r"\0",
    "\\": r"\\",
}


def _quoted(said: str, quote: str) -> str:
    escaped = "".join(
        _ESCAPES.get(c) or (f"\\{c}" if c == quote else f"\\x{ord(c):02x}" if ord(c) < 32 else c) for c in said
    )
    return f"{quote}{escaped}{quote}"


# reading

_TOKEN = regex.compile(
    r"""(?P<skip>(?:[ \t\r\n\f\v,]|//[^\n]*|/\*.*?\*/)+)
    |(?P<long>'''(?:\\.|(?!''').)*''')
    |(?P<string>"(?:\\.|[^"\\\n])*")
    |(?P<quoted>'(?:\\.|[^'\\\n])*')
    |(?P<blob>\{\{.*?\}\})
    |(?P<mark>::|[{}\[\]():])
    |(?P<stamp>\d{4}(?:T|-\d\d(?:T|-\d\d(?:T(?:\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?)?)))
    |(?P<number>[+-]inf|-?0[xX][0-9a-fA-F_]+|-?0[bB][01_]+|-?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eEdD][+-]?[0-9]+)?)
    |(?P<word>[A-Za-z_$][A-Za-z0-9_$]*(?:\.[a-z]+)?)""",
    regex.DOTALL | regex.VERBOSE,
)


def from_ion(said: str) -> list[object]:
    """Return the values in an Ion text.

    Raises:
        ExpressionError: it is none.
    """
    tokens = _tokens(said)
    reader = _Reader(tokens)
    found: list[object] = []
    while reader.more():
        found.append(reader.value(0))
    return found


def _tokens(said: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(said):
        found = _TOKEN.match(said, at)
        if not found:
            raise ExpressionError(f"Invalid ion: unexpected character `{said[at]}` at {at}")
        if found.lastgroup != "skip":
            tokens.append((str(found.lastgroup), found.group()))
        at = found.end()
    return tokens


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens, self.at = tokens, 0

    def more(self) -> bool:
        return self.at < len(self.tokens)

    def _next(self) -> tuple[str, str]:
        if not self.more():
            raise ExpressionError("Invalid ion: it ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def _ahead(self, mark: str) -> bool:
        return self.more() and self.tokens[self.at] == ("mark", mark)

    def value(self, depth: int) -> object:
        if depth > DEEPEST:
            raise ExpressionError("Invalid ion: it is nested too deeply")
        kind, said = self._next()
        if kind == "mark":
            return self._container(said, depth)
        if kind in ("word", "quoted") and self._ahead("::"):
            self.at += 1  # an annotation says which Java class it was
            return self.value(depth)
        if kind == "long":
            parts = [_unescaped(said[3:-3])]
            while self.more() and self.tokens[self.at][0] == "long":
                parts.append(_unescaped(self._next()[1][3:-3]))
            return "".join(parts)
        return _scalar(kind, said)

    def _container(self, opener: str, depth: int) -> object:
        if opener == "{":
            return self._struct(depth)
        closer = {"[": "]", "(": ")"}.get(opener)
        if closer is None:
            raise ExpressionError(f"Invalid ion: unexpected `{opener}`")
        found: list[object] = []
        while not self._ahead(closer):
            found.append(self.value(depth + 1))
        self.at += 1
        return found

    def _struct(self, depth: int) -> object:
        found: dict[object, object] = {}
        while not self._ahead("}"):
            kind, said = self._next()
            if kind not in ("word", "quoted", "string") or not self._ahead(":"):
                raise ExpressionError(f"Invalid ion: `{said}` is no name of a field")
            self.at += 1
            found[said if kind == "word" else _unescaped(said[1:-1])] = self.value(depth + 1)
        self.at += 1
        return found


def _scalar(kind: str, said: str) -> object:
    if kind == "number":
        return _number(said)
    if kind == "stamp":
        return _timestamp(said)
    if kind in ("string", "quoted"):
        return _unescaped(said[1:-1])
    if kind == "blob":
        return said[2:-2].strip().strip('"')
    named = {"null": None, "true": True, "false": False, "nan": float("nan")}
    return None if said.startswith("null.") else named.get(said, said)


def _number(said: str) -> object:
    digits = said.replace("_", "").lower()
    if digits.endswith("inf"):
        return float(digits)
    if "0x" in digits or "0b" in digits:
        return int(digits, 0)
    if "e" in digits:
        return float(digits)
    if "." in digits or "d" in digits:
        return float(digits.replace("d", "e")) if digits.rstrip(".").count("d") + digits.count(".") else int(digits)
    if len(digits) > 4000:
        raise ExpressionError("Invalid ion: a number of too many digits")
    return int(digits)


def _timestamp(said: str) -> object:
    whole = said.rstrip("T")
    if "T" not in whole:
        year, month, day = [*map(int, whole.split("-")), 1, 1][:3]
        return Instant(year, month, day, tzinfo=UTC)
    moment = datetime.fromisoformat(whole).astimezone(UTC)
    return Instant.combine(moment.date(), moment.time(), UTC)


_ESCAPE = regex.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\r?\n)|(.))", regex.DOTALL)
_PLAIN = {short[1]: char for char, short in _ESCAPES.items()}


def _unescaped(said: str) -> str:
    if "\\" not in said:
        return said

    def one(found: regex.Match[str]) -> str:
        code = found.group(1) or found.group(2) or found.group(3)
        if code:
            return chr(int(code, 16))
        return "" if found.group(4) else _PLAIN.get(found.group(5), found.group(5))

    return str(_ESCAPE.sub(one, said))
