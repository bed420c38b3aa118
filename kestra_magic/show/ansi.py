"""Terminal sequences: which of them a cell understands, and colours that end with their line."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ESCAPE", "RESET", "Ink", "plain", "unfinished"]

RESET = "\x1b[0m"
ESCAPE = re.compile(
    r"\x1b(?:"
    r"\[(?P<args>[0-?]*)[ -/]*(?P<end>[@-~])"  # CSI: colours, cursor
    r"|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # OSC: titles, links
    r"|[PX^_][^\x1b\n]*(?:\x1b\\)?"  # DCS, SOS, PM, APC
    r"|[ -/]*[0-~])"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\n]*\x1b?|[ -/]*)$")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SGR = re.compile(r"\x1b\[([0-9;:]*)m")
# Which property of the ink a code sets; 22 … 55 end what they stand for.
_STYLES = ("weight", "weight", "italic", "line", "blink", "blink", "inverse", "hidden", "struck")
_ON = {**dict(enumerate(_STYLES, 1)), 21: "line"}
_OFF = {**{20 + code: style for code, style in enumerate(_STYLES, 1) if code > 1}, 39: "text", 49: "ground"}


def plain(text: str) -> str:
    """Return *text* without any terminal sequence or control character but tab and newline."""
    return _CONTROL.sub("", ESCAPE.sub("", text))


def unfinished(text: str) -> str:
    """Return *text* without a sequence that is still being written at its end."""
    return _UNFINISHED.sub("", text)


class Ink:
    """The colours that stand from line to line; a front end forgets them, so each line brings its own."""

    def __init__(self) -> None:
        self._set: dict[str, str] = {}

    @property
    def opening(self) -> str:
        return f"\x1b[{';'.join(self._set.values())}m" if self._set else ""

    def line(self, text: str) -> str:
        """Return *text*, one line without its end, with the ink that stands before it and nothing open behind it."""
        opening = self.opening
        for match in _SGR.finditer(text):
            self._dip(match[1].replace(":", ";").split(";"))
        return f"{opening}{text}{RESET}" if self._set else f"{opening}{text}"

    def _dip(self, codes: list[str]) -> None:
        rest = iter(int(code or 0) for code in codes)
        for code in rest:
            if code == 0:
                self._set.clear()
            elif code in _OFF:
                self._set.pop(_OFF[code], None)
            elif code in (38, 48):
                self._set["text" if code == 38 else "ground"] = _wide(code, rest)
            elif place := _ON.get(code) or _place(code):
                self._set[place] = str(code)


def _place(code: int) -> str:
    if 30 <= code <= 37 or 90 <= code <= 97:
        return "text"
    return "ground" if 40 <= code <= 47 or 100 <= code <= 107 else ""


def _wide(code: int, rest: Iterator[int]) -> str:
    """256 colours and true colours: ``38;5;n``, ``38;2;r;g;b``."""
    mode = next(rest, 5)
    values = islice(rest, 3 if mode == 2 else 1)
    return ";".join(map(str, (code, mode, *values)))
