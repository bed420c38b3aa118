"""A run that another kernel began: joined while it lives or once it has ended, or read back from its record."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.events import Exited, Requeued, Started
from kestra_magic.process.logs import LogFile
from kestra_magic.process.recorder import read_status
from kestra_magic.process.sweep import Identity, end_left, gone, lives
from kestra_magic.runs.journal.owner import Owner
from kestra_magic.runs.journal.prepared import read_prepared
from kestra_magic.runs.journal.record import LOST, write_lost
from kestra_magic.runs.progress import Declared, Settled, State
from kestra_magic.runs.result import MEASURED, Entry, TaskResult
from kestra_magic.runs.task.markers import Metric
from kestra_magic.runs.task.processes import ProcessLife
from kestra_magic.workspace.directory import OWN, read_record
from kestra_magic.workspace.outputs import OutputFile, OutputFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kestra_magic.model.tasks import ScriptTask
    from kestra_magic.runners.job import Running
    from kestra_magic.runs.context import Context
    from kestra_magic.runs.journal.journal import Record
    from kestra_magic.runs.progress import Happening

__all__ = ["Found", "Joined", "attempts", "end_rest", "exited", "is_guarded", "read_back", "read_tasks"]

LOOK_SECONDS = 0.1
GUARDIAN_SECONDS = 2.0
"""A guardian that has lost its kernel ends what it watches over and says how that ended, within milliseconds."""
_FIGURES = (
    "code", "reason", "error", "ended", "strays", "stdout_lines", "stderr_lines", "log_bytes", "lost_bytes",
    "cpu_seconds", "rss_bytes", "read_bytes", "write_bytes",
)  # fmt: skip


def attempts(folder: Path) -> list[Path]:
    """Return the log folders of a run's attempts, in their order."""
    own = folder / OWN
    found = [path for path in own.iterdir() if path.is_dir()] if own.is_dir() else []
    return sorted(found, key=lambda path: (path.stat().st_mtime, path.name))


def exited(log_dir: Path) -> dict[str, Any]:
    """Return how the guardian says that it ended; nothing if it did not say so."""
    told = read_status(log_dir)
    return {"at": told["exited"], **{name: told[name] for name in _FIGURES if name in told}} if "exited" in told else {}


def is_guarded(record: Record, told: Mapping[str, Any]) -> bool:
    """Whether the guardian of a detached run lives, as far as anybody can know here."""
    if record.owner.is_foreign() or not told:
        return record.owner.is_foreign()
    return lives(Identity(told["boot"], told["guardian"], told["guardian_start"]))


def end_rest(record: Record) -> int:
    """End what still lives of a run that nobody watches over, and return how many processes that were.

    They are recognised by identity and by marks: a number may be another's by now.
    """
    owner = record.owner
    here = Owner.me()
    if (owner.host, owner.boot) != (here.host, here.boot):
        return 0
    for told in map(read_status, attempts(Path(record.folder))):
        if told.get("guardian") and owner.space == here.space:
            gone(Identity(owner.boot, told["guardian"], told["guardian_start"]), GUARDIAN_SECONDS)
    marks = [int(mark, 16) for mark in record.marker.split()]
    pid = record.pid if record.pid and owner.space == here.space and len(marks) == 1 else 0
    roots = [Identity(owner.boot, pid or 0, record.started_ticks or 0 if pid else 0) for _ in marks]
    return sum(end_left(root, mark) for root, mark in zip(roots, marks, strict=True))


class Joined(ProcessLife):
    """One task run that another kernel began: told from its beginning, collected by exactly one kernel."""

    _elsewhere = True

    def __init__(self, task: ScriptTask, context: Context, log_dir: Path) -> None:
        task_run, _, number = log_dir.name.rpartition("-")
        super().__init__(task, context, task_run=task_run, attempts=int(number) - 1)
        self.log_dir = log_dir

    def _wanted(self) -> bool:
        return True

    def _recalled(self) -> State:
        return self._lived()

    def _delay(self, _state: State, _elapsed: float) -> float | None:
        """When it was begun, by whom it would be tried again: that kernel is gone."""
        return None

    def _prepare(self) -> None:
        self.result.prepared = read_prepared(self.log_dir)
        self.result.log_file = LogFile(self.log_dir)

    def _begun(self) -> Running:
        assert self.result.prepared is not None
        return self.context.runner.attach(self.result.prepared.job)

    def _collect(self, running: Running) -> None:
        if self.context.entry.claim():
            return self._collect_ours(running)
        journal, record = self.context.journal, self.context.of
        assert journal is not None
        assert record is not None
        while (row := journal.get(record.id)) and row.ended is None and not self.context.entry.claim():
            time.sleep(LOOK_SECONDS)  # who began it still lives, and is just collecting
        if self.context.entry.mine:
            return self._collect_ours(running)
        told: dict[str, Any] = next(iter(read_record(self.context.folder.path).get("tasks", [])), {})
        self.result.files = _files(self.context, told)
        self.result.outputs = self._outputs()
        return None

    def _collect_ours(self, running: Running) -> None:
        """Where nobody saw the end nobody watches any more: what still lives would live on unseen."""
        assert self.context.of is not None
        if self.result.exit is None and (ended := end_rest(self.context.of)):
            self._log("WARN", f"{ended} process{'es' if ended != 1 else ''} that it had left ended now")
        super()._collect(running)


