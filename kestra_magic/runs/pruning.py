"""Runs go when they are old, or too much together: after a run, in the background, at no cost to its cell."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kestra_magic.settings import current
from kestra_magic.workspace.pruning import prune, remove

if TYPE_CHECKING:
    from kestra_magic.runs.session import Session
    from kestra_magic.workspace.pruning import Pruned

__all__ = ["Pruning"]

EVERY_SECONDS = 60.0
_DAY = 86_400.0


class Pruning:
    """Keeps the results of one session's runs within the bounds of the settings."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._last = 0.0

    def soon(self) -> None:
        """Prune in a thread of its own, unless that was done just now."""
        if time.monotonic() - self._last < EVERY_SECONDS and self._last:
            return
        self._last = time.monotonic()
        threading.Thread(target=self.now, name="kestra-pruning", daemon=True).start()

    def now(self) -> list[str]:
        """Remove what may go; return why something is left."""
        left = self.remove(self.candidates())
        self._session.journal.forget_before(time.time() - current().keep_days * _DAY)
        return left

    def remove(self, runs: list[Pruned]) -> list[str]:
        """Remove *runs*, and what led to their files; return why something is left."""
        with self._lock:
            left = remove(runs)
            self._session.storage.tidy()
        return left

    def candidates(self, *, ended: bool = False) -> list[Pruned]:
        """Return what may go by age or size, or all that has *ended*: the oldest first.

        Never what is pinned or bound to a live variable, what another kernel may still hold, nor the last success of
        a name.
        """
        held = self._session.journal.held() | self._bound()
        days = -1.0 if ended else current().keep_days
        found: list[Pruned] = []
        for base in self._bases():
            found += prune(base, keep_days=days, keep_bytes=current().keep_bytes, pinned=held.__contains__)
        return found

    def _bases(self) -> set[Path]:
        """Results lie elsewhere where the notebook's folder could not be written."""
        return {self._session.base.absolute(), *(run.folder.parent for run in self._session.runs)}

    def _bound(self) -> set[Path]:
        """The folders of what lives, or is bound to one of the notebook's variables."""
        bound = set(map(id, list(self._session.names.values())))
        return {run.folder for run in self._session.runs if not run.ended or id(run) in bound}
