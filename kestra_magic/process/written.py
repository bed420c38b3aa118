"""What a command writes, on its way to the log and to those who listen. Standard library only."""

from __future__ import annotations

from time import time

from kestra_magic.process.lines import Lines, Mask
from kestra_magic.process.recorder import Recorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from kestra_magic.process.lines import Piece

__all__ = ["Written"]

STREAMS = (1, 2)


class Written:
    """Masked, cut into lines, markers lifted, and written down.

    Raises:
        OSError: the log cannot be written.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        hidden = [form.encode("latin-1") for form in request["hidden"]]
        self._masks = {number: Mask(hidden) for number in STREAMS}
        self._lines = {number: Lines(lift=request["lift"]) for number in STREAMS}
        self._sizes = dict.fromkeys(STREAMS, 0)
        self.log = Recorder(request["log_dir"], request["log_cap"])

    def feed(self, data: bytes, number: int) -> None:
        self._record(self._lines[number].feed(*self._masks[number].feed(data)), number)

    def rest(self, number: int) -> None:
        """The stream has ended."""
        lines = self._lines[number]
        self._record(lines.feed(*self._masks[number].rest()), number)
        self._record(lines.rest(), number)

    def _record(self, pieces: Iterable[Piece], number: int) -> None:
        for data, lifted in pieces:
            if lifted:
                self.log.lift(data, number)
            else:
                self.log.write(data, number)
                self._sizes[number] += len(data)

    @property
    def total(self) -> int:
        """Lines so far."""
        return sum(lines.total for lines in self._lines.values())

    def notice(self) -> dict[str, Any]:
        """Return how far the log may be read, and what cannot be read in it."""
        self.log.commit()
        return {
            "notice": time(),
            "log": self.log.size,
            "frames": self.log.frames,
            "lines": [self._lines[n].total for n in STREAMS],
            "sizes": [self._sizes[n] for n in STREAMS],
            "open": [self._lines[n].open.decode("latin-1") for n in STREAMS],
        }

    def small(self) -> dict[str, Any]:
        """Return all that was written, where that is little: whoever hears it need not read it."""
        if self.log.small is None or self.log.error:
            return {}
        return {"text": [(*at, data.decode("latin-1")) for *at, data in self.log.small]}

    def figures(self) -> dict[str, Any]:
        """Return fields of an `Exited` event."""
        return {
            "stdout_lines": self._lines[1].total,
            "stderr_lines": self._lines[2].total,
            "log_bytes": self.log.size,
            "lost_bytes": self.log.lost,
        }
