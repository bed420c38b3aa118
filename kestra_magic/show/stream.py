"""A run's lines into its cell: live, and never more than a browser and a notebook file bear."""

from __future__ import annotations

import os
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from kestra_magic.process.events import Exited, Output
from kestra_magic.show.cell import Frontend
from kestra_magic.show.channel import Budget, Channel
from kestra_magic.show.fold import Asis, Fold
from kestra_magic.show.notes import Notes, label_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kestra_magic.process.events import Stream
    from kestra_magic.runs.progress import Happening, Progress
    from kestra_magic.settings import Settings
    from kestra_magic.show.cell import Cell
    from kestra_magic.show.fold import Folding

    Tail = Callable[[str, Stream, int], str]

__all__ = ["LiveStream"]


class LiveStream:
    """A view: hears every event of a run and writes into its cell.

    What is saved depends on what was said, not on when: each stream is cut after the same line, a bar is one line, and
    each line brings its own colours. After too many changes between the streams stderr is held and written at the end,
    because front ends hide what follows fifty outputs.

    Args:
        labels: write its task before each line (a flow of many).
    """

    def __init__(self, cell: Cell, settings: Settings, *, labels: bool = False) -> None:
        self._cell = cell
        self._settings = settings
        self._labels = labels
        self._fold = _folding(cell.frontend, settings)
        self._channels: dict[tuple[str, int, Stream], Channel] = {}
        self._sides = {name: _Side(settings) for name in ("stdout", "stderr")}
        self._last: Stream = "stdout"
        self._changes = 0
        self._notes = Notes(labels=labels)

    def __call__(self, progress: Progress, event: Happening) -> None:
        match event:
            case Output(stream=name):
                self._write(name, self._channel(progress, event).hear(event))
                self._say(name)
            case Exited():
                self._ended(event.task_run, event.attempt)
            case _ if note := self._notes.of(progress, event):
                self._note(*note)

    def finish(self, tail: Tail) -> None:
        """Write what was held back and, of what was cut, the last lines.

        Args:
            tail: returns the last lines of a task run's stream from its log: ``(task_run, stream, lines) -> text``.
        """
        for name in self._order():
            side = self._sides[name]
            self._emit(name, "".join(side.held))
            mine = [(key[0], channel) for key, channel in self._channels.items() if key[2] == name]
            share = self._settings.tail_lines // max(1, sum(bool(channel.skipped) for _, channel in mine))
            for task_run, channel in mine:
                self._emit(name, channel.rest() + channel.tail(partial(tail, task_run, name), share))
            self._emit(name, self._line_end(name) + "".join(side.notes) if side.notes else "")
        if self._cell.frontend is Frontend.TERMINAL:
            self._emit(self._last, self._line_end(self._last))

    # Whose line it is

    def _channel(self, progress: Progress, event: Output) -> Channel:
        key = (event.task_run, event.attempt, event.stream)
        if key not in self._channels:
            prefix = f"{label_of(progress, event.task_run)} | " if self._labels else ""
            self._channels[key] = Channel(self._fold, self._sides[event.stream].budget, prefix)
            if event.attempt > 1:
                self._write(event.stream, self._line_end(event.stream))
        return self._channels[key]

    def _ended(self, task_run: str, attempt: int) -> None:
        for (of, number, name), channel in self._channels.items():
            if (of, number) == (task_run, attempt):
                rest = channel.rest()
                self._write(name, f"{rest}\n" if self._labels and rest and not rest.endswith("\n") else rest)
                self._say(name)

    # What no process wrote

    def _note(self, name: Stream, text: str) -> None:
        self._sides[name].notes.append(f"{text}\n")
        self._say(name)

    def _say(self, name: Stream) -> None:
        """Notes wait for the end of a line, and beyond the cut for the end."""
        side = self._sides[name]
        unfinished = any(channel.shown for key, channel in self._channels.items() if key[2] == name)
        if side.notes and not unfinished and not side.budget.spent:
            said = self._line_end(name) + "".join(side.notes)
            side.notes.clear()
            side.budget.take(said)
            self._write(name, said)

    # Into the cell

    def _write(self, name: Stream, text: str) -> None:
        side = self._sides[name]
        if text and name == "stderr" and (side.held or self._crowded):
            side.held.append(text)
        elif text:
            self._emit(name, text)
        if text:
            side.ends_line = text.endswith("\n")

    def _emit(self, name: Stream, text: str) -> None:
        if text:
            self._changes += name != self._last
            self._last = name
            self._cell.stream(name, text)

    @property
    def _crowded(self) -> bool:
        """Two changes are kept for the end."""
        return self._last != "stderr" and self._changes >= self._settings.stream_switches - 2

    def _line_end(self, name: Stream) -> str:
        return "" if self._sides[name].ends_line else "\n"

    def _order(self) -> tuple[Stream, Stream]:
        last_is_stderr = self._last == "stderr" and not self._sides["stderr"].held
        return ("stderr", "stdout") if last_is_stderr else ("stdout", "stderr")


class _Side:
    """What the two streams of a cell each keep."""

    def __init__(self, settings: Settings) -> None:
        self.budget = Budget(settings.head_lines, settings.head_bytes)
        self.notes: deque[str] = deque(maxlen=settings.tail_lines)
        self.held: list[str] = []
        self.ends_line = True


def _folding(frontend: Frontend, settings: Settings) -> Callable[[], Folding]:
    if not frontend.jupyter:
        return Asis
    quiet = frontend is Frontend.HEADLESS and "NO_COLOR" in os.environ
    color = settings.color == "always" or (settings.color == "auto" and not quiet)
    return partial(Fold, color=color)
