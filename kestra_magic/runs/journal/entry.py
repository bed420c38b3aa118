"""One run's entry in the journal: opened before its first process, closed after everything else."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from kestra_magic.runs.again import kept
from kestra_magic.runs.journal.journal import Record
from kestra_magic.runs.journal.owner import started_ticks
from kestra_magic.runs.journal.prepared import write_prepared

if TYPE_CHECKING:
    from kestra_magic.process.events import Started
    from kestra_magic.runs.context import Context
    from kestra_magic.runs.journal.journal import Journal, Notice
    from kestra_magic.runs.progress import State
    from kestra_magic.tasks.place import Prepared

__all__ = ["Entry"]


class Entry:
    """Tells the journal of one run. What the journal cannot do is a notice of the run, which goes on.

    Attributes:
        of: the row as it was found, of a run that another kernel began.
        leaving: the kernel is ending: who asked for it is begun again by the next.
        mine: whether this kernel answers for it: exactly one collects what it leaves and says how it ended.
    """

    def __init__(self, context: Context, journal: Journal | None, of: Record | None = None) -> None:
        self.of = of
        self.mine = of is None or context.again
        self.leaving = False
        self._begun = of is not None and not context.again
        self._context = context
        self._journal = journal
        self._started: dict[str, Any] = {}
        self._attempts: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()

    def begin(self, **known: str | tuple[str, ...]) -> None:
        """Write it down, once, unless it is there already because another kernel did.

        A flow begins with it; a cell with its process, for which everything is *known* a millisecond later, or with
        what is installed for that.
        """
        context, journal = self._context, self._journal
        if journal is None or self._begun:
            return
        self._begun = True
        record = Record(
            id=context.id,
            name=context.name,
            folder=str(context.folder.path),
            request=self._request(),
            **known,  # type: ignore[arg-type]
            requeue=context.wishes.requeue,
            detached=context.outlives,
            attempt=self.of.attempt + 1 if self.of else 1,
            created=self.of.created if self.of else context.started.timestamp(),
        )
        self._told(journal.starting(record, mask=context.masked_values()))

    def launching(self, prepared: Prepared) -> None:
        """A process is about to exist."""
        job = prepared.job
        if job.detach:
            write_prepared(prepared, self._context.masked)
        if self._journal is None:
            return
        with self._lock:
            self._attempts[f"{job.task_run}-{job.attempt}"] = (f"{job.marker:x}", "" if job.here else job.root)
            marks, roots = zip(*self._attempts.values(), strict=True)
        known = {"marker": " ".join(marks), "work": "\n".join(filter(None, roots))}
        secrets = tuple(sorted(self._context.secrets.names))
        if not self._begun:
            self.begin(secrets=secrets, **known)
            return
        request, mask = self._request() if self._context.cell else None, self._context.masked_values()
        self._told(self._journal.launching(self._context.id, secrets=secrets, request=request, mask=mask, **known))

    def launched(self, prepared: Prepared) -> None:
        """It was asked for, and meanwhile is written down in full; of one that outlives this kernel that was before.

        Raises:
            TransferError: the disk does not take it.
        """
        if not prepared.job.detach:
            write_prepared(prepared, self._context.masked)

    def started(self, event: Started, *, over: bool = False) -> None:
        """Its process exists; of one that is *over* already that is written down with its end."""
        if self._journal is None or not self.mine:
            return
        if over:
            self._started = {"pid": event.pid, "started": event.at}
            return
        ticks = started_ticks(event.pid) or None
        self._told(self._journal.started(self._context.id, pid=event.pid, started_ticks=ticks))

    def over(self, prepared: Prepared) -> None:
        """All processes of that attempt are gone, and its directory with them."""
        with self._lock:
            self._attempts.pop(f"{prepared.job.task_run}-{prepared.job.attempt}", None)

    def claim(self) -> bool:
        """Whether this kernel answers for the run; the first that asks does, once who began it is dead."""
        self.mine = self.mine or self._journal is None or self._journal.claim(self._context.id)
        return self.mine

    def end(self, state: State, error: str) -> None:
        """The last word, unless the next kernel is to begin it again: then it stays open."""
        left = self._context.wishes.requeue and (self.leaving or self._died_with_kernel())
        if self._journal is None or not self.mine or left:
            return
        self.begin()  # of a cell that failed before its process
        code = next((result.exit_code for result in reversed(self._context.live.values())), None)
        mask = self._context.masked_values()
        self._journal.ended(self._context.id, state.value, exit_code=code, error=error, mask=mask, **self._started)
        if not self._context.cell:  # a flow has the time
            self.settle()

    def settle(self) -> None:
        """Let its end be in the journal's file too, for other kernels."""
        if self._journal is not None:
            self._journal.settle()

    def _died_with_kernel(self) -> bool:
        return any(result.exit and result.exit.reason == "kernel" for result in self._context.live.values())

    def _request(self) -> dict[str, Any]:
        context = self._context
        if context.request is None:
            return {}
        outputs = context.before if context.wishes.requeue else {}
        return kept(context.request, outputs, flow=not context.cell)

    def _told(self, notice: Notice | None) -> None:
        if notice is not None:
            self._context.notices.append(notice.sentence)
