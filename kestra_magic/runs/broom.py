"""Working directories go with their attempts, behind the back of whoever comes next: no task and no cell waits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from kestra_magic.workspace.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from kestra_magic.tasks.place import Prepared

__all__ = ["Broom"]


class Broom:
    """Sweeps for one execution.

    Args:
        gone: told of each attempt whose directory is gone, and why where it is not.
    """

    def __init__(self, gone: Callable[[Prepared, str], None]) -> None:
        self._gone = gone
        self._left: list[Prepared] = []
        self._lock = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None
        self._sweeps: list[Future[None]] = []

    def next_time(self, prepared: Prepared) -> None:
        """Remove what was left before, and leave this for the next time."""
        self._sweep()
        self._left.append(prepared)

    def soon(self, prepared: Prepared) -> None:
        """Remove it in a thread."""
        try:
            with self._lock:
                self._thread = self._thread or ThreadPoolExecutor(1, "kestra-broom")
                self._sweeps.append(self._thread.submit(self._remove, prepared))
        except RuntimeError:  # Python ends, and begins no more threads
            self._remove(prepared)

    def finish(self) -> None:
        """Return when all are gone."""
        self._sweep()
        if self._thread is not None:
            self._thread.shutdown()
            self._thread, sweeps, self._sweeps = None, self._sweeps, []
            for sweep in sweeps:
                sweep.result()

    def _sweep(self) -> None:
        while self._left:
            self._remove(self._left.pop())

    def _remove(self, prepared: Prepared) -> None:
        self._gone(prepared, remove_tree(Path(prepared.job.root)))
