"""Runs that may go: too old, or too much together. Never those that someone holds, nor the last success of a name."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kestra_magic.workspace.directory import read_record
from kestra_magic.workspace.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Pruned", "prune", "remove"]

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Pruned:
    """A run that may go, and why.

    Attributes:
        state: what its record says; empty while it lives, or if its kernel died.
        bytes: what its files take.
        at: when it was last written, seconds since the epoch.
        reason: ``age`` or ``size``.
    """

    path: Path
    name: str
    number: int
    state: str
    bytes: int
    at: float
    reason: str = ""


def prune(
    base: Path, *, keep_days: float, keep_bytes: int, pinned: Callable[[Path], bool], now: float | None = None
) -> list[Pruned]:
    """List the runs below *base* that may go, the oldest first; nothing is removed.

    Those older than *keep_days*; and while all together take more than *keep_bytes*, the oldest of the others that
    have ended.
    """
    runs = sorted(_runs(base), key=lambda run: (run.at, run.number))
    total = sum(run.bytes for run in runs)
    oldest = (time.time() if now is None else now) - keep_days * _DAY
    successes = {
        run.name: run.path for run in sorted(runs, key=lambda r: r.number) if run.state in ("SUCCESS", "WARNING")
    }
    chosen: list[Pruned] = []
    for run in runs:
        reason = "age" if run.at < oldest else "size" if total > keep_bytes and run.state else ""
        if reason and successes.get(run.name) != run.path and not pinned(run.path):
            chosen.append(replace(run, reason=reason))
            total -= run.bytes
    return chosen


def remove(runs: Iterable[Pruned]) -> list[str]:
    """Remove these runs and the links that lead to them; return why something is left."""
    left = []
    for run in runs:
        link = run.path.parent / run.name
        if link.is_symlink() and os.readlink(link) == run.path.name:
            link.unlink()
        left.append(remove_tree(run.path))
    return [sentence for sentence in left if sentence]


def _runs(base: Path) -> Iterator[Pruned]:
    if not base.is_dir():
        return
    for entry in os.scandir(base):
        named = re.fullmatch(r"(.+)-(\d+)", entry.name)
        if named and entry.is_dir(follow_symlinks=False):
            path = Path(entry.path)
            size, at = _measured(path)
            yield Pruned(path, named[1], int(named[2]), str(read_record(path).get("state", "")), size, at)


def _measured(run: Path) -> tuple[int, float]:
    """Return the bytes below a folder and the time of the last change in it."""
    size, at = 0, run.stat().st_mtime
    for place, _, names in os.walk(run):
        for name in names:
            try:
                facts = os.lstat(os.path.join(place, name))
            except FileNotFoundError:  # a run that lives removes its own
                continue
            size += facts.st_size
            at = max(at, facts.st_mtime) if name == "run.json" else at
    return size, at
