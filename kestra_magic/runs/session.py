"""The runs of this kernel, by name; what every one of them shares."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from platformdirs import user_cache_path

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.process.events import Requeued
from kestra_magic.runners.local import LocalRunner
from kestra_magic.runs.again import Names, with_inputs
from kestra_magic.runs.context import Context
from kestra_magic.runs.flow.slots import Slots
from kestra_magic.runs.given import files_given, inputs_given
from kestra_magic.runs.gpus import with_gpus
from kestra_magic.runs.journal.journal import Journal, Record
from kestra_magic.runs.kernels.found import attempts
from kestra_magic.runs.pruning import Pruning
from kestra_magic.runs.request import Request, Written, read
from kestra_magic.runs.run import Run
from kestra_magic.runs.task.processes import ProcessLife
from kestra_magic.runs.wishes import wishes
from kestra_magic.settings import APP, current, data_folder
from kestra_magic.stores.dotenv import read_dotenv
from kestra_magic.stores.environments import find
from kestra_magic.stores.kv import KV
from kestra_magic.stores.secrets import Secrets
from kestra_magic.workspace.directory import RunFolder, work_parent
from kestra_magic.workspace.storage import Storage

if TYPE_CHECKING:
    from typing import Unpack

    from kestra_magic.model.load import Loaded
    from kestra_magic.model.source import Source
    from kestra_magic.runs.flow.begin import How
    from kestra_magic.runs.flow.run import FlowRun

__all__ = ["Session", "UnknownRun", "notebook_folder", "session", "settle"]


LAST_WORDS = 0.5
"""Seconds for which a kernel that ends waits for its runs; what is not written by then the next one finds."""
DOOR_SECONDS = 0.5
"""After the first run began, others may ask for it: the first cell does not wait for what that needs."""
Found = TypeVar("Found", bound=Run)


class UnknownRun(KestraMagicError, KeyError):
    """No run of that name is known here."""

    __str__ = Exception.__str__


class Session:
    """One kernel's runs.

    Attributes:
        beside: the folder where the notebook lies.
        runs: every run of this kernel, the latest of a name last.
        flows: those that were read here, by namespace and id.
        names: the notebook's variables: what is bound to one is not pruned.
    """

    def __init__(self, beside: Path | None = None) -> None:
        self.beside = beside or Path.cwd()
        self.runs: list[Run] = []
        self._open: list[Run] = []
        self._named: dict[str, list[Run]] = {}
        self.names: Mapping[str, object] = {}
        self.flows: dict[tuple[str, str], Source] = {}
        self.slots = Slots()
        self._journals: dict[Path, Journal] = {}
        self._lock = threading.RLock()
        self.pruning = Pruning(self)

    # Where things lie

    @property
    def base(self) -> Path:
        """The folder of results: ``kestra-runs`` beside the notebook, or where the setting says."""
        moved = current().runs_dir
        return Path(moved).expanduser().absolute() if moved else self.beside / "kestra-runs"

    @property
    def data(self) -> Path:
        return data_folder()

    @property
    def work(self) -> Path:
        asked = current().work_dir
        if asked:
            return Path(asked).expanduser().absolute()
        if current().runs_dir:
            return work_parent(self.base / ".work")
        return work_parent(_cached(os.environ.get("HOME"), os.environ.get("XDG_CACHE_HOME")))

    @cached_property
    def storage(self) -> Storage:
        allowed = (self.beside, *map(Path, current().allowed_paths))
        return Storage(self.data / "storage", namespace_files=self.beside / current().namespace_files, allowed=allowed)

    def storage_of(self, home: Path) -> Storage:
        """Return the storage as a flow in the folder *home* sees it: with the namespace files that lie there."""
        if home == self.beside:
            return self.storage
        space = home / current().namespace_files
        return Storage(self.data / "storage", namespace_files=space, allowed=(home, *self.storage.allowed))

    @property
    def kv(self) -> KV:
        return _kv(self.data)

    @property
    def journal(self) -> Journal:
        data = self.data
        return self._journals.get(data) or self._journals.setdefault(data, Journal(data / "journal.sqlite"))

    # The runs

    def latest(self, name: str) -> Run:
        """Return the latest run of *name*.

        Raises:
            UnknownRun: there is none.
        """
        found = self._named.get(name) or self._named.get(name.replace("_", "-"))
        return found[-1] if found else self.unknown(name, self._named)

    def unknown(self, name: str, known: Iterable[str]) -> NoReturn:
        """Say that there is no run *name*, and which is the nearest.

        Raises:
            UnknownRun: always.
        """
        raise UnknownRun(f"no run `{name}` is known here{did_you_mean(name, known)}")

    def outputs(self) -> dict[str, Any]:
        """``{{ outputs.NAME.… }}``: what the notebook's earlier runs gave, the latest of each name."""
        known = list(self._named.items())  # a flow may begin another one meanwhile
        latest = {name: next((run for run in reversed(runs) if run.ended), None) for name, runs in known}
        return {name: run.outputs for name, run in latest.items() if run}

    def live(self, name: str) -> Run | None:
        with self._lock:
            self._open = [run for run in self._open if not run.ended]
            return next((run for run in reversed(self._open) if run.name == name), None)

    def add(self, run: Run) -> Run:
        """Take in a new run.

        Raises:
            KestraMagicError: one of its name still lives.
        """
        with self._lock:
            self.make_way(run.name)
            return self.take(run)

    def take(self, run: Found) -> Found:
        """Take in a run as the latest of its name."""
        with self._lock:
            self.runs.append(run)
            self._open.append(run)
            self._named.setdefault(run.name, []).append(run)
        return run

    def discard(self, run: Run) -> None:
        """Forget a run that was not started, with the folder that was made for it."""
        with self._lock, suppress(OSError):
            self.runs.remove(run)
            self._open = [other for other in self._open if other is not run]
            self._named[run.name].remove(run)
            self._named = {name: runs for name, runs in self._named.items() if runs}
            if run.context.gpus:
                run.context.gpus.release()
            run.folder.rmdir()

    def make_way(self, name: str, *, instead: bool = False) -> None:
        """See to it that no run of *name* lives: one that does is ended if another shall run *instead*.

        Raises:
            KestraMagicError: it shall not.
        """
        run = self.live(name)
        if run is None:
            return
        if not instead:
            other = "give the cell a NAME" if name == "_run" else f"stop it with `%kestra stop {name}`"
            raise KestraMagicError(f"`{name}` still runs: wait for it, {other}, or use `--replace`")
        run.stop(reason="replaced")
        run.wait()

    def close(self) -> None:
        """End every run with the kernel, but for detached ones, and wait a moment until that is written down."""
        live = [run for run in self.runs if not run.ended and not run.context.outlives]
        for run in live:
            run.context.entry.leaving = True
            run.stop(grace=0, reason="kernel")
        until = time.monotonic() + LAST_WORDS
        for run in live:
            run.context.broadcast.closed.wait(max(0.0, until - time.monotonic()))
        for run in self.runs:
            if run.ended:
                run.cleared(max(0.0, until - time.monotonic()))
        for journal in self._journals.values():
            journal.leave()

    # A process cell

    def cell(self, request: Request, *, of: Record | None = None) -> Run:
        """Return the run of a process cell, not yet started.

        Args:
            of: the journal's row of a run that a dead kernel left: it begins again as that run's next attempt.

        Raises:
            KestraMagicError: what was typed cannot run, with its line.
        """
        request = replace(request, notebook=Names(request.notebook))
        written = read(request)
        self.make_way(request.name, instead=bool(written.options.get("replace")))
        written, gpus = with_gpus(request, written, self.data)
        try:
            context = self._context(request, written, of)
        except BaseException:
            if gpus:
                gpus.release()
            raise
        context.gpus = gpus
        before = attempts(context.folder.path)[-1:] if of else []
        task_run, _, number = before[0].name.rpartition("-") if before else ("", "", "0")
        life = ProcessLife(written.task, context, task_run=task_run, attempts=int(number))
        for attempt in range(1, life.attempts + 1):
            context.emit(Requeued(task_run=life.id, attempt=attempt, reason="its kernel ended", at=time.time()))
        return self.add(Run(context, life))

    def _context(self, request: Request, written: Written, of: Record | None) -> Context:
        options = written.options
        env_file = self.env_file(options.get("env-file"), request.beside)
        return Context(
            name=request.name,
            flow_id="notebook",
            namespace=current().namespace,
            document=written.document,
            secrets=Secrets(env_file),
            python=find(options.get("python")),
            beside=request.beside,
            notebook=request.notebook,
            wishes=wishes(options, env_file, files_given(options.get("file", []), request.beside, request.notebook)),
            inputs=inputs_given(options.get("input", []), request.notebook),
            outputs=of.request.get("outputs", {}) if of else self.outputs(),
            options=options,
            **self.shared(request, of),
            folder=self.folder_of(of) if of else RunFolder.allocate(self.base, request.name),
        )

    def shared(self, request: Request, of: Record | None = None, *, flow: bool = False) -> dict[str, Any]:
        """What every context is given: what runs share, and so that its run is found again, run again and pruned."""
        return {
            "runner": LocalRunner(self.work),
            "storage": self.storage,
            "kv": self.kv,
            "request": request,
            "journal": self.journal,
            "anew": partial(self._anew, request, flow),
            "afterwards": self.pruning.soon,
            **({"id": of.id, "of": of, "again": True} if of else {}),
        }

    def folder_of(self, record: Record) -> RunFolder:
        """Return the folder of a run that is known from the journal."""
        path = Path(record.folder)
        return RunFolder(path.parent, record.name, int(path.name.rpartition("-")[2]))

    def _anew(self, request: Request, flow: bool, inputs: Mapping[str, Any], part: Mapping[str, Any]) -> Run:
        """Return the same run once more, not yet started, with other *inputs*; of a flow maybe a *part*."""
        again = with_inputs(request, inputs)
        if not flow:
            return self.cell(again)
        options, names = {**again.options, **part}, again.notebook
        return self.flow(again.source, options, name=again.name, beside=again.beside, notebook=names, home=again.home)

    # A flow

    def flow(self, source: Source, options: Mapping[str, Any], **more: Unpack[How]) -> FlowRun:
        """Return the execution of a flow, not yet started: see `runs.flow.begin`.

        Raises:
            KestraMagicError: it cannot start: every problem with its line.
        """
        from kestra_magic.runs.flow import begin

        return begin.flow(self, source, options, **more)

    def load(self, source: Source, *, strict: bool, name: str = "", elsewhere: bool = False) -> Loaded:
        """Read a flow, and remember it: others of this notebook may call it.

        Raises:
            SourceError: every problem with its line.
        """
        from kestra_magic.runs.flow import begin

        return begin.load(self, source, strict=strict, name=name, elsewhere=elsewhere)

    def env_file(self, name: Any, beside: Path) -> Mapping[str, str]:
        return read_dotenv(beside / str(name)) if name else {}


