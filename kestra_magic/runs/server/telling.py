"""A server's execution, told as if it ran here: the same events, results, logs and files."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kestra_magic.process.events import Exited, Killing, Output, Queued, Started
from kestra_magic.process.logs import LogFile
from kestra_magic.process.recorder import INDEX, LOG, STREAMS, Recorder
from kestra_magic.runs.outcomes import put
from kestra_magic.runs.progress import Declared, Logged, Settled, State
from kestra_magic.runs.result import Entry, TaskResult
from kestra_magic.runs.task.markers import Metric
from kestra_magic.settings import current
from kestra_magic.workspace.directory import OWN
from kestra_magic.workspace.outputs import OutputFile, OutputFiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kestra_magic.process.events import Reason, Stream
    from kestra_magic.runners.kestra.executions import Execution
    from kestra_magic.runs.context import Context

__all__ = ["TaskTeller", "is_of_process", "seconds", "state_of"]

SCRIPTS = "io.kestra.plugin.scripts."
KEPT_THERE_BYTES = 1 << 30
"""A file larger than this is not fetched: it stays on the server."""

_JAVA = re.compile(r"^[\w.$]+(?:Exception|Error): ")
_TIMER_SECONDS = 1e-3


def seconds(text: str | None) -> float:
    """Return a server's time as seconds since the epoch; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def state_of(told: Mapping[str, Any]) -> State:
    """Return a state in our words: a server has a few more on the way (SUBMITTED, BREAKPOINT)."""
    name = str(told["state"]["current"])
    return State(name) if name in State.__members__ else State.QUEUED if name == "SUBMITTED" else State.RUNNING


def is_of_process(entry: Mapping[str, Any]) -> bool:
    """Whether a process wrote it: Kestra reads streams on threads of their own, and speaks itself on its worker's."""
    return entry.get("level") in ("INFO", "ERROR") and not str(entry.get("thread") or "worker").startswith("worker")


