"""Runs in their order: this kernel's, and what the journal knows of others'."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from kestra_magic.process.logs import LogFile
from kestra_magic.process.recorder import read_status
from kestra_magic.runs.kernels.attach import found
from kestra_magic.runs.kernels.elsewhere import is_carried
from kestra_magic.runs.kernels.found import attempts, is_guarded
from kestra_magic.runs.masking import forms, painted
from kestra_magic.runs.run import Run
from kestra_magic.workspace.directory import read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kestra_magic.runs.journal.journal import Record
    from kestra_magic.runs.session import Session

__all__ = ["History", "Row", "before", "history"]

LAST_CHARS = 80


@dataclass(frozen=True, slots=True)
class Row:
    """What a table says of one run.

    Attributes:
        id: the journal's.
        run: its folder's name, ``train-3``: so it can be asked for by `attach`.
        state: as Kestra names it; ``LOST`` while nobody has dealt with what a dead kernel left.
        started: seconds since the epoch; duration: seconds, of one that lives so far.
        files: how many it made; what a run that lives will make is not known.
        where: who it belongs to: this kernel, another, nobody (detached).
        waited: whether a cell of this kernel waits for it.
        last: of one that lives, the last line of its log.
    """

    id: str
    run: str
    name: str
    state: str
    started: float | None
    duration: float
    exit_code: int | None
    inputs: Mapping[str, Any]
    metrics: Mapping[str, float]
    files: int
    where: str
    waited: bool = False
    ended: bool = True
    last: str = ""
    label: str = ""
    pinned: bool = False

    @property
    def ok(self) -> bool:
        return self.state in ("SUCCESS", "WARNING")


class History(Sequence[Run]):
    """Runs, the latest last: each is brought here when it is asked for; `table` reads only their records."""

    def __init__(
        self, session: Session, known: Sequence[Run | Record], renew: Callable[[], History] | None = None
    ) -> None:
        self._session = session
        self.known = known
        self._renew = renew

    def renewed(self) -> History:
        """Return what the same question finds now; a part of a history stays the same runs."""
        return self._renew() if self._renew else self

    @overload
    def __getitem__(self, index: int) -> Run: ...

    @overload
    def __getitem__(self, index: slice) -> History: ...

    def __getitem__(self, index: int | slice) -> Run | History:
        if isinstance(index, slice):
            return History(self._session, self.known[index])
        known = self.known[index]
        return known if isinstance(known, Run) else found(self._session, known)

    def __len__(self) -> int:
        return len(self.known)

    def __repr__(self) -> str:
        return f"History({len(self)} run{'s' if len(self) != 1 else ''})"

    def rows(self) -> list[Row]:
        records = self._session.journal.of([known.id for known in self.known])
        return [
            _of_run(each, records.get(each.id)) if isinstance(each, Run) else _of_record(records.get(each.id, each))
            for each in self.known
        ]

    def table(self) -> list[dict[str, Any]]:
        """Return one dict for each run: its state, duration, inputs and the last value of each metric."""
        names = ("run", "state", "started", "duration", "exit_code")
        return [{**{name: getattr(row, name) for name in names}, **row.inputs, **row.metrics} for row in self.rows()]


def history(session: Session, name: str | None = None, *, ended: bool = True, limit: int = 50) -> History:
    """Return the latest runs (of *name*), this kernel's and others', the latest last.

    Args:
        ended: also those of other kernels that have ended.
    """
    own = {run.id: run for run in session.runs if name in (None, run.name, run.name.replace("-", "_"))}
    records = session.journal.history(name, limit) if ended else session.journal.living()
    others = [record for record in records if record.id not in own and name in (None, record.name)]
    known: list[tuple[float, Run | Record]] = [(run.context.started.timestamp(), run) for run in own.values()]
    known += [(record.created, record) for record in others]
    latest = [run for _, run in sorted(known, key=lambda pair: pair[0])][-limit:]
    return History(session, latest, partial(history, session, name, ended=ended, limit=limit))


def before(session: Session, run: Run, *, limit: int = 30) -> History:
    """Return the runs of the same name and place that began before *run*, any kernel's, the latest last."""
    same = takewhile(lambda known: known.id != run.id, history(session, run.name, limit=limit + 1).known)
    return History(session, [known for known in same if Path(known.folder).parent == run.folder.parent])


def _of_run(run: Run, record: Record | None) -> Row:
    live = not run.ended
    alone = run.context.options.get("bg") or run.context.options.get("detach")
    so_far = time.time() - run.started if live and run.started else run.duration
    return Row(
        id=run.id,
        run=run.folder.name,
        name=run.name,
        state=run.state.value,
        started=run.started,
        duration=so_far,
        exit_code=run.exit_code,
        inputs=painted(dict(run.context.inputs), forms(run.context.masked_values())),
        metrics={name: run.metrics[name].last for name in run.metrics},
        files=len(run.files),
        where="this kernel, detached" if run.context.outlives else "this kernel",
        waited=live and not alone,
        ended=not live,
        last=_last_line(run.log.file) if live else "",
        label=record.label if record else "",
        pinned=bool(record and record.pinned),
    )


def _of_record(record: Record) -> Row:
    folder = Path(record.folder)
    told = _told(folder, record.ended)
    log_dir = next(reversed(attempts(folder)), folder) if record.ended is None else folder
    state, ended = _state(record, log_dir)
    began = record.started or record.created
    return Row(
        id=record.id,
        run=folder.name,
        name=record.name,
        state=state,
        started=record.started,
        duration=(ended or time.time()) - began,
        exit_code=record.exit_code,
        inputs=told.get("inputs") or {},
        metrics={m["name"]: m["value"] for task in told.get("tasks", []) for m in task.get("metrics", [])},
        files=sum(len(task.get("files", {})) for task in told.get("tasks", [])),
        where=_where(record),
        ended=ended is not None,
        last="" if ended else _last_line(LogFile(log_dir)),
        label=record.label,
        pinned=record.pinned,
    )


def _state(record: Record, log_dir: Path) -> tuple[str, float | None]:
    """Return the state, and when it ended: what nobody answers for is lost, never running."""
    if record.ended is not None:
        return record.state, record.ended
    told, alone = read_status(log_dir), record.detached and not record.request.get("flow")
    if alone and "exited" in told:
        well = not told.get("code") and not told.get("reason") and not told.get("error")
        return "SUCCESS" if well else "KILLED" if told.get("reason") else "FAILED", told["exited"]
    answered = is_guarded(record, told) if alone else record.detached and is_carried(record)
    return (record.state, None) if record.owner.lives() or answered else ("LOST", record.touched)


def _where(record: Record) -> str:
    if record.ended is None and record.detached:
        return "detached"
    return f"kernel {record.owner.pid}" if record.ended is None and record.owner.lives() else ""


@lru_cache(512)
def _told(folder: Path, _ended: float | None) -> dict[str, Any]:
    """What a run that has ended at that time wrote down of itself; a table that lives asks every second."""
    return read_record(folder)


def _last_line(log: LogFile | None) -> str:
    lines = log.tail(lines=1).strip().splitlines() if log else []
    return lines[-1].rpartition("\r")[2][:LAST_CHARS] if lines else ""