@lru_cache(maxsize=8)
def _cached(*_where: str | None) -> Path:
    """Asked for in each run; it depends on what the environment says *where*."""
    return user_cache_path(APP) / "work"


@lru_cache(maxsize=8)
def _kv(data: Path) -> KV:
    return KV(data / "kv.sqlite")


_session: Session | None = None


def session() -> Session:
    """Return this kernel's session; made when first asked for."""
    global _session
    if _session is None:
        _session = Session(notebook_folder({}))
        atexit.register(_session.close)  # before the processes' own: the last that was registered comes first
        soon = threading.Timer(DOOR_SECONDS, _open_door, [_session])
        soon.daemon = True
        soon.start()
    return _session


def settle() -> None:
    """Let the journal's file say, too, which runs of this kernel have ended."""
    if _session is not None:
        _session.journal.settle()


def _open_door(here: Session) -> None:
    from kestra_magic.runs.kernels.door import open_door

    open_door(here)


def notebook_folder(names: Mapping[str, object]) -> Path:
    """Return the folder where the notebook lies, as far as its front end says; else the current one.

    Raises:
        KestraMagicError: that has gone.
    """
    said = names.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
    folder = Path(str(said)).parent if said else None
    return folder if folder and folder.is_absolute() and folder.is_dir() else _current_folder()


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        gone = "the folder in which this kernel runs was removed: `%cd` to another, or restart the kernel"
        raise KestraMagicError(gone) from None
