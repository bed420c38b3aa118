"""A folder goes with all that a script put into it: closed, very deep, or full of links to elsewhere."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

__all__ = ["remove_tree"]

ROUNDS = 3  # a process that is just ending may still write


def remove_tree(path: Path) -> str:
    """Remove what lies at *path*; links are removed, never followed. Return why something is left, or nothing."""
    with suppress(OSError):  # mostly nothing is left in it
        os.rmdir(path)
        return ""
    problem: OSError | None = None
    for _ in range(ROUNDS):
        problem = _remove(path)
        if not os.path.lexists(path):
            return ""
    return f"unable to clean up `{path}`: {problem.strerror if problem else 'something still writes into it'}"


def _remove(path: Path) -> OSError | None:
    """Remove as much as can be; return the last reason why something could not."""
    try:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            return None
        problem = _empty(path)
        os.rmdir(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return error
    return problem


def _empty(top: Path) -> OSError | None:
    """Empty a folder; each folder in it is first moved up to the top: no path gets long, and nothing recurses."""
    problem = None
    folders = [top]
    while folders:
        folder = folders.pop()
        _open(folder)
        for entry in _entries(folder):
            try:
                folders += _taken(entry, folder, top)
            except OSError as error:
                problem = error
        if folder != top:
            with suppress(OSError):  # what is left in it has said why
                os.rmdir(folder)
    return problem


def _taken(entry: os.DirEntry[str], folder: Path, top: Path) -> list[Path]:
    """Remove a file; a folder is moved to the top and returned, to be emptied there."""
    if not entry.is_dir(follow_symlinks=False):
        with suppress(FileNotFoundError):  # someone else was faster
            os.unlink(entry.path)
        return []
    if folder == top:
        return [Path(entry.path)]
    _open(Path(entry.path))  # a folder that cannot be written cannot be moved
    moved = top / f".{os.urandom(8).hex()}"
    os.rename(entry.path, moved)
    return [moved]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # not ours, or gone: the removal says so
        return []


def _open(folder: Path) -> None:
    """Give the owner back what a script closed."""
    with suppress(OSError):  # not ours: the removal says so
        os.chmod(folder, 0o700)
