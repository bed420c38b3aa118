"""What goes wrong is said in one readable sentence: what, where, and what to do about it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["KestraMagicError", "did_you_mean", "did_you_mean_beside"]


class KestraMagicError(Exception):
    """The root of all errors that a person is meant to read.

    IPython shows its message alone: a traceback of ours would say nothing about the person's own cell.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"\x1b[31m{type(self).__name__}\x1b[0m: {self}"]


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return «; did you mean `x`?» for the nearest of *known*, or nothing; a *cutoff* of 1 asks for the word itself."""
    from difflib import get_close_matches  # when something is wrong, not when a kernel begins

    spelled = {each.lower(): each for each in known}
    near = get_close_matches(word.lower(), list(spelled), n=1, cutoff=cutoff)
    return f"; did you mean `{spelled[near[0]]}`?" if near else ""


def did_you_mean_beside(path: Path) -> str:
    """Return «; did you mean `x`?» for the nearest name in the folder of *path*, or nothing."""
    return did_you_mean(path.name, os.listdir(path.parent)) if path.parent.is_dir() else ""
