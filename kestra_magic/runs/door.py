"""What kernels of one person ask of each other: that a run ends. Only that person's processes can reach the socket."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.supervise import meeting_place
from kestra_magic.runs.owner import Owner, started_ticks

if TYPE_CHECKING:
    from kestra_magic.runs.journal import Record
    from kestra_magic.runs.run import Run
    from kestra_magic.runs.session import Session

__all__ = ["ask_to_end", "open_door"]

PATIENCE = 2.0
"""Seconds that a kernel has to answer: one that has just begun its first run opens its door meanwhile."""
LOOK_SECONDS = 0.02


def open_door(session: Session) -> None:
    """Answer whoever asks for a run of *session*; does not return, unless that cannot be: who asks is told."""
    with suppress(OSError, KestraMagicError):
        _clear(Path(_place(Owner.me())))
        _serve(session, Listener(_place(Owner.me()), "AF_UNIX"))


def _clear(own: Path) -> None:
    """A kernel that was killed could not take its door away; of other containers' nobody here knows."""
    for path in own.parent.glob(f"*-*{own.suffix}"):
        pid, ticks = path.stem.split("-")
        if started_ticks(int(pid)) != int(ticks, 16):
            path.unlink(missing_ok=True)


def _serve(session: Session, door: Listener) -> None:
    with door:
        while True:
            guest = door.accept()
            threading.Thread(target=_answer, args=(session, guest), name="kestra-guest", daemon=True).start()


def _place(owner: Owner) -> str:
    space = "".join(filter(str.isdigit, owner.space))
    return meeting_place(f"{owner.pid}-{owner.ticks:x}.{space}")


def _answer(session: Session, guest: Connection) -> None:
    with suppress(OSError, EOFError), guest:  # whoever asked may be gone
        wanted = guest.recv()
        run = next((run for run in session.runs if run.id == wanted), None)
        guest.send(run is not None)
        if run is not None:
            _end(run)


def _end(run: Run) -> None:
    run.stop()
    run.context.broadcast.closed.wait()


def ask_to_end(record: Record) -> None:
    """Have the kernel that *record* belongs to end its run, as if it had been asked there; return when it has.

    Raises:
        KestraMagicError: that kernel does not answer.
    """
    with _met(record) as there, suppress(EOFError):  # it has ended the run, or itself
        there.recv()


def _met(record: Record) -> Connection:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and record.owner.lives():
        with suppress(OSError):
            there = Client(_place(record.owner), "AF_UNIX")
            there.send(record.id)
            if there.poll(PATIENCE) and there.recv():
                return there
            there.close()
        time.sleep(LOOK_SECONDS)
    said = f"`{record.name}` runs in another kernel (process {record.owner.pid}), which does not answer"
    raise KestraMagicError(f"{said}: stop it there, or end that kernel")
