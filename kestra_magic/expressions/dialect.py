"""How Pebble is set up: Kestra's way, that of its released version, and the switches between them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KESTRA", "RELEASED", "Dialect"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How Pebble is set up; the default is Kestra's way with all that any version of it knows.

    *newer* off refuses what the released Kestra 1.3 (Pebble 3.2) does not have; the rest is for comparison with
    plain Pebble.
    """

    strict: bool = True
    trim_newline: bool = False
    json: bool = True
    recursive: bool = False
    renders: bool = True
    newer: bool = True

    def knows(self, name: str) -> bool:
        """Whether a filter or function of that name is there."""
        return (self.newer or name not in NEWER) and (self.renders or name not in ("render", "renderOnce"))


KESTRA = Dialect()
RELEASED = Dialect(newer=False)
NEWER = frozenset({
    "urlEncode", "urlDecode", "base64Encode", "base64Decode", "condenseString", "regexMatch", "regexReplace",
    "regexExtract", "jsonEncode", "uniq", "format", "isWeekend", "dayOfWeek", "dayOfMonth", "monthOfYear", "hourOfDay",
    "isDayWeekInMonth", "isLastWorkingDay", "isDateBefore", "isDateAfter", "isDateBetween", "isPublicHoliday",
    "jsonDecode", "env", "fileEmpty", "appLink", "credential", "currentOutput", "parentOutput", "iterationOutput",
    "loopOutputs",
})  # fmt: skip
