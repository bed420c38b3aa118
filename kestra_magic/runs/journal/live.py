"""One small file for each kernel, that names its runs which have not ended: what a dead one left is seen at once."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from kestra_magic.runs.journal.owner import Owner
from kestra_magic.workspace.transfer import make_private

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Marked", "Marks", "forget", "marked", "orphans", "tidy"]

DETACHED = "detached"
KEPT_SECONDS = 86_400.0
"""For which a file that names nothing is kept: its kernel may live, and be about to write into it."""
_WRITE: Final = os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Marks:
    """The runs of this kernel that live. Its file is empty when there are none: making one for each run takes longer.

    Raises:
        OSError: the disk does not take it.
    """

    def __init__(self, folder: Path, owner: Owner) -> None:
        self._owner = owner
        self._path = folder / os.urandom(8).hex()
        self._runs: dict[str, str] = {}
        self._lock = threading.Lock()

    def add(self, run: str, *, detached: bool = False) -> None:
        """Say that *run* lives."""
        with self._lock:
            self._runs[run] = f"{run} {DETACHED if detached else ''}\n"
            self._write()

    def remove(self, run: str) -> bool:
        """Say that it lives no more; return whether it did."""
        with self._lock:
            known = self._runs.pop(run, "")
            if known:
                self._write()
            return bool(known)

    def close(self) -> None:
        """The kernel ends: what still lives stays written."""
        with self._lock:
            if not self._runs:
                self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        text = "".join((f"{self._owner.text()}\n", *self._runs.values())).encode() if self._runs else b""
        try:
            file = os.open(self._path, _WRITE, 0o600)
        except FileNotFoundError:
            make_private(self._path.parent)
            file = os.open(self._path, _WRITE, 0o600)
        try:
            os.write(file, text)
            os.ftruncate(file, len(text))
        finally:
            os.close(file)


class Marked(NamedTuple):
    """What one kernel said of its runs: their ids, and whether each outlives it on purpose."""

    owner: Owner
    runs: dict[str, bool]


def marked(file: Path) -> Marked:
    """Return what *file* says; of one that is cut short by a full disk or gone, whatever can be read."""
    try:
        owner, *lines = file.read_text("utf-8").splitlines()
        runs = dict(line.split(" ", 1) for line in lines if " " in line)
        return Marked(Owner.read(owner), {run: said == DETACHED for run, said in runs.items()})
    except (OSError, ValueError):
        return Marked(Owner(), {})


def orphans(folder: Path) -> list[str]:
    """Return the runs whose kernel is dead, but for those that outlive it on purpose."""
    dead = [said for said in map(marked, _files(folder)) if not said.owner.lives()]
    return sorted(run for said in dead for run, detached in said.runs.items() if not detached)


def tidy(folder: Path) -> None:
    """Remove the files that kernels which were killed have left, and that name nothing."""
    for file in _files(folder):
        with suppress(OSError):  # another kernel was faster
            if time.time() - file.stat().st_mtime > KEPT_SECONDS and not marked(file).runs:
                file.unlink()


def forget(folder: Path, run: str) -> None:
    """Take *run* out of whatever file names it.

    Raises:
        OSError: the disk does not take it.
    """
    for file in _files(folder):
        lines = file.read_text("utf-8").splitlines(keepends=True)
        left = [line for line in lines if not line.startswith(f"{run} ")]
        if left != lines:
            file.write_text("".join(left) if len(left) > 1 else "", "utf-8")


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
