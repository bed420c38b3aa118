"""Bytes of one stream on their way to the log: secrets painted over, cut into whole lines, markers lifted out.

A line ends with ``\\n``, ``\\r`` or ``\\r\\n``, as for Java's ``BufferedReader`` that Kestra reads with. The guardian
imports this file: standard library only, and little of it.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["LINE_END", "Lines", "Mask", "Piece", "count_lines"]

LINE_END = re.compile(rb"\r\n|\r|\n")
SPILL = 1 << 20
"""Bytes of an unfinished line that are held; what is longer goes to the log in pieces …"""
LONGEST_MARKER = 64 << 20
"""… unless it begins like a marker: those are read whole."""
SHOWN = 64 << 10
_STARS = bytes(byte if byte in b"\r\n" else 0x2A for byte in range(256))

Piece = tuple[bytes, bool]
"""Bytes, and whether they are a lifted marker."""


def count_lines(data: bytes) -> int:
    ends = data.count(b"\n")
    if b"\r" in data:
        ends += data.count(b"\r") - data.count(b"\r\n")
    return ends


class Mask:
    """Paints over byte strings that must not be seen, also when they come in pieces. Lengths stay as they are.

    What could be the beginning of one is held back until it is certain.
    """

    def __init__(self, hidden: Iterable[bytes]) -> None:
        self._hidden = sorted({h for h in hidden if h}, key=len, reverse=True)
        self._inner = frozenset(byte for h in self._hidden for byte in h[:-1])
        self._raw = self._shown = b""

    def feed(self, chunk: bytes) -> tuple[bytes, bytes]:
        """Return what is certain by now: as it was written, and as it may be seen."""
        if not self._hidden:
            return chunk, chunk
        raw = self._raw + chunk
        shown = self._painted(raw, self._shown + chunk)
        cut = self._beginning(raw)
        self._raw, self._shown = raw[cut:], shown[cut:]
        return raw[:cut], shown[:cut]

    def rest(self) -> tuple[bytes, bytes]:
        """The stream has ended: half a secret is one too."""
        raw, shown = self._raw, self._shown
        self._raw = self._shown = b""
        if any(h.startswith(raw) and 2 * len(raw) >= len(h) for h in self._hidden):
            shown = raw.translate(_STARS)
        return raw, shown

    def _painted(self, raw: bytes, shown: bytes) -> bytes:
        if not any(h in raw for h in self._hidden):
            return shown
        paint = bytearray(shown)
        for h in self._hidden:
            at = raw.find(h)
            while at >= 0:
                paint[at : at + len(h)] = h.translate(_STARS)
                at = raw.find(h, at + 1)
        return bytes(paint)

    def _beginning(self, raw: bytes) -> int:
        """Return where the first hidden string begins that *raw* ends in the middle of."""
        cut = len(raw)
        if not raw or raw[-1] not in self._inner:
            return cut
        for h in self._hidden:
            at = raw.find(h[:1], max(0, len(raw) - len(h) + 1))
            while at >= 0 and not h.startswith(raw[at:]):
                at = raw.find(h[:1], at + 1)
            cut = min(cut, at) if at >= 0 else cut
        return cut


class Lines:
    """Cuts one stream into whole lines and lifts markers: lines that start with ``::{`` and end with ``}::``.

    Attributes:
        total: lines so far, lifted ones included.
    """

    def __init__(self, *, lift: bool) -> None:
        self.total = 0
        self._lift = lift
        self._raw: list[bytes] = []
        self._shown: list[bytes] = []
        self._held = 0
        self._start = b""
        self._spilled = False

    def feed(self, raw: bytes, shown: bytes) -> Iterator[Piece]:
        """Take new bytes, as they were written and as they may be seen; yield what became whole by them."""
        raw, shown = self._with_return(raw, shown)
        # The very last \r may be half of \r\n.
        end = max(raw.rfind(b"\n"), raw.rfind(b"\r", 0, max(0, len(raw) - 1))) + 1
        if end:
            yield from self._cut(*self._taken(raw[:end], shown[:end]))
        self._hold(raw[end:], shown[end:])
        if self._held > (LONGEST_MARKER if self._may_be_marker else SPILL):
            yield from self._spill()

    def rest(self) -> Iterator[Piece]:
        """The stream has ended: what is left is its last line."""
        unfinished, lifted = self._spilled, False
        raw, shown = self._taken(b"", b"")
        for data, lifted in self._cut(raw, shown):
            yield data, lifted
        if (raw or unfinished) and not raw.endswith((b"\r", b"\n")) and not lifted:
            self.total += 1

    @property
    def open(self) -> bytes:
        """The unfinished line as it may be seen now; empty while it could be a marker, or if it is too long."""
        if self._spilled or (self._may_be_marker and self._held):
            return b""
        return b"".join(self._shown)[:SHOWN].rstrip(b"\r")

    @property
    def _may_be_marker(self) -> bool:
        return self._lift and not self._spilled and b"::{".startswith(self._start[:3])

    def _with_return(self, raw: bytes, shown: bytes) -> tuple[bytes, bytes]:
        """Take a held last \\r back: what follows decides what it was."""
        if raw and self._raw and self._raw[-1].endswith(b"\r"):
            self._raw[-1], self._shown[-1] = self._raw[-1][:-1], self._shown[-1][:-1]
            self._held -= 1
            return b"\r" + raw, b"\r" + shown
        return raw, shown

    def _hold(self, raw: bytes, shown: bytes) -> None:
        if raw:
            self._raw.append(raw)
            self._shown.append(shown)
            self._held += len(raw)
            self._start += raw[: 3 - len(self._start)] if len(self._start) < 3 else b""

    def _taken(self, raw: bytes, shown: bytes) -> tuple[bytes, bytes]:
        whole = b"".join((*self._raw, raw)), b"".join((*self._shown, shown))
        self._raw, self._shown, self._held, self._start = [], [], 0, b""
        return whole

    def _spill(self) -> Iterator[Piece]:
        raw, shown = self._taken(b"", b"")
        kept = len(raw) - raw.endswith(b"\r")
        self._spilled = True
        yield shown[:kept], False
        self._hold(raw[kept:], shown[kept:])

    def _cut(self, raw: bytes, shown: bytes) -> Iterator[Piece]:
        told = 0
        for start, end in self._markers(raw):
            if start > told:
                yield self._text(shown[told:start])
            self.total += 1
            yield raw[start:end], True
            told = end
        self._spilled = self._spilled and not raw
        if told < len(raw):
            yield self._text(shown[told:])

    def _text(self, data: bytes) -> Piece:
        self.total += count_lines(data)
        return data, False

    def _markers(self, raw: bytes) -> Iterator[tuple[int, int]]:
        at = raw.find(b"::{") if self._lift else -1
        while at >= 0:
            found = LINE_END.search(raw, at)
            end = found.end() if found else len(raw)
            if self._starts_line(raw, at) and raw[at:end].rstrip(b"\r\n").endswith(b"}::"):
                yield at, end
            at = raw.find(b"::{", end)

    def _starts_line(self, raw: bytes, at: int) -> bool:
        return raw[at - 1] in b"\r\n" if at else not self._spilled
