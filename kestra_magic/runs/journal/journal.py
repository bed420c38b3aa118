"""Every run, written down before its process exists; so that the next kernel finds what this one left."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kestra_magic.runs.journal import live
from kestra_magic.runs.journal.owner import Owner
from kestra_magic.runs.masking import forms, painted
from kestra_magic.stores.database import Database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Iterator

__all__ = ["Journal", "Notice", "Record"]

Found = TypeVar("Found")
Row = dict[str, Any]
"""A `Record` by its columns: one is made and changed several times in each run."""

FOREIGN_SECONDS = 86_400.0
"""What an owner that nobody here can ask about has not touched for so long is taken for dead."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL, owner TEXT NOT NULL, folder TEXT NOT NULL,
    work TEXT NOT NULL, request TEXT NOT NULL, secrets TEXT NOT NULL, requeue INTEGER NOT NULL,
    detached INTEGER NOT NULL, attempt INTEGER NOT NULL, pid INTEGER, started_ticks INTEGER, marker TEXT NOT NULL,
    created REAL NOT NULL, started REAL, ended REAL, touched REAL NOT NULL, exit_code INTEGER, error TEXT NOT NULL,
    label TEXT NOT NULL, pinned INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS live ON runs (owner) WHERE ended IS NULL;
CREATE INDEX IF NOT EXISTS latest ON runs (created);
CREATE INDEX IF NOT EXISTS named ON runs (name, created);
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """What the journal could not do, to be told once; the run goes on."""

    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run as the journal knows it. Times are seconds since the epoch.

    Attributes:
        folder, work: where its results stay, and where it runs: what is left there goes when it was claimed.
        request: what it takes to run it again; plain data, secrets in it are painted over.
        secrets: the names of those it read.
        requeue: it asked to be run again from the beginning when its kernel dies; *attempt* counts from 1.
        detached: it outlives its kernel on purpose.
        pid, started_ticks: of its root process, with *marker* its identity; None before it started.
        touched: when this row was last written.
    """

    id: str
    name: str
    state: str = "CREATED"
    owner: Owner = field(default_factory=Owner.me)
    folder: str = ""
    work: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    requeue: bool = False
    detached: bool = False
    attempt: int = 1
    pid: int | None = None
    started_ticks: int | None = None
    marker: str = ""
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    touched: float = 0.0
    exit_code: int | None = None
    error: str = ""
    label: str = ""
    pinned: bool = False


_COLUMNS = [each.name for each in fields(Record)]
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM runs"  # noqa: S608 - our own names
_ROW = f"INTO runs ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_WRITE, _ADD = f"REPLACE {_ROW}", f"INSERT OR IGNORE {_ROW}"


class Journal:
    """The history of all runs of a person on this machine: one SQLite file, many kernels.

    Nothing here raises for what a disk does: a `Notice` is returned, the run goes on, and what could not be written is
    written with the next change. Beside the file, ``live/`` names those that have not ended.
    """

    def __init__(self, path: Path, *, owner: Owner | None = None) -> None:
        self.path = path
        self.live = path.parent / "live"
        self.owner = owner or Owner.me()
        self._marks = live.Marks(self.live, self.owner)
        self._database = Database(path, _SCHEMA, self._add_own)
        self._own: dict[str, Row] = {}
        self._late: set[str] = set()
        self._behind: dict[str, dict[str, Any]] = {}
        self._lock = threading.RLock()
        self._noticed: list[Notice] = []
        self._told: set[str] = set()

    def notices(self) -> list[Notice]:
        """Return, once, what was noticed while reading: a damaged file, a disk that is full."""
        noticed, self._noticed = self._noticed, []
        return noticed + [Notice(self._database.damages.pop(0)) for _ in range(len(self._database.damages))]

    def close(self) -> None:
        self.leave()
        self._database.close()

    def leave(self) -> None:
        """The kernel ends: nothing in ``live/`` speaks for it any more, unless something outlives it."""
        self.settle()
        with suppress(OSError):  # it is looked through by the next one
            self._marks.close()

    # The life of a run

    def starting(self, record: Record, *, mask: Iterable[str] = ()) -> Notice | None:
        """Write down a run before its process exists; values in *mask* are painted over."""
        request = _painted(record.request, mask)
        row = {**_row(record), "owner": self.owner, "request": request, "touched": time.time()}
        with self._lock:
            self._own[record.id] = row
            notice = self._write(record.id, lambda database: database.execute(_WRITE, _values(row)))
        marked = self._mark(record)
        return notice or marked

    def launching(
        self,
        run: str,
        /,
        *,
        marker: str,
        work: str,
        secrets: Iterable[str],
        request: dict[str, Any] | None = None,
        mask: Iterable[str] = (),
    ) -> Notice | None:
        """A process of it is about to exist: how it will be known, where it works, what it was told in secret.

        Args:
            request: as it is known by now, where preparing the process tells more of it.
        """
        more = {} if request is None else {"request": _painted(request, mask)}
        return self._change(run, marker=marker, work=work, secrets=tuple(sorted(secrets)), **more)

    def started(self, run: str, /, *, pid: int, started_ticks: int | None = None) -> Notice | None:
        """Its process exists: remember it by more than its number, which the system gives out again."""
        return self._change(run, state="RUNNING", pid=pid, started_ticks=started_ticks, started=time.time())

    def ended(
        self,
        run: str,
        state: str,
        /,
        *,
        exit_code: int | None = None,
        error: str = "",
        mask: Iterable[str] = (),
        **started: float,
    ) -> None:
        """It has ended, as Kestra names it; what is not yet known of how it *started* is written with it.

        Whoever looks here finds it ended. The file says so after `settle`: a cell does not wait for that, and of a
        kernel that is killed before, the next one finds what became of the run in its own record.
        """
        now, said = time.time(), painted(error, forms(mask))
        changes = {"state": state, "exit_code": exit_code, "error": said, "ended": now, "touched": now, **started}
        with self._lock:
            self._behind[run] = changes
            self._known(run, changes)

    def settle(self) -> None:
        """Write down what has ended. What keeps that from being done is a notice."""
        with self._lock:
            while self._behind:
                run, changes = self._behind.popitem()
                written = self._write(run, partial(self._update, run=run, changes=changes))
                self._noticed += filter(None, (written, self.forget(run)))

    def pin(self, run: str, /, pinned: bool = True) -> Notice | None:
        """Keep it for ever, or no longer."""
        return self._change(run, pinned=pinned)

    def label(self, run: str, /, text: str) -> Notice | None:
        return self._change(run, label=text)

    # What is known

    def get(self, run: str, /) -> Record | None:
        return next(iter(self._select("WHERE id = ?", run)), None)

    def of(self, runs: Collection[str], /) -> dict[str, Record]:
        """Return those of *runs* that it knows, by their ids."""
        marks = ", ".join("?" * len(runs))
        return {record.id: record for record in self._select(f"WHERE id IN ({marks})", *runs)}

    def history(self, name: str | None = None, limit: int = 50) -> list[Record]:
        """Return the latest runs (of *name*), the last one first."""
        if name is None:
            return self._select("ORDER BY created DESC LIMIT ?", limit)
        return self._select("WHERE name = ? ORDER BY created DESC LIMIT ?", name, limit)

    def living(self) -> list[Record]:
        """Return the runs that have not ended, as far as anybody wrote it down."""
        return self._select("WHERE ended IS NULL ORDER BY created")

    def find(self, text: str, /) -> Record | None:
        """Return the run whose id, folder (``train-3``) or name *text* is; of a name the latest."""
        name = text.replace("-", "_")
        where = "WHERE id = ? OR folder LIKE ? OR name = ? OR replace(name, '-', '_') = ? ORDER BY created DESC LIMIT 1"
        return next(iter(self._select(where, text, f"%/{text}", text, name)), None)

    def held(self) -> set[Path]:
        """Return the folders that must not be pruned: of pinned runs, and of those that live in any kernel.

        What ended in another kernel that still lives may be bound to a variable there.
        """
        records = self._select("WHERE pinned = 1 OR ended IS NULL OR owner != ?", self.owner.text())
        alive = {owner: owner.lives() for owner in {record.owner for record in records}}
        return {Path(r.folder) for r in records if r.folder and (r.pinned or alive[r.owner] or self._is_held(r))}

    def _is_held(self, record: Record) -> bool:
        return record.ended is None and (record.detached or not self._is_orphan(record))

    def forget_before(self, moment: float, /) -> None:
        """Forget the runs that ended before *moment* and whose folders are gone, and kernels that left nothing."""
        live.tidy(self.live)
        gone = [(r.id,) for r in self._select("WHERE ended < ?", moment) if not Path(r.folder).is_dir()]
        if gone:
            self._try(lambda database: database.executemany("DELETE FROM runs WHERE id = ?", gone), None)

    # What a dead kernel left

    def claim_orphans(self) -> list[Record]:
        """Take over the runs whose kernel is dead; of several kernels that ask, one gets each of them.

        Detached runs are left alone. The others' rows say from now on that they are this kernel's.
        """
        self.settle()
        with self._lock:
            claimed: list[Record] = self._try(self._claim, [])
            self._own.update({record.id: _row(record) for record in claimed})
        return claimed

    def claim(self, run: str, /) -> bool:
        """Take over a run that outlived its kernel; of several kernels that ask, one gets it."""
        self.settle()
        with self._lock:
            record: Record | None = self._try(lambda database: self._claim_one(database, run), None)
            if record is not None:
                self._own[record.id] = _row(record)
            return record is not None

    def _claim_one(self, database: sqlite3.Connection, run: str) -> Record | None:
        with _together(database):
            record = next(iter(_rows(database, "WHERE id = ? AND ended IS NULL", run)), None)
            if record is None or not (record.owner == self.owner or self._is_orphan(record)):
                return None
            record = replace(record, owner=self.owner, touched=time.time())
            database.execute(_WRITE, _values(_row(record)))
        return record

    def _claim(self, database: sqlite3.Connection) -> list[Record]:
        with _together(database):
            live = _rows(database, "WHERE ended IS NULL AND detached = 0")
            claimed = [replace(r, owner=self.owner, touched=time.time()) for r in live if self._is_orphan(r)]
            database.executemany(_WRITE, [_values(_row(record)) for record in claimed])
        return claimed

    def _is_orphan(self, record: Record) -> bool:
        owner = record.owner
        if owner == self.owner:
            return False
        if owner.is_foreign():
            return time.time() - record.touched > FOREIGN_SECONDS
        return not owner.lives()

    def strays(self) -> list[str]:
        """Return the runs of dead kernels that only ``live/`` knows of: a damaged journal was put aside."""
        return [name for name in live.orphans(self.live) if self.get(name) is None]

    def forget(self, run: str, /) -> Notice | None:
        """Take away the mark of a run that is dealt with."""
        try:
            if not self._marks.remove(run):
                live.forget(self.live, run)
        except OSError as error:
            return self._notice(f"`{self.live}` cannot be written ({error.strerror})")
        return None

    def _mark(self, record: Record) -> Notice | None:
        try:
            self._marks.add(record.id, detached=record.detached)
        except OSError as error:
            return self._notice(f"`{self.live}` cannot be written ({error.strerror})")
        return None

    # Rows

    def _change(self, run: str, /, **changes: Any) -> Notice | None:
        """Write what has changed, and only that: another kernel may pin a run that is ours."""
        changes["touched"] = time.time()
        with self._lock:
            self._known(run, changes)
            return self._write(run, partial(self._update, run=run, changes=changes))

    def _known(self, run: str, changes: dict[str, Any]) -> None:
        if run in self._own:
            self._own[run] = {**self._own[run], **changes}

    def _update(self, database: sqlite3.Connection, run: str, changes: dict[str, Any]) -> None:
        assigned = ", ".join(f"{name} = ?" for name in changes)
        values = (*(_column(name, value) for name, value in changes.items()), run)
        done = database.execute(f"UPDATE runs SET {assigned} WHERE id = ?", values)  # noqa: S608
        if not done.rowcount and run in self._own:
            database.execute(_WRITE, _values(self._own[run]))

    def _write(self, run: str, do: Callable[[sqlite3.Connection], object]) -> Notice | None:
        """Do it, and what the disk did not take before."""
        self._late.add(run)
        before = len(self._noticed)
        if self._try(lambda database: self._written(database, run, do), False):
            self._late.clear()
            self._told.clear()
            self._own = {key: own for key, own in self._own.items() if own["ended"] is None or key in self._behind}
        return self._noticed.pop() if len(self._noticed) > before else None

    def _written(self, database: sqlite3.Connection, run: str, do: Callable[[sqlite3.Connection], object]) -> bool:
        late = [self._own[key] for key in self._late - {run} if key in self._own]
        if not late:
            do(database)
            return True
        with _together(database):
            do(database)
            database.executemany(_WRITE, map(_values, late))
        return True

    def _add_own(self, database: sqlite3.Connection) -> None:
        """A file that was made anew takes over what this kernel knows."""
        database.executemany(_ADD, map(_values, list(self._own.values())))

    def _select(self, where: str, *values: object) -> list[Record]:
        self.settle()
        return self._try(lambda database: _rows(database, where, *values), [])

    def _try(self, do: Callable[[sqlite3.Connection], Found], otherwise: Found) -> Found:
        """Return what *do* does, or *otherwise* where the disk does not let it."""
        try:
            return self._database.run(do)
        except OSError as error:
            if notice := self._notice(f"the journal `{self.path}` cannot be used ({error})"):
                self._noticed.append(notice)
            return otherwise

    def _notice(self, problem: str) -> Notice | None:
        """Say a problem once, until it is over."""
        if problem in self._told:
            return None
        self._told.add(problem)
        return Notice(f"{problem}: runs go on, but may be missing in the history and are not found after a crash")


@contextmanager
def _together(database: sqlite3.Connection) -> Iterator[None]:
    """One transaction, alone among all kernels; nothing of it stays if something fails."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")


def _painted(request: dict[str, Any], mask: Iterable[str]) -> Any:
    return painted(json.loads(json.dumps(request, default=str)), forms(mask)) if mask else request


def _rows(database: sqlite3.Connection, where: str, *values: object) -> list[Record]:
    return [_record(row) for row in database.execute(f"{_SELECT} {where}", values)]


def _row(record: Record) -> Row:
    return {name: getattr(record, name) for name in _COLUMNS}


def _values(row: Row) -> list[object]:
    return [_column(name, row[name]) for name in _COLUMNS]


def _column(name: str, value: Any) -> object:
    """A file's name may hold bytes that are no text; SQLite takes only text."""
    if name == "owner":
        value = value.text()
    elif name in ("request", "secrets"):
        value = json.dumps(value, default=str)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _record(row: tuple[Any, ...]) -> Record:
    values = dict(zip(_COLUMNS, row, strict=True))
    values |= {"owner": Owner.read(values["owner"]), "request": json.loads(values["request"])}
    values |= {"secrets": tuple(json.loads(values["secrets"]))}
    values |= {name: bool(values[name]) for name in ("requeue", "detached", "pinned")}
    return Record(**values)