class Found:
    """What made a run go on that ended long ago."""

    def run(self) -> State:
        raise KestraMagicError("it has ended")

    def stop(self, **_: Any) -> None:
        """Nothing is left of it."""


def read_back(context: Context) -> None:
    """Fill *context* with what the run's record says, as if it had just ended.

    What its kernel could not write any more is taken from the logs and the journal's row.
    """
    row = context.of
    assert row is not None
    if not context.cell and row.ended is None and not read_record(context.folder.path):
        write_lost(context.folder.path, context.name, context.id, LOST)
    record = read_record(context.folder.path)
    read_tasks(context)
    if not context.live:
        for log_dir in attempts(context.folder.path)[-1:]:
            _logged(context, log_dir)
    state = State(record.get("state") or (row.state if row.ended else State.FAILED))
    error = record.get("error") or row.error
    context.emit(Settled(state=state, error=error, outputs=context.outputs, at=record.get("ended") or row.ended or 0.0))
    context.broadcast.close()


def read_tasks(context: Context, *, told: bool = False) -> None:
    """Fill *context* with what the record says of inputs, outputs and each task; *told*: what happened is known."""
    record = read_record(context.folder.path)
    context.inputs = record.get("inputs") or {}
    context.outputs = record.get("outputs") or context.outputs
    for task in record.get("tasks", []):
        _task(context, task, (lambda _: None) if told else context.emit)


def _task(context: Context, told: Mapping[str, Any], say: Callable[[Happening], None]) -> None:
    result = TaskResult(told["taskRun"], told["id"])
    context.live[result.id] = result
    result.vars = told["vars"]
    result.files = _files(context, told)
    result.measured = [Metric(**{**m, "tags": tuple(map(tuple, m["tags"]))}) for m in told["measured"]]
    result.entries = [Entry(**entry) for entry in told["entries"]]
    result.most = {name: value for name, value in told.get("peaks", {}).items() if name not in MEASURED}
    result.error, result.hint = told["error"], told["hint"]
    result.exit = Exited(**told["exit"]) if told["exit"] else None
    result.outputs = told["outputs"]
    result.state = State(told["state"] or "FAILED")
    say(Declared(task_run=result.id, task_id=result.task_id, value=told["value"], type=told["type"]))
    for attempt in told["attempts"]:
        stamp = {"task_run": result.id, "attempt": attempt["number"]}
        if attempt["started"] is not None:
            say(Started(pid=0, at=attempt["started"], **stamp))
        last = attempt is told["attempts"][-1] and result.exit is not None
        say(result.exit if last and result.exit else Requeued(at=attempt["ended"] or 0.0, **stamp))
        _prepared(result, context.folder.path / OWN / f"{result.id}-{attempt['number']}")
    say(Settled(task_run=result.id, state=result.state, error=result.error))


def _logged(context: Context, log_dir: Path) -> None:
    """Of a run without a record: its log, and how its guardian says that it ended."""
    task_run, _, number = log_dir.name.rpartition("-")
    result = TaskResult(task_run, context.name)
    context.live[task_run] = result
    stamp: dict[str, Any] = {"task_run": task_run, "attempt": int(number)}
    context.emit(Declared(task_run=task_run, task_id=context.name))
    told = read_status(log_dir)
    if "started" in told:
        context.emit(Started(pid=told["pid"], at=told["started"], **stamp))
    if end := exited(log_dir):
        result.exit = Exited(**end, **stamp)
        context.emit(result.exit)
    _prepared(result, log_dir)


def _prepared(result: TaskResult, log_dir: Path) -> None:
    result.log_file = LogFile(log_dir)
    with suppress(KestraMagicError):  # it never came so far
        result.prepared = read_prepared(log_dir)


def _files(context: Context, told: Mapping[str, Any]) -> OutputFiles:
    """Paths are kept relative to the run's folder: it may have been moved with the notebook."""
    base, files = context.folder.path, told.get("files", {})
    found = {
        name: OutputFile(name, Path(os.path.join(base, file["path"])), file["uri"]) for name, file in files.items()
    }
    return OutputFiles(found, told.get("misses", ()))
