"""What a running task says to Kestra while it writes: markers become outputs, metrics and log entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kestra_magic.runs.task.markers import InvalidMarker, almost, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from kestra_magic.process.events import Output
    from kestra_magic.runs.result import TaskResult
    from kestra_magic.runs.task.markers import Marker

__all__ = ["Listener"]


class Listener:
    """Hears every Output of one attempt; what it says itself goes to *say*: level, message, and where in the log."""

    def __init__(self, result: TaskResult, say: Callable[[str, str, int], None]) -> None:
        self.result = result
        self.say = say

    def hear(self, output: Output) -> None:
        if output.kind == "frame":
            self._frame(output)
        elif output.kind == "lines" and "::" in output.text:
            self._lines(output)

    def _frame(self, output: Output) -> None:
        try:
            marker = parse(output.text.rstrip("\r\n"), at=output.at)
        except InvalidMarker as error:
            return self._entry("WARN", f"Invalid outputs '{error}'", output)
        if marker is None:
            return self._entry("INFO", output.text.rstrip("\r\n"), output)
        return self._apply(marker, output)

    def _apply(self, marker: Marker, output: Output) -> None:
        """All or nothing, and shallow: the last value of a key wins."""
        self.result.vars = {**self.result.vars, **marker.outputs}
        self.result.measured.extend(marker.metrics)
        if marker.assets:
            self.result.assets.append(marker.assets)
        for level, message in marker.logs:
            self._entry(level, message, output)

    def _lines(self, output: Output) -> None:
        for line in output.text.splitlines():
            if why := almost(line):
                shown = line if len(line) <= 80 else f"{line[:77]}…"
                self.say("WARN", f"`{shown}` is not read as an output for Kestra: {why}", output.offset)

    def _entry(self, level: str, message: str, output: Output) -> None:
        self.say(level, message, output.offset)
