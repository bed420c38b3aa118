"""What kernels of one person ask of each other: that a run ends or goes on, or what happens in it.

Only that person's processes can reach the socket.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.supervise import meeting_place
from kestra_magic.runs.journal.owner import Owner, started_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kestra_magic.runs.journal.journal import Record
    from kestra_magic.runs.progress import Happening
    from kestra_magic.runs.run import Run
    from kestra_magic.runs.session import Session

__all__ = ["ask_to_end", "ask_to_resume", "open_door", "told_by"]

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
        with suppress(ValueError):  # it is no door
            pid, ticks = path.stem.split("-")
            if started_ticks(int(pid)) != int(ticks, 16):
                path.unlink(missing_ok=True)


def _serve(session: Session, door: Listener) -> None:
    with door:
        while True:
            guest = door.accept()
            threading.Thread(target=_answer, args=(session, guest), name="kestra-guest", daemon=True).start()


def _place(owner: Owner) -> str:
    space = "".join(filter(str.isdigit, owner.space)) or "0"  # a system without namespaces has one
    return meeting_place(f"{owner.pid}-{owner.ticks:x}.{space}")


def _answer(session: Session, guest: Connection) -> None:
    with suppress(OSError, EOFError), guest:  # whoever asked may be gone
        wish, wanted, more = guest.recv()
        run = next((run for run in session.runs if run.id == wanted), None)
        guest.send(run is not None)
        if run is not None:
            WISHES[wish](run, guest, more)
            run.context.entry.settle()  # whoever asked reads what became of it in the journal


def _end(run: Run, _guest: Connection, grace: float | None) -> None:
    run.stop(grace=grace)
    run.context.broadcast.closed.wait()


def _resume(run: Run, guest: Connection, inputs: Mapping[str, Any]) -> None:
    why = ""
    try:
        run.context.pauses.resume(inputs)
    except KestraMagicError as error:
        why = str(error)
    guest.send(why)


def _tell(run: Run, guest: Connection, _more: None) -> None:
    for told in run.context.broadcast.sit(from_start=True):
        if told is not None and told[1] is not None:
            guest.send(told[1])


WISHES: dict[str, Callable[[Run, Connection, Any], None]] = {"end": _end, "follow": _tell, "resume": _resume}


def told_by(record: Record) -> Iterator[Happening]:
    """Yield what happens in the run of *record*, from its beginning to its end; nothing if nobody tells it."""
    with suppress(KestraMagicError, EOFError, OSError), _met(record, "follow") as there:
        while True:
            yield there.recv()


def ask_to_end(record: Record, grace: float | None = None) -> None:
    """Have the kernel that *record* belongs to end its run, as if it had been asked there; return when it has.

    Raises:
        KestraMagicError: that kernel does not answer.
    """
    with _met(record, "end", grace) as there, suppress(EOFError, OSError):  # it has ended the run, or itself
        there.recv()


def ask_to_resume(record: Record, inputs: Mapping[str, Any]) -> None:
    """Let what is paused in the run of *record* go on.

    Raises:
        KestraMagicError: nothing is, or the inputs do not fit, or whoever has the run does not answer.
    """
    with _met(record, "resume", inputs) as there:
        try:
            why = there.recv()
        except (EOFError, OSError):
            raise KestraMagicError(f"whoever had `{record.name}` is gone") from None
        if why:
            raise KestraMagicError(why)


def _met(record: Record, wish: str, more: object = None) -> Connection:
    said = f"`{record.name}` runs in another kernel (process {record.owner.pid}), which"
    try:
        place = _place(record.owner)
    except KestraMagicError as error:
        raise KestraMagicError(f"{said} cannot be asked ({error}): stop it there, or end that kernel") from None
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and record.owner.lives():
        with suppress(OSError, EOFError):
            there = Client(place, "AF_UNIX")
            there.send((wish, record.id, more))
            if there.poll(PATIENCE) and there.recv():
                return there
            there.close()
        time.sleep(LOOK_SECONDS)
    raise KestraMagicError(f"{said} does not answer: stop it there, or end that kernel")
