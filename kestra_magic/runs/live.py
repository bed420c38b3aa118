"""One small file for each run that has not ended: whether a dead kernel left something is seen by listing a folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kestra_magic.runs.owner import Owner

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["mark", "marked", "orphans"]

DETACHED = "detached"


def mark(folder: Path, run: str, owner: Owner, *, detached: bool = False) -> None:
    """Say that *run* lives, and whose it is.

    Raises:
        OSError: the disk does not take it.
    """
    (folder / run).write_text(f"{owner.text()}\n{DETACHED if detached else ''}", "utf-8")


def marked(folder: Path, run: str) -> tuple[Owner, bool]:
    """Return who began *run*, and whether it outlives its kernel on purpose."""
    try:
        owner, _, detached = (folder / run).read_text("utf-8").partition("\n")
        return Owner.read(owner), detached == DETACHED
    except (OSError, ValueError):  # gone, or cut short by a full disk
        return Owner(), False


def orphans(folder: Path) -> list[str]:
    """Return the runs whose kernel is dead, but for those that outlive it on purpose."""
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    known = {name: marked(folder, name) for name in names}
    return [name for name, (owner, detached) in known.items() if not detached and not owner.lives()]
