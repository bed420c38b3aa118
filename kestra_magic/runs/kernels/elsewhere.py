"""An execution that a process of its own carries, because it outlives its kernel: begun, followed and stopped here."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.process import supervise
from kestra_magic.process.events import Exited
from kestra_magic.process.logs import LogFile
from kestra_magic.process.recorder import read_status
from kestra_magic.process.sweep import Identity, lives
from kestra_magic.runners.local import environment
from kestra_magic.runs.again import request_of
from kestra_magic.runs.flow.gates import Gates
from kestra_magic.runs.journal.record import write_lost
from kestra_magic.runs.kernels.door import ask_to_end, ask_to_resume, told_by
from kestra_magic.runs.kernels.found import read_tasks
from kestra_magic.runs.progress import Settled, State
from kestra_magic.settings import current, data_folder, update
from kestra_magic.workspace.removal import remove_tree
from kestra_magic.workspace.transfer import make_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kestra_magic.process.events import Reason
    from kestra_magic.runs.context import Context
    from kestra_magic.runs.journal.journal import Record

__all__ = ["Elsewhere", "Sent", "carry", "is_carried"]

LOOK_SECONDS = 0.05
LAST_WORDS = 5.0
"""Seconds that whoever listens has to hear the end."""
SETTINGS = "KESTRA_MAGIC_SETTINGS"


def is_carried(record: Record) -> bool:
    """Whether someone carries the detached execution of *record*, or is just starting: the row is not his yet."""
    told = read_status(_log_dir(record.id))
    if record.owner.lives() or not told or "exited" in told:
        return record.owner.lives()
    return lives(Identity(record.owner.boot, told["guardian"], told["guardian_start"]))


class _Gates(Gates):
    """Its pauses are elsewhere too."""

    def __init__(self, carried: Callable[[], Record | None]) -> None:
        super().__init__()
        self._carried = carried

    def resume(self, given: Mapping[str, Any]) -> None:
        record = self._carried()
        if record is None:
            raise KestraMagicError("nothing is paused")
        ask_to_resume(record, given)


class Elsewhere:
    """Follows an execution that another process carries: what it tells is told here, what it leaves is read back."""

    def __init__(self, context: Context) -> None:
        self.context = context
        context.pauses = _Gates(self._carried)
        self._asked: tuple[float | None] | None = None
        assert context.journal is not None
        self._journal = context.journal

    def run(self) -> State:
        heard = False
        while record := self._carried():
            for event in told_by(record):
                heard = True
                if not (isinstance(event, Settled) and event.final):  # which is told when all is read back
                    self.context.emit(event)
            time.sleep(LOOK_SECONDS)
        return self._ended(told=heard)

    def _carried(self) -> Record | None:
        """Return its row while someone carries it."""
        while record := self._journal.get(self.context.id):
            if record.ended is not None or not is_carried(record):
                break
            if record.owner.lives():
                return record
            time.sleep(LOOK_SECONDS)
        return None

    def _ended(self, *, told: bool) -> State:
        row = self._journal.get(self.context.id)
        if row is None or row.ended is None:
            self.context.entry.claim()
            why = f"the process that carried it is gone{self._last_words()}"
            write_lost(self.context.folder.path, self.context.name, self.context.id, why)
            read_tasks(self.context, told=told)
            raise KestraMagicError(why)
        read_tasks(self.context, told=told)
        remove_tree(_log_dir(self.context.id))
        self.context.error = row.error
        return State(row.state)

    def _last_words(self) -> str:
        return ""

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None:  # noqa: ARG002 - an Engine's
        """Ask who carries it to end it, without waiting for that."""
        self._asked = (grace,)
        threading.Thread(target=self._stop, args=(grace,), name=f"kestra-stop-{self.context.name}", daemon=True).start()

    def _stop(self, grace: float | None) -> None:
        record = self._carried()
        try:
            if record:
                ask_to_end(record, grace)
        except KestraMagicError:  # it does not answer: its guardian ends it, with all that it started
            with suppress(KestraMagicError):
                supervise.attach(_log_dir(self.context.id)).stop(grace=0)


class Sent(Elsewhere):
    """The same, of an execution that begins here."""

    _child: supervise.Child | None = None

    def run(self) -> State:
        entry = self.context.entry
        record = self._journal.get(self.context.id)
        if record is None:
            raise KestraMagicError("what outlives its kernel needs the journal, which cannot be written")
        try:
            request_of(record.request)
        except KestraMagicError as error:
            raise KestraMagicError(f"{error}, which `--detach` does not keep: write it to a file") from None
        self._child = supervise.start(self._command())
        entry.mine = False
        if self._asked:  # before there was anyone to be asked
            self.stop(grace=self._asked[0])
        return super().run()

    def _command(self) -> supervise.Command:
        log_dir = _log_dir(self.context.id)
        make_private(log_dir)
        return supervise.Command(
            argv=(sys.executable, "-P", "-m", "kestra_magic", "carry", self.context.id),
            env=environment({SETTINGS: json.dumps(current().as_dict())}),
            cwd=self.context.beside,
            log_dir=log_dir,
            detach=True,
        )

    def _carried(self) -> Record | None:
        """Until it is carried the row is ours."""
        if self._child is None:
            return None
        while record := super()._carried():
            if record.owner != self._journal.owner or self._child.ended.is_set():
                break
            time.sleep(LOOK_SECONDS)
        return record if record and record.owner != self._journal.owner else None

    def _last_words(self) -> str:
        assert self._child is not None
        end = next((event for event in self._child.events() if isinstance(event, Exited)), None)
        log = LogFile(_log_dir(self.context.id)).tail("stderr", 1).strip()
        return f": {end.error or log}" if end and (end.error or log) else ""


def _log_dir(run: str) -> Path:
    return data_folder() / "detached" / run


def carry(run: str) -> int:
    """Be the process that carries the execution *run*, to its end."""
    from kestra_magic.runs.kernels.attach import begin_again
    from kestra_magic.runs.session import session

    update(**{name: tuple(v) if isinstance(v, list) else v for name, v in json.loads(os.environ.pop(SETTINGS)).items()})
    here = session()
    record = here.journal.get(run)
    if record is None or record.ended is not None:
        raise KestraMagicError(f"nothing is known of a run `{run}`")
    begun = begin_again(here, record)
    begun.start().context.broadcast.closed.wait()
    until = time.monotonic() + LAST_WORDS
    for guest in [thread for thread in threading.enumerate() if thread.name == "kestra-guest"]:
        guest.join(max(0.0, until - time.monotonic()))
    return 0
