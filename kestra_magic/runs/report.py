"""What was measured of a run: when each attempt of each task ran, and the most that its processes used."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kestra_magic.runs.progress import Attempt, TaskRun
    from kestra_magic.runs.run import Run

__all__ = ["Report", "Span", "report"]

WIDE = 40


@dataclass(frozen=True, slots=True)
class Span:
    """One attempt of one task, or a task that has no process.

    Attributes:
        begins, seconds: from the beginning of the run, and how long; of what still runs, until now.
        used: the most of its tree of processes: ``cpu_seconds``, ``rss_bytes``, ``read_bytes``, ``write_bytes`` …
    """

    task: str
    attempt: int
    state: str
    begins: float
    seconds: float
    used: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Report:
    """All that was measured of a run; none of it is in what a notebook saves, unless this is shown there."""

    name: str
    state: str
    seconds: float
    spans: tuple[Span, ...]

    def table(self) -> list[dict[str, Any]]:
        """Return a row for each attempt, for a DataFrame."""
        names = ("task", "attempt", "state", "begins", "seconds")
        return [{name: getattr(span, name) for name in names} | dict(span.used) for span in self.spans]

    def place(self, span: Span) -> tuple[float, float]:
        """Return where in the run's time *span* begins and how long it is, as parts of 1."""
        whole = max(self.seconds, *(s.begins + s.seconds for s in self.spans), 1e-9)
        return span.begins / whole, span.seconds / whole

    def __repr__(self) -> str:
        named = max((len(span.task) for span in self.spans), default=0)
        return "\n".join(
            [f"{self.name}: {self.state} after {self.seconds:.2f} s", *(self._line(s, named) for s in self.spans)]
        )

    def _line(self, span: Span, named: int) -> str:
        begins, long = self.place(span)
        bar = " " * round(begins * (WIDE - 1)) + "█" * max(1, round(long * WIDE))
        again = f" (attempt {span.attempt})" if span.attempt > 1 else ""
        return f"{span.task:{named}} │{bar[:WIDE]:{WIDE}}│ {span.seconds:.2f} s {span.state}{again}"


def report(run: Run) -> Report:
    progress = run.progress
    start, end = progress.started or 0.0, progress.ended or time.time()
    spans = [span for task in progress.task_runs.values() for span in _spans(run, task, start, end)]
    return Report(run.name, progress.state.value, end - start if start else 0.0, tuple(spans))


def _spans(run: Run, task: TaskRun, start: float, end: float) -> Iterator[Span]:
    """A task without a process has no attempt that began; one that was not timed is left out."""
    result = run.context.live.get(task.id)
    used = {metric.name: float(metric.value) for metric in result.peaks.entries} if result else {}
    name = f"{task.task_id} {task.value}" if task.value is not None else task.task_id or task.id
    tried: list[Attempt] = [attempt for attempt in task.attempts if attempt.started is not None]
    for attempt in tried:
        began = attempt.started or 0.0
        last = used if attempt is tried[-1] else {}
        yield Span(name, attempt.number, attempt.state.value, began - start, (attempt.ended or end) - began, last)
    if not tried and task.started:
        ended = (task.ended or end) - task.started
        yield Span(name, 1, task.state.value, task.started - start, ended, used)
