"""The files below a folder that someone works in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NOT_WORK", "files_below", "nearby"]

# Made by tools, not by the person; `kestra-runs` would place all earlier results into the next run.
NOT_WORK = {".git", ".ipynb_checkpoints", "__pycache__", "kestra-runs", "node_modules", ".venv"}
FEW = 2000


def files_below(folder: Path) -> dict[str, Path]:
    """Return the regular files below *folder* by name (``/`` between folders); links are followed, each folder once."""
    return {path.relative_to(folder).as_posix(): path for path in _walk(folder, set())}


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in seen or not os.path.isdir(real):
        return
    seen.add(real)
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.is_dir() and entry.name not in NOT_WORK:
                yield from _walk(Path(entry.path), seen)
            elif entry.is_file():
                yield Path(entry.path)


def nearby(folder: Path) -> list[str]:
    """Return the names in *folder* and in its own folders, to be offered in an error; a few at most."""
    found: list[str] = []
    for place, folders, names in os.walk(folder):
        below = os.path.relpath(place, folder)
        folders[:] = sorted(name for name in folders if name not in NOT_WORK and not name.startswith("."))
        found += [os.path.normpath(os.path.join(below, name)) for name in (*folders, *sorted(names))]
        if below.count(os.sep) or len(found) > FEW:
            folders.clear()
    return found[:FEW]
