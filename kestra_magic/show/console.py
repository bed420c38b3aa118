"""The live console of one run: what the page is told, and how often."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from contextvars import copy_context
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kestra_magic.process.events import Output, Usage
from kestra_magic.runs.progress import State
from kestra_magic.show.answers import Answers
from kestra_magic.show.logview import LogView
from kestra_magic.show.notes import Notes
from kestra_magic.show.progressbars import Bar, bar_of
from kestra_magic.show.tasks import tasks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kestra_magic.process.gpu import GpuUse
    from kestra_magic.runs.progress import Happening, Progress
    from kestra_magic.show.fileanswers import Answer
    from kestra_magic.show.watched import WatchedRun

__all__ = ["Console"]

LINES_EVERY = 0.1
STATE_EVERY = 0.5
LINES_AT_ONCE = 400
LOOK_SECONDS = 0.02
HISTORY = 240
MOST_NOTES, NOTE_CHARS = 50, 1000
FIRST_SECONDS = 0.15


class Console:
    """Tells the page at most 10 times a second of lines and twice of all else, from a thread of its own.

    Args:
        run_id: the key in the cell's header, ``data-kestra-run``.
        foreground: whether the cell waits for the run.
        stop: ends the run; called again while it ends, forces it.
    """

    def __init__(self, run_id: str, source: WatchedRun, *, foreground: bool, stop: Callable[[], None]) -> None:
        self.run_id = run_id
        self._source = source
        self._foreground = foreground
        self._stop = stop
        self._log = LogView(lambda: source.log)
        self._answers = Answers(source, self._log, ended=lambda: self._over.is_set())
        self._state: dict[str, Any] = {"phase": State.CREATED.value, "started": None}
        self._bar: Bar | None = None
        self._open_line = ""
        self._notes = Notes(labels=source.flow)
        self._noted: deque[str] = deque(maxlen=MOST_NOTES)
        self._usage: deque[tuple[Usage, GpuUse | None]] = deque(maxlen=HISTORY)
        self._news = threading.Event()
        self._over = threading.Event()
        # With the cell's context: a message of a thread without it raises LookupError on ipykernel 7.0.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._tell,), name="kestra-console", daemon=True
        )
        self._thread.start()

    def show(self, progress: Progress, event: Happening) -> None:
        """Hear of *event*; costs the caller nothing."""
        self._know(progress)
        if isinstance(event, Output):
            self._hear(event)
        elif isinstance(event, Usage):
            self._usage.append((event, self._source.gpu_use))
        elif note := self._notes.of(progress, event):
            self._noted.append(note[1][:NOTE_CHARS])
        self._news.set()

    def finish(self, run: Any) -> None:
        """Tell how it ended; *run* has a ``progress``."""
        self._know(run.progress)
        self._bar, self._open_line = None, ""
        self._over.set()
        self._news.set()

    def _know(self, progress: Progress) -> None:
        attempt = progress.task.attempt
        self._state = {
            "phase": progress.state.value,
            "started": progress.started,
            "ended_at": progress.ended if progress.state.ended else None,
            "exit": attempt.exit.known_code if attempt.exit and not self._source.flow else None,
            "tasks": tasks_of(progress) if self._source.flow else [],
            "attempt": attempt.number,
            "attempts": len(progress.task.attempts),
        }

    def _hear(self, output: Output) -> None:
        if output.kind == "open":
            self._open_line = output.text.rpartition("\r")[2][:2000]
        elif output.kind == "lines":
            self._open_line = ""
        if output.kind != "frame" and output.text:
            last = output.text[-2000:].rstrip("\r\n").splitlines()
            self._bar = (bar_of(last[-1]) if last else None) or (
                self._bar if output.kind == "lines" and len(last) > 1 else None
            )

    # The thread that tells

    def _tell(self) -> None:
        if "anywidget" not in sys.modules:
            self._over.wait(FIRST_SECONDS)  # its import would hold up the first cell, which is often a short one
        widget = self._widget()
        told, due = 0, 0.0
        while not self._over.is_set():
            self._news.wait(STATE_EVERY)
            news = self._news.is_set()
            self._news.clear()
            if news:
                told = self._tell_lines(widget, told)
            if time.monotonic() >= due and (news or self._log.look(LOOK_SECONDS, told)):
                self._tell_state(widget, told)
                due = time.monotonic() + STATE_EVERY
            self._over.wait(LINES_EVERY)
        told = self._tell_lines(widget, told)
        self._tell_state(widget, told)
        while self._log.look(LOOK_SECONDS, told):
            time.sleep(LOOK_SECONDS)  # the next cell runs already
        self._over.wait(STATE_EVERY)
        self._tell_state(widget, told)

    def _widget(self) -> Any:
        from kestra_magic.show.consolewidget import ConsoleWidget  # takes 100 ms, and nobody waits for it here

        self.widget = ConsoleWidget.opened(self.run_id, self._seen(0), self._asked)
        return self.widget

    def _tell_lines(self, widget: Any, told: int) -> int:
        total = self._log.count
        first = max(told, total - LINES_AT_ONCE)
        lines = self._log.page(first, total - first) if total > first else []
        widget.send({"t": "lines", "first": first, "total": total, "lines": lines, "open": self._open_line})
        return total

    def _tell_state(self, widget: Any, lines: int) -> None:
        self._log.look(LOOK_SECONDS, lines)
        widget.state = self._seen(lines)

    def _seen(self, lines: int) -> dict[str, Any]:
        source, over, usage = self._source, self._over.is_set(), list(self._usage)
        return {
            **self._state,
            "ended": over,
            "name": source.name,
            "flow": source.flow,
            "variable": source.variable,
            "now": time.time(),
            "foreground": self._foreground,
            "lines": lines,
            "levels": self._log.levels,
            "stderr": self._log.stderr,
            "drawn_over": self._log.drawn_over,
            "bar": {"fraction": self._bar.fraction, "text": self._bar.text, "remaining": self._bar.remaining}
            if self._bar
            else None,
            "notes": list(self._noted),
            "usual": source.usual_seconds,
            "error": source.error if over else "",
            "hint": source.hint if over else "",
            "trace": source.trace if over else "",
            "files": source.made if over else 0,
            "outputs": len(source.vars),
            "metrics": len({entry["name"] for entry in source.metrics}),
            "gpus": source.gpus.said if source.gpus else "",
            **_gpu_history([gpu for _, gpu in usage], source.gpu_use),
            **_history([tree for tree, _ in usage]),
        }

    def _asked(self, message: Mapping[str, Any]) -> Answer:
        if message.get("t") != "stop":
            return self._answers.to(message)
        self._stop()
        self._state["phase"] = State.KILLING.value if not self._over.is_set() else self._state["phase"]
        self.widget.state = self._seen(self.widget.state.get("lines", 0))
        return {}, []


def _history(usage: list[Usage]) -> dict[str, Any]:
    """Return what was used over time, as columns; processor use in percent of one core."""
    pairs = [(a, b) for a, b in pairwise(usage) if b.at > a.at]
    return {
        "at": [round(b.at, 2) for _, b in pairs],
        "cpu": [round(100 * max(0.0, b.cpu_seconds - a.cpu_seconds) / (b.at - a.at), 1) for a, b in pairs],
        "rss": [b.rss_bytes for _, b in pairs],
        "read": [max(0, round((b.read_bytes - a.read_bytes) / (b.at - a.at))) for a, b in pairs],
        "write": [max(0, round((b.write_bytes - a.write_bytes) / (b.at - a.at))) for a, b in pairs],
        "processes": usage[-1].processes if usage else 0,
    }


def _gpu_history(used: list[GpuUse | None], now: GpuUse | None) -> dict[str, Any]:
    """As many columns as the others have: the first figure of the tree is none over time."""
    if now is None:
        return {}
    seen = [use or now for use in [*used[1:-1], now]] if len(used) > 1 else []
    return {
        "gpu": {"percent": now.percent, "bytes": now.bytes},
        "gpu_percent": [use.percent for use in seen],
        "gpu_bytes": [use.bytes for use in seen],
        "gpu_label": now.label,
    }
