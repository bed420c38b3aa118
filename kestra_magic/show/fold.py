"""What a terminal would still show: a progress bar as it stood last, a redrawn block once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kestra_magic.show.ansi import ESCAPE, Ink, plain, unfinished

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Asis", "Fold", "Folding"]

_CONTROL = re.compile(rf"(?P<newline>\r*\n)|(?P<back>\r)|(?P<rub>\x08+)|{ESCAPE.pattern}|[\x00-\x07\x0b-\x1f\x7f]")
_PROGRESS = re.compile(r"\d\s?%|[█━╸▏▎▍▌▋▊▉]")


class Folding(Protocol):
    """One stream being read: whole lines out, the unfinished one on request."""

    def feed(self, text: str) -> str:
        """Return what is settled now: whole lines."""
        ...

    def open(self, text: str = "") -> str:
        """Return the unfinished line, *text* at its end, if it may be shown before it ends."""
        ...

    def rest(self) -> str:
        """Return what was held back; the stream has ended."""
        ...


@dataclass(slots=True)
class Row:
    text: str = ""
    drawn: int = 0
    """How often it was written over; such a row may change again."""


class Fold:
    """A terminal of a few rows: those that may still be drawn again.

    A row that was written over (``\\r``) is held until the next one shows that it stays: it is drawn twice, or ends.
    Once a program moved up by n rows, what it draws again is held n rows long.
    """

    def __init__(self, *, color: bool = True) -> None:
        self._color = color
        self._rows = [Row()]
        self._at = 0
        self._fresh = False
        self._reach = 0
        self._redraw = 0
        self._settled: list[str] = []
        self._ink = Ink()

    def feed(self, text: str) -> str:
        if self._empty and text.endswith("\n") and not _CONTROL.search(text.replace("\n", "")):
            return text
        for written, control in _tokens(text):
            if written:
                self._write(written)
            if control is not None:
                self._control(control)
        return self._taken()

    def open(self, text: str = "") -> str:
        row = self._rows[self._at]
        text = unfinished(text)
        if len(self._rows) > 1 or row.drawn or (self._fresh and text) or re.search(r"[\r\x08]", text):
            return ""
        shown = row.text + "".join(self._kept(match) + written for written, match in _tokens_after(text))
        return "" if not shown or _PROGRESS.search(shown) else f"{self._ink.opening}{shown}"

    def rest(self) -> str:
        while len(self._rows) > 1 and self._rows[-1].drawn and not plain(self._rows[-1].text).strip():
            self._rows.pop()
        self._settle(len(self._rows) - 1)
        last = _stripped(self._rows[0])
        self._rows, self._at, self._fresh = [Row()], 0, False
        return self._taken() + (self._ink.line(last) if last else "")

    @property
    def _empty(self) -> bool:
        return self._rows == [Row()] and not (self._fresh or self._redraw or self._ink.opening)

    def _write(self, text: str) -> None:
        row = self._rows[self._at]
        if not self._fresh and not self._redraw:
            row.text += text
            return
        if row.drawn and not self._reach:
            self._settle(self._at)
        row.text = text if self._fresh else row.text + text
        row.drawn += self._fresh or not row.drawn
        self._fresh = False

    def _control(self, match: re.Match[str]) -> None:
        if match["newline"]:
            self._newline()
        elif match["back"]:
            self._fresh = True
        elif match["rub"]:
            self._rub(len(match["rub"]))
        elif match["end"] and match["end"] in "AFBEKJG":
            self._move(match["end"], match["args"])
        elif kept := self._kept(match):
            self._write(kept)

    def _kept(self, match: re.Match[str] | None) -> str:
        """Colours stay; titles, links and other controls go."""
        return match[0] if match is not None and self._color and match["end"] == "m" else ""

    def _newline(self) -> None:
        row = self._rows[self._at]
        self._at += 1
        self._redraw = max(0, self._redraw - 1)
        self._fresh = self._at < len(self._rows)
        if not self._fresh:
            self._rows.append(Row())
        self._settle(self._at - max(self._reach, 1) if row.drawn else self._at)

    def _rub(self, count: int) -> None:
        row = self._rows[self._at]
        row.text, row.drawn = row.text[:-count], row.drawn or 1
        self._fresh = self._fresh or not row.text

    def _move(self, end: str, args: str) -> None:
        count = int(args) if args.isdigit() else 1
        if end in "AF":
            self._up(max(count, 1))
        elif end in "BE":
            self._at, self._fresh = min(self._at + max(count, 1), len(self._rows) - 1), True
        elif end == "G":
            self._fresh = True
        elif self._fresh or (end == "K" and args in ("1", "2")):
            self._erase(below=end == "J")

    def _up(self, count: int) -> None:
        self._reach = max(self._reach, count)
        self._redraw = max(self._redraw, count)
        self._at, self._fresh = max(0, self._at - count), True

    def _erase(self, *, below: bool) -> None:
        row = self._rows[self._at]
        row.text, row.drawn = "", row.drawn or 1
        if below:
            del self._rows[self._at + 1 :]

    def _settle(self, count: int) -> None:
        """The first *count* rows stay as they are."""
        if count > 0:
            self._settled += [f"{self._ink.line(_stripped(row))}\n" for row in self._rows[:count]]
            del self._rows[:count]
            self._at -= count

    def _taken(self) -> str:
        settled, self._settled = self._settled, []
        return "".join(settled)


class Asis:
    """A terminal draws its bars itself."""

    def feed(self, text: str) -> str:
        return text

    def open(self, text: str = "") -> str:
        return unfinished(text)

    def rest(self) -> str:
        return ""


def _tokens(text: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Yield pieces of plain text, each with the control that follows it."""
    start = 0
    for match in _CONTROL.finditer(text):
        yield text[start : match.start()], match
        start = match.end()
    yield text[start:], None


def _tokens_after(text: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Yield pieces of plain text, each with the control before it."""
    before: re.Match[str] | None = None
    for written, match in _tokens(text):
        yield written, before
        before = match


def _stripped(row: Row) -> str:
    """Bars are padded with blanks to wipe out what stood there."""
    return row.text.rstrip() if row.drawn else row.text
