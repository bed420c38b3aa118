"""One stream of one task run on its way into the cell: folded, and cut where a browser has seen enough."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from kestra_magic.process.events import Output
    from kestra_magic.show.fold import Folding

__all__ = ["Budget", "Channel"]

TAIL_BYTES = 64 * 1024
_RAW_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(slots=True)
class Budget:
    """What a stream of the cell may still show."""

    lines: int
    bytes: int

    @property
    def spent(self) -> bool:
        return self.lines <= 0 or self.bytes <= 0

    def take(self, text: str) -> str:
        """Return as much of *text*, whole lines but for the last, as it allows."""
        if text.count("\n") > self.lines:
            text = "".join(_LINE.findall(text)[: self.lines])
        raw = text.encode()
        if len(raw) > self.bytes:
            text = raw[: self.bytes].decode(errors="ignore")
        self.lines -= text.count("\n")
        self.bytes -= len(raw)
        return text


class Channel:
    """Hears the outputs of one stream; returns what is to be written.

    Attributes:
        shown: the part of its unfinished line that stands in the cell.
        skipped: lines of the log that the cell does not show.
    """

    def __init__(self, fold: Callable[[], Folding], budget: Budget, prefix: str = "") -> None:
        self._new_fold = fold
        self._fold = fold()
        self._budget = budget
        self._prefix = prefix
        self._heard = False
        self._closed = False
        self.shown = ""
        self.skipped = 0

    def hear(self, output: Output) -> str:
        if output.kind == "open":
            return self._open(output.text)
        if output.kind == "frame":
            return ""
        if not output.text:
            return self._untold(output.lines)
        self._heard = True
        return "".join(map(self._line, _RAW_LINE.findall(output.text))) + self._open()

    def rest(self) -> str:
        """Return what was held; the stream has ended."""
        return self._settled(self._fold.rest())

    def tail(self, read: Callable[[int], str], lines: int) -> str:
        """Return what tells the cut and at most *lines* that *read* returns from the log; nothing if all was shown."""
        if not self._heard or not self.skipped:
            return ""
        count = min(lines, self.skipped)
        missing = self.skipped - count
        told = f"… {missing:,} line{'s' if missing != 1 else ''} not shown (run.log) …\n" if missing else ""
        fold = self._new_fold()
        return self._labelled(told + _last(fold.feed(read(count)) + fold.rest()))

    def _line(self, line: str) -> str:
        """Take one line of the log."""
        if self._closed:
            self.skipped += 1
            return ""
        text = self._settled(self._fold.feed(line))
        if self._budget.spent:
            text += self._close()
        return text

    def _untold(self, lines: int) -> str:
        """They come without their text: more than the guardian sends, or, all of them, below the task's log level."""
        text = self.rest() + self._close() if self._heard and not self._closed else ""
        self.skipped += lines
        return text

    def _close(self) -> str:
        self._closed = True
        unfinished, self.shown = self.shown, ""
        return "\n" if unfinished else ""

    def _settled(self, text: str) -> str:
        if not text:
            return ""
        new = self._after_shown(self._labelled(text))
        taken = self._budget.take(new)
        if len(taken) < len(new):
            self.skipped += len(_LINE.findall(new[len(taken) :]))
            return taken if taken.endswith("\n") or not taken else f"{taken}\n"
        return taken

    def _labelled(self, text: str) -> str:
        return _LINE.sub(lambda line: f"{self._prefix}{line[0]}", text) if self._prefix else text

    def _after_shown(self, text: str) -> str:
        shown, self.shown = self.shown, ""
        if text.startswith(shown):
            return text[len(shown) :]
        first, end, more = text.partition("\n")
        return f"\r{first.ljust(len(shown))}{end}{more}"

    def _open(self, text: str = "") -> str:
        """Return what is new of the unfinished line. Lines of several tasks must not mix: theirs wait for their end."""
        now = "" if self._closed or self._prefix else self._fold.open(text)[: self._budget.bytes // 4]
        if not now.startswith(self.shown) or not now:
            return ""
        new, self.shown = now[len(self.shown) :], now
        return new


def _last(text: str) -> str:
    """The end of *text*, in whole lines where there are any."""
    raw = text.encode()
    if len(raw) <= TAIL_BYTES:
        return text
    kept = raw[-TAIL_BYTES:].decode(errors="ignore")
    return kept.partition("\n")[2] or kept
