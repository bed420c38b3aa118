"""Where a worker runs attempts, and what dead workers left there."""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.recorder import read_status
from kestra_magic.process.sweep import Identity, end_left, identity, lives
from kestra_magic.runners.dask.parcels import Parcels
from kestra_magic.workspace.removal import remove_tree
from kestra_magic.workspace.transfer import make_private

__all__ = ["claim", "forget", "log_folder", "private", "salvage", "sweep"]

OWNER = "owner"
SALVAGED = 8 << 20
"""Bytes of a log that are sent at once."""
SWEPT = 60.0
"""Seconds after which the folder of all attempts is swept again."""
PATIENCE = 2.0
"""Seconds in which a guardian whose worker is dead ends its tree and closes its log."""


def log_folder(root: str | Path) -> Path:
    return Path(f"{root}.log")


def private(folder: Path) -> None:
    """Make the folder of all attempts, and sweep it.

    Raises:
        KestraMagicError: it is not this user's alone.
    """
    try:
        facts = os.lstat(make_private(folder))
    except OSError as error:
        raise KestraMagicError(f"the worker cannot make `{folder}`: {error.strerror or error}; {_ELSEWHERE}") from None
    ours = not hasattr(os, "getuid") or (facts.st_uid == os.getuid() and not stat.S_IMODE(facts.st_mode) & 0o077)
    if not ours or not stat.S_ISDIR(facts.st_mode):
        raise KestraMagicError(f"on the worker `{folder}` is not its user's alone (0700); {_ELSEWHERE}")
    sweep(folder)


_ELSEWHERE = "choose another folder with the setting `worker_root`"


def claim(root: Path) -> None:
    """Write down whose attempt this is, before anything of it is there."""
    folder = log_folder(root)
    os.mkdir(folder, 0o700)
    (folder / OWNER).write_text(json.dumps(asdict(identity())), "utf-8")


def forget(root: Path) -> None:
    remove_tree(root)
    remove_tree(log_folder(root))


_swept: dict[Path, float] = {}


def sweep(folder: Path) -> None:
    """End and remove what workers left that died a while ago: until then a client may ask for the log."""
    if time.monotonic() < _swept.get(folder, 0.0) + SWEPT:
        return
    _swept[folder] = time.monotonic()
    for log in folder.glob("*.log"):
        with suppress(OSError, ValueError):  # another worker sweeps too
            owner = Identity(**json.loads((log / OWNER).read_text("utf-8")))
            if not lives(owner) and time.time() - log.stat().st_mtime > 60:
                _end_tree(log)
                forget(log.with_suffix(""))


def salvage(root: str, told: dict[str, int]) -> dict[str, Any] | None:
    """Return what an attempt wrote and could not tell: its next pieces, and whether there are more.

    With the last ones come its guardian's last words, and nothing of it is left here. None: nothing is.
    """
    log = log_folder(root)
    if not log.is_dir():
        return None
    until = time.monotonic() + PATIENCE
    while "exited" not in (status := read_status(log)) and time.monotonic() < until:
        time.sleep(0.01)
    _end_tree(log)
    pieces, size = [], 0
    for piece in Parcels(log, told).new():
        pieces.append(piece)
        size += len(piece.get("data", b""))
        if size > SALVAGED:
            return {"pieces": pieces, "more": True}
    forget(Path(root))
    return {"pieces": pieces, "more": False, "status": status}


def _end_tree(log: Path) -> None:
    if status := read_status(log):
        end_left(Identity(status["boot"], status["pid"], status["start"]), status["mark"])
