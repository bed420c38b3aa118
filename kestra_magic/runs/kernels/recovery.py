"""What a dead kernel left: ended, taken over or begun again, and told in one line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.recorder import read_status
from kestra_magic.runs.journal.record import LOST, write_lost
from kestra_magic.runs.kernels.attach import begin_again, join
from kestra_magic.runs.kernels.found import attempts, end_rest
from kestra_magic.runs.progress import State
from kestra_magic.settings import current
from kestra_magic.workspace.directory import read_record
from kestra_magic.workspace.removal import remove_tree

if TYPE_CHECKING:
    from kestra_magic.runs.journal.journal import Journal, Record
    from kestra_magic.runs.run import Run
    from kestra_magic.runs.session import Session

__all__ = ["Recovery", "recover"]


@dataclass(slots=True)
class Recovery:
    """What was found, and what became of it.

    Attributes:
        said: a clause for each run.
        finished: runs that had ended unseen, with what they left; *again*: those that begin again, not yet started.
    """

    said: list[str] = field(default_factory=list)
    finished: list[Run] = field(default_factory=list)
    again: list[Run] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """All of it in one line; nothing if nothing was found."""
        return f"left by a kernel that ended: {'; '.join(self.said)}" if self.said else ""


def recover(session: Session) -> Recovery:
    """Deal with every run whose kernel is dead; of several kernels that do, one gets each of them.

    Runs to be begun again are in the session, but not started: whoever shows them does that.
    """
    found, journal = Recovery(), session.journal
    for record in journal.claim_orphans():
        if told := _recorded(record):
            _close(journal, record, told)
        else:
            found.said.append(f"`{record.name}` {_dealt(session, record, found)}")
    strays = journal.strays()
    for run in strays:
        journal.forget(run)
    if strays:
        found.said.append(f"{_counted(len(strays), 'run')} of which the journal knows nothing any more")
    journal.settle()
    found.said += [notice.sentence for notice in journal.notices()]
    return found


def _recorded(record: Record) -> dict[str, Any]:
    """Return what its kernel still wrote of a run that had ended: it was killed before the journal said so too.

    One that ended with its kernel and asked to be begun again has not ended.
    """
    told = read_record(Path(record.folder))
    ended = told.get("state") in {state.value for state in State if state.ended}
    return told if told.get("id") == record.id and ended and not (record.requeue and _with_kernel(told)) else {}


def _with_kernel(told: dict[str, Any]) -> bool:
    """Whether it ended because its kernel did, and nobody had asked for that before."""
    ends = {(task.get("exit") or {}).get("reason") for task in told["tasks"]}
    asked = told.get("reason", "")
    return asked == "kernel" or (not asked and "kernel" in ends)


def _close(journal: Journal, record: Record, told: dict[str, Any]) -> None:
    """Whoever was there has seen how it ended; its directory goes, unless files may have been left there."""
    end_rest(record)
    for work in filter(None, record.work.split("\n") if State(told["state"]).ok else ()):
        remove_tree(Path(work))
    code = next((task.get("exitCode") for task in reversed(told["tasks"])), None)
    journal.ended(record.id, told["state"], exit_code=code, error=told["error"])


def _dealt(session: Session, record: Record, found: Recovery) -> str:
    ended = end_rest(record)
    too = f", and {_counted(ended, 'process', 'processes')} of it ended now" if ended else ""
    if _finished(record):
        run = join(session, record).start().wait()
        found.finished.append(session.take(run))
        return f"had finished ({run.state.value}){too}"
    for work in filter(None, record.work.split("\n")):
        remove_tree(Path(work))
    why = ""
    if record.requeue:
        try:
            return _again(session, record, found) + too
        except KestraMagicError as error:
            why = f" and does not begin again: {error}"
    session.journal.ended(record.id, "FAILED", error=LOST)
    write_lost(Path(record.folder), record.name, record.id, LOST)
    return f"did not finish (FAILED){too}{why}"


def _again(session: Session, record: Record, found: Recovery) -> str:
    most = current().requeue_attempts
    if record.attempt >= most:
        raise KestraMagicError(f"it was tried {_counted(record.attempt, 'time')}")
    found.again.append(begin_again(session, record))
    return f"begins again from the beginning (attempt {record.attempt + 1} of {most})"


def _finished(record: Record) -> bool:
    """Whether its only task ended by itself, while nobody saw it."""
    if record.request.get("flow"):
        return False
    told = next((read_status(path) for path in reversed(attempts(Path(record.folder)))), {})
    return "exited" in told and told.get("reason") in ("", "timeout")


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
