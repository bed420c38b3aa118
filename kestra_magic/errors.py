"""What goes wrong is said in one readable sentence: what, where, and what to do about it."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = [
    "Interrupted",
    "KestraMagicError",
    "SystemRefusal",
    "did_you_mean",
    "did_you_mean_beside",
    "in_a_sentence",
    "refusal",
]


class KestraMagicError(Exception):
    """The root of all errors that a person is meant to read.

    IPython shows its message alone: a traceback of ours would say nothing about the person's own cell.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"\x1b[31m{type(self).__name__}\x1b[0m: {self}"]


class SystemRefusal(KestraMagicError):
    """What the system refused where nobody expected it: too many open files, a full disk, a folder that has gone."""

    def __init__(self, error: OSError) -> None:
        where = f"`{os.fsdecode(error.filename)}`: " if isinstance(error.filename, str | bytes) else ""
        super().__init__(f"{where}{refusal(error)}")


class Interrupted(KestraMagicError, KeyboardInterrupt):
    """A person stopped what was going on: said in a word, and the cells behind it do not run."""


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """What the system refuses anywhere within (open files, disk, a folder that has gone) is a sentence; a stop too."""
    try:
        yield
    except KestraMagicError:
        raise
    except OSError as error:
        raise SystemRefusal(error) from None
    except KeyboardInterrupt:
        raise Interrupted("interrupted") from None


def refusal(error: OSError) -> str:
    """Return why the system refused something, and what to do about it."""
    return {
        errno.ENOSPC: "the disk is full: make room, or move the tree with the setting `runs_dir`",
        errno.EDQUOT: "the quota is used up: make room, or move the tree with the setting `runs_dir`",
        errno.EMFILE: "too many files are open in this kernel: close some, or raise the limit (`ulimit -n`)",
        errno.ENFILE: "too many files are open on this machine",
        errno.EACCES: "you have no permission",
        errno.EROFS: "the file system is read-only",
        errno.ENOTDIR: "it is no folder, and one is needed",
        errno.EISDIR: "it is a folder, and a file is needed",
        errno.EEXIST: "a file lies where a folder is needed",
        errno.ENAMETOOLONG: "the name is too long",
    }.get(error.errno or 0, error.strerror or str(error))


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return «; did you mean `x`?» for the nearest of *known*, or nothing; a *cutoff* of 1 asks for the word itself."""
    from difflib import get_close_matches  # when something is wrong, not when a kernel begins

    spelled = {each.lower(): each for each in known}
    near = get_close_matches(word.lower(), list(spelled), n=1, cutoff=cutoff)
    return f"; did you mean `{spelled[near[0]]}`?" if near else ""


def did_you_mean_beside(path: Path) -> str:
    """Return «; did you mean `x`?» for the nearest name in the folder of *path*, or nothing."""
    return did_you_mean(path.name, {*os.listdir(path.parent)} - {path.name}) if path.parent.is_dir() else ""
