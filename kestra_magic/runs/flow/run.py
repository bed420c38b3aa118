"""An execution of a flow as the notebook holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from kestra_magic.runs.flow.execution import value_of
from kestra_magic.runs.progress import State
from kestra_magic.runs.run import Run
from kestra_magic.workspace.outputs import OutputFiles

if TYPE_CHECKING:
    from kestra_magic.runs.result import TaskResult

__all__ = ["FlowRun", "LogEntry"]


class LogEntry(NamedTuple):
    """One line of an execution's log. *task* is empty for what the execution itself says."""

    task: str
    level: str
    message: str
    at: float


class FlowRun(Run):
    """A run of many tasks."""

    @property
    def tasks(self) -> Mapping[str, TaskResult]:
        """What each task left, by its id: the last of many runs in a loop."""
        return {result.task_id: result for result in self.context.live.values()}

    @property
    def outputs(self) -> dict[str, Any]:
        """``outputs[task]`` as expressions see it."""
        return self.context.outputs

    @property
    def flow_outputs(self) -> dict[str, Any]:
        """What the flow itself gives: its ``outputs``."""
        return self.context.flow_outputs

    @property
    def executions(self) -> dict[str, State]:
        """The state of each execution by its id: several where a retry creates new ones."""
        return dict(self.context.executions) or {self.id: self.state}

    @property
    def labels(self) -> dict[str, Any]:
        return self.context.labels

    @property
    def files(self) -> OutputFiles:
        """By name, and by ``task/name`` where two tasks made the same one."""
        results = list(self.context.live.values())
        names = [name for result in results for name in result.files]
        found = {}
        for result in results:
            for name, file in result.files.items():
                below = "/".join(filter(None, (result.task_id, result.value, name)))
                found[name if names.count(name) == 1 else below] = file
        return OutputFiles(found)

    @property
    def logs(self) -> list[LogEntry]:
        """Everything that was said, by time: stdout is INFO, stderr is ERROR, as on a server."""
        said = [LogEntry("", entry.level, entry.message, entry.at) for entry in self.context.entries]
        for result in [*self.context.live.values()]:
            said += [LogEntry(result.task_id, entry.level, entry.message, entry.at) for entry in result.entries]
            levels = {"stdout": "INFO", "stderr": "ERROR", "": "WARN"}
            lines = result.log.file.lines() if result.log.file else []
            said += [LogEntry(result.task_id, levels[line.stream], line.text, line.at) for line in lines]
        return sorted(said, key=lambda entry: entry.at)

    def resume(self, **inputs: Any) -> FlowRun:
        """Let what is paused go on.

        Args:
            inputs: those of ``onResume``.

        Raises:
            KestraMagicError: nothing is paused, or the inputs do not fit.
        """
        self.context.pauses.resume(inputs)
        return self

    @property
    def waits(self) -> bool:
        """Whether it waits for a person, and nothing else goes on: `resume` lets it."""
        return self.context.pauses.waiting and self.state is State.PAUSED

    def wait(self, timeout: float | None = None) -> Self:
        """Return when it has ended or waits for a person, or after *timeout* seconds.

        Raises:
            TimeoutError: it has not ended by then.
        """
        if timeout is not None:
            return super().wait(timeout)
        seat = self.context.broadcast.sit()
        if not self.waits:
            next((told for told in seat if self.waits), None)
        return self

    def check(self) -> Self:
        return self if self.waits else super().check()

    def wait_on(self) -> None:
        self.context.broadcast.closed.wait()

    def rendered_value(self, written: Any) -> Any:
        """Return what an expression gives, as this execution sees it."""
        return value_of(written, self.context)

    def __repr__(self) -> str:
        return f"Run({self.name!r}, {self.state.value}, {len(self.tasks)} task{'s' if len(self.tasks) != 1 else ''})"