class TaskTeller:
    """One task run of a server's execution."""

    def __init__(self, context: Context, execution: Execution, told: Mapping[str, Any], type_: str) -> None:
        self.context = context
        self.execution = execution
        self.value: str | None = told.get("value")
        self.result = TaskResult(str(told["id"]), str(told["taskId"]), value=self.value)
        self._settled: tuple[State, int] | None = None
        self._failed = 0
        self._script = type_.startswith(SCRIPTS)
        self.reason: Reason = ""
        self._lines: Counter[str] = Counter()
        self._histories: dict[int, int] = {}
        self._over = 0
        folder = context.folder.path / OWN / f"{self.result.id}-1"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._recorder = Recorder(str(folder), current().log_cap_bytes)
        self.result.log_file = self.log = LogFile(folder)
        context.live[self.result.id] = self.result
        context.emit(
            Declared(
                task_run=self.result.id,
                task_id=self.result.task_id,
                type=type_,
                value=self.value,
                parent=str(told.get("parentTaskRunId") or ""),
                at=seconds(told["state"].get("startDate")),
            )
        )

    # States

    def see(self, told: Mapping[str, Any], *, over: bool) -> None:
        """Tell what is new in a task run as the server shows it now; *over*: it is the last time."""
        attempts = told.get("attempts") or ()
        for number, attempt in enumerate(attempts, 1):
            histories = attempt["state"]["histories"]
            for history in histories[self._histories.get(number, 0) :]:
                self._step(number, history["state"], seconds(history["date"]))
            self._histories[number] = len(histories)
        for number in range(self._over + 1, len(attempts)):  # the last one is told with the outputs
            self._over = number
            at = seconds(attempts[number - 1]["state"].get("endDate"))
            self.context.emit(Exited(code=1, task_run=self.result.id, attempt=number, at=at))
        state = state_of(told)
        if state.ended and (state, len(attempts)) != self._settled and (over or self._stays(state, len(attempts))):
            self._settled = (state, len(attempts))
            self._settle(told, state)

    def _stays(self, state: State, attempts: int) -> bool:
        """A failure is shown for a moment before the retry that follows it: what is still failed later has failed."""
        before, self._failed = self._failed, attempts if state is State.FAILED else 0
        return state is not State.FAILED or before == attempts

    def _step(self, number: int, state: str, at: float) -> None:
        who: dict[str, Any] = {"task_run": self.result.id, "attempt": number, "at": at}
        if state == "CREATED":
            self.context.emit(Queued(**who))
        elif state == "RUNNING":
            self.context.emit(Started(pid=0, **who))
        elif state == "KILLING":
            self.context.emit(Killing(reason=self.reason or "stop", **who))

    def _settle(self, told: Mapping[str, Any], state: State) -> None:
        result = self.result
        result.error, result.exit = "", None
        result.outputs = outputs = self.execution.outputs(told)
        result.vars = dict(outputs.get("vars") or {})
        code = outputs.get("exitCode")
        attempts = told.get("attempts") or ()
        if attempts and (code is not None or (self._script and state in (State.FAILED, State.KILLED))):
            reason: Reason = (self.reason or "stop") if state is State.KILLED else ""
            result.exit = Exited(
                code=int(code) if code is not None else -1 if state is State.KILLED else 1,
                reason=reason,
                task_run=result.id,
                attempt=len(attempts),
                at=seconds(attempts[-1]["state"].get("endDate")),
            )
            self.context.emit(result.exit)
        if state is State.FAILED and code:
            result.error = f"Command failed with exit code {code}"
        elif state is State.KILLED:
            result.error = f"killed ({self.reason or 'stop'})"
        self._put(outputs)
        self._tell(state, seconds(told["state"].get("endDate")))

    def _tell(self, state: State, at: float) -> None:
        result = self.result
        self.context.emit(
            Settled(task_run=result.id, state=state, error=result.error, outputs=result.outputs or {}, at=at)
        )

    def _put(self, outputs: dict[str, Any]) -> None:
        """Let expressions see them: ``outputs.task``, or ``outputs.task.value`` in a loop."""
        put(self.context.outputs, (self.result.task_id, *(() if self.value is None else (self.value,))), outputs)

    # Lines

    def hear(self, entry: Mapping[str, Any]) -> None:
        """Tell a log entry: a line of the process, or a word of Kestra's own."""
        at, message, level = seconds(entry.get("timestamp")), str(entry["message"]), str(entry["level"])
        if is_of_process(entry):
            self._line(
                message, "stderr" if level == "ERROR" else "stdout", int(entry.get("attemptNumber") or 0) + 1, at
            )
            return
        self.result.entries.append(Entry(level, message, at, self._recorder.size))
        if level not in ("TRACE", "DEBUG") and not _JAVA.match(message):
            self.context.emit(Logged(task_run=self.result.id, level=level, message=message, at=at))

    def order(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Write the log anew where lines were told later than they were said: what a stream had missed."""
        folder = self.log.folder
        if self.log.text() == "".join(f"{entry['message']}\n" for entry in entries):
            return
        self._recorder.close()
        for file in (*folder.glob(f"{LOG}*"), *folder.glob(f"{INDEX}*")):
            file.unlink()
        self._recorder = Recorder(str(folder), current().log_cap_bytes)
        for entry in entries:
            self._recorder.write(f"{entry['message']}\n".encode(), STREAMS.index(_stream(entry)))
        self.result.log_file = self.log = LogFile(folder)

    def _line(self, message: str, stream: Stream, attempt: int, at: float) -> None:
        data = f"{message}\n".encode()
        offset = self._recorder.size
        self._recorder.write(data, STREAMS.index(stream))
        self._lines[stream] += 1
        self.context.emit(
            Output(
                task_run=self.result.id,
                attempt=attempt,
                at=at,
                stream=stream,
                text=f"{message}\n",
                lines=1,
                offset=offset,
                size=len(data),
            )
        )

    # At the end

    def finish(self, told: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> None:
        """Take in what is known only now: files, metrics, and why it failed where no exit code says so."""
        result = self.result
        self._recorder.close()
        if result.exit is not None:
            lines = self._lines
            result.exit = replace(result.exit, stdout_lines=lines["stdout"], stderr_lines=lines["stderr"])
        result.measured = [_metric(metric) for metric in metrics if metric.get("taskRunId") == result.id]
        result.files = OutputFiles(self._files())
        if state_of(told) is State.FAILED and not result.error:
            said = [entry.message for entry in result.entries if entry.level == "ERROR"]
            result.error = (
                _JAVA.sub("", said[-1]).partition("\n")[0] if said else "it failed, and the server says not why"
            )
            self._tell(State.FAILED, seconds(told["state"].get("endDate")))

    def _files(self) -> dict[str, OutputFile]:
        found = (self.result.outputs or {}).get("outputFiles") or {}
        return {name: self._file(name, str(uri)) for name, uri in sorted(found.items())}

    def _file(self, name: str, uri: str) -> OutputFile:
        size = self.execution.size(uri)
        folder = self.context.folder
        if size > KEPT_THERE_BYTES:
            said = f"`{name}` ({size:,} bytes) stays on the server: {self.execution.link}"
            self.context.emit(Logged(task_run=self.result.id, level="WARN", message=said))
            return OutputFile(name, folder.path / name, uri, size)
        partly = folder.path / OWN / f"{self.result.id}-1" / "fetched.part"
        with partly.open("wb") as into:
            self.execution.save(uri, into)
        below = name if self.context.cell else "/".join(filter(None, (self.result.task_id, self.value, name)))
        return OutputFile(name, folder.adopt(partly, below), uri)


def _stream(entry: Mapping[str, Any]) -> Stream:
    return "stderr" if entry["level"] == "ERROR" else "stdout"


def _metric(told: Mapping[str, Any]) -> Metric:
    """Source: Kestra's ``MetricEntry``: a timer is told in milliseconds."""
    kind = str(told["type"])
    value = float(told["value"]) * (_TIMER_SECONDS if kind == "timer" else 1)
    tags = tuple(sorted((told.get("tags") or {}).items()))
    return Metric(kind, str(told["name"]), value, tags, seconds(told.get("timestamp")))  # type: ignore[arg-type]
