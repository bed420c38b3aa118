"""One run in its cell, from the constant header to the result."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from hashlib import blake2s
from typing import TYPE_CHECKING, Any

from kestra_magic.runs.progress import State
from kestra_magic.runs.session import session
from kestra_magic.settings import current
from kestra_magic.show.card import header, result
from kestra_magic.show.cell import cell_of, takes_console
from kestra_magic.show.stream import LiveStream

if TYPE_CHECKING:
    from kestra_magic.process.events import Stream
    from kestra_magic.runs.progress import Happening, Progress
    from kestra_magic.runs.run import Run
    from kestra_magic.show.cell import Cell
    from kestra_magic.show.console import Console

__all__ = ["Keys", "View"]

TITLE_CHARS = 60


class Keys:
    """Names for cells' outputs: the same for the same notebook, whoever executes it, and however often.

    A text has its number among the cells that run it; executing one of them again changes nothing.
    """

    def __init__(self) -> None:
        self._slots: dict[str, dict[tuple[str, int], int]] = {}
        self._execution = ""
        self._here: Counter[str] = Counter()

    def of(self, text: str, *, cell: str, execution: str) -> str:
        """Return the key of the next run of *text*.

        Args:
            cell: the cell's id, or nothing where the front end does not say it.
            execution: the id of the request that is being executed.
        """
        if execution != self._execution:
            self._execution, self._here = execution, Counter()
        digest = blake2s(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
        slot = (cell or execution, self._here[digest])
        self._here[digest] += 1
        slots = self._slots.setdefault(digest, {})
        return f"{digest}-{slots.setdefault(slot, len(slots) + 1)}"


_keys = Keys()


class View:
    """Shows *run* in the cell that runs now; of a *background* run, in that cell for ever.

    What that needs is made when the header is shown: the command begins before.
    """

    def __init__(self, shell: Any, run: Run, *, background: bool = False) -> None:
        self.run = run
        self._shell = shell
        self._console: Console | None = None
        self._background = background
        self._finished = False

    @cached_property
    def cell(self) -> Cell:
        return cell_of(self._shell, background=self._background, per_second=current().flushes_per_second)

    @cached_property
    def key(self) -> str:
        return _keys.of(f"{self.run.name}\n{self.run.context.document.source.text}", **_where(self._shell))

    @cached_property
    def _stream(self) -> LiveStream:
        return LiveStream(self.cell, current(), labels=not self.run.context.cell)

    def header(self) -> None:
        if self.cell.frontend.jupyter:
            self.cell.display(header(self.run.name, self._title(), key=self.key))
        if takes_console(self.cell.frontend):
            self._console = self._opened()

    def show(self, progress: Progress, event: Happening) -> None:
        self._stream(progress, event)
        if self._console:
            self._console.show(progress, event)

    def pause(self) -> None:
        self.cell.pause()

    def result(self) -> None:
        """Show how it ended, once."""
        if self._finished:
            return
        self._finished = True
        self._stream.finish(self._tail)
        self.cell.display(result(self.run, key=self.key))
        if self._console:
            self._console.finish(self.run)

    def _opened(self) -> Console:
        from kestra_magic.runs.history import before
        from kestra_magic.show.console import Console
        from kestra_magic.show.watched import WatchedRun

        source = WatchedRun(self.run, before=lambda: before(session(), self.run).rows())
        return Console(self.key, source, foreground=not self._background, stop=self._stop)

    def _stop(self) -> None:
        """Asks first; asked again, ends it at once."""
        self.run.stop(grace=0 if self.run.state is State.KILLING else None)

    def _tail(self, task_run: str, stream: Stream, lines: int) -> str:
        return self.run.context.live[task_run].log.tail(stream, lines)

    def _title(self) -> str:
        """The first line that does something; a flow is known by its name."""
        if not self.run.context.cell:
            return ""
        lines = (line.strip() for line in self.run.context.document.source.text.splitlines())
        first = next((line for line in lines if line and not line.startswith("#")), "")
        return first if len(first) <= TITLE_CHARS else f"{first[: TITLE_CHARS - 1]}…"


def _where(shell: Any) -> dict[str, str]:
    kernel = getattr(shell, "kernel", None)
    parent = kernel.get_parent() if kernel else {}
    return {
        "cell": str(parent.get("metadata", {}).get("cellId", "")),
        "execution": str(parent.get("header", {}).get("msg_id", "")) or str(getattr(shell, "execution_count", "")),
    }
