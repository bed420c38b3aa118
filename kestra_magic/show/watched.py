"""What the console knows of a run: one view of it that lives as long as the notebook's."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.runs.failure.explain import excerpt
from kestra_magic.runs.masking import forms, painted
from kestra_magic.show.ansi import plain
from kestra_magic.show.flowlog import FlowLog
from kestra_magic.workspace.globs import path_matcher

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from kestra_magic.process.gpu import Gpus, GpuUse
    from kestra_magic.process.logs import LogFile
    from kestra_magic.runs.history import Row
    from kestra_magic.runs.run import Run
    from kestra_magic.workspace.globs import Matches

__all__ = ["Earlier", "WatchedRun"]

PAGE = 10_000

Earlier = tuple[str, "Mapping[str, float]"]
"""A run of the same name, as a person calls it, and the last value of each of its metrics."""


@lru_cache(64)
def _matchers(globs: tuple[str, ...]) -> tuple[Matches, ...]:
    return tuple(path_matcher(glob) for glob in globs)


class WatchedRun:
    """A `Run` as the console sees it. Everything may be asked while it lives, from any thread.

    Args:
        before: finds the runs of the same name, oldest first; asked once.

    Attributes:
        variable: the notebook's name of the run; code that is offered uses it.
        flow: whether it is an execution of many tasks.
    """

    def __init__(self, run: Run, before: Callable[[], Sequence[Row]] = tuple) -> None:
        self._run = run
        self._before = before
        self.name = run.name
        self.variable = run.name.replace("-", "_")
        self.flow = not run.context.cell
        self._flow_log = FlowLog(self._logs) if self.flow else None

    @property
    def log(self) -> LogFile | FlowLog | None:
        return self._flow_log or self._run.log.file

    @property
    def log_path(self) -> Path | None:
        """As one file; of a flow it is put together when someone asks for it."""
        if self._flow_log is None:
            return self._run.log.path
        path = self._run.folder / "_run" / "flow.log"
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            for first in range(0, self._flow_log.count, PAGE):
                file.writelines(f"{plain(line.text)}\n" for line in self._flow_log.lines(first, PAGE))
        return path

    def _logs(self) -> list[tuple[str, LogFile]]:
        results = list(self._run.context.live.values())
        return [(f"{r.task_id} {r.value or ''}".rstrip(), r.log_file) for r in results if r.log_file]

    @property
    def root(self) -> Path | None:
        """Where its files are now: the work directory while it lives, the run's folder afterwards."""
        work = Path(self._run.workdir) if self._run.workdir else None
        return work if work and not self._run.ended else self._run.folder

    @property
    def inputs(self) -> Collection[str]:
        """Names of the files that were placed before it started."""
        prepared = self._run.result.prepared
        return {placed.name for placed in prepared.job.inputs if not placed.in_logs} if prepared else ()

    @property
    def started(self) -> float | None:
        """When its process began: what was written later it wrote itself."""
        return self._run.progress.task.attempt.started

    def declared(self, name: str) -> bool:
        prepared = self._run.result.prepared
        matchers = _matchers(prepared.job.outputs) if prepared else ()
        return name in self._run.files or any(matches(f"/{name}") for matches in matchers)

    @property
    def beside(self) -> Path:
        """The notebook's folder."""
        return self._run.context.beside

    @property
    def vars(self) -> Mapping[str, Any]:
        shown: dict[str, Any] = painted(dict(self._run.vars), forms(self._run.context.masked_values()))
        return shown

    @property
    def metrics(self) -> Sequence[Mapping[str, Any]]:
        """Every entry in the order it came."""
        return [
            {"name": m.name, "type": m.type, "value": m.value, "tags": dict(m.tags), "at": m.at}
            for m in self._run.metrics.entries
        ]

    @property
    def earlier(self) -> Sequence[Earlier]:
        return [(row.run, row.metrics) for row in self._rows]

    @property
    def rendered(self) -> str:
        return self._run.rendered

    @property
    def usual_seconds(self) -> float | None:
        spent = sorted(row.duration for row in self._rows if row.ok)
        return spent[len(spent) // 2] if spent else None

    @cached_property
    def _rows(self) -> Sequence[Row]:
        return self._before()

    @property
    def error(self) -> str:
        return self._run.error

    @property
    def hint(self) -> str:
        return self._run.hint

    @property
    def trace(self) -> str:
        """The lines that tell the last error, places said as lines of the cell."""
        run = self._run
        return plain(excerpt(run.result, run.context)) if run.ended and not run.ok else ""

    @property
    def gpus(self) -> Gpus | None:
        """Those that it was given."""
        return self._run.context.gpus

    @property
    def gpu_use(self) -> GpuUse | None:
        """What it was last seen to use of them, or of any."""
        return self._run.result.gpu_use

    @property
    def made(self) -> int:
        """Output files, once they are collected."""
        return len(self._run.files)

    def render(self, expression: str) -> str:
        """Evaluate *expression* as a task of this run would.

        Raises:
            KestraMagicError: it cannot be.
        """
        from kestra_magic.expressions.render import render
        from kestra_magic.expressions.scope import Scope

        context = self._run.context
        roots = {
            **context.flow_roots(),
            "outputs": {**context.outputs, self.name: self._run.outputs or {"vars": self.vars}},
        }
        return str(render(expression, Scope(roots, context.notebook), context.host))
