"""Why a pattern matched nothing: what there is instead, and what to write."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from kestra_magic.workspace.globs import GlobError, java_glob

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["instead"]

FEW = 2000  # names that are compared letter by letter


def instead(pattern: str, root: Path, names: list[str]) -> str:
    """Return «: …» about a pattern that matched none of *names* below *root*; nothing if there is nothing to say."""
    look = _Look(pattern, root, names)
    guesses = (look.rooted, look.dotted, look.folder, look.link, look.shallow, look.deep, look.case, look.near)
    said = next((said for guess in guesses if (said := guess())), "" if names else "the run left no file at all")
    return f": {said}" if said else ""


@dataclass(frozen=True, slots=True)
class _Look:
    pattern: str
    root: Path
    names: list[str]

    def rooted(self) -> str:
        below = self.pattern.removeprefix(f"{self.root}/")
        return f"patterns begin at the working directory, write `{below}`" if below != self.pattern else ""

    def dotted(self) -> str:
        below = self.pattern.removeprefix("./")
        return f"write `{below}` without `./`" if below != self.pattern and self._first(below) else ""

    def folder(self) -> str:
        below = self.pattern.strip("/")
        return f"it is a folder, write `{below}/**`" if below and (self.root / below).is_dir() else ""

    def link(self) -> str:
        path = self.root / self.pattern.lstrip("/")
        return "it is a link, and only regular files are collected" if path.is_symlink() else ""

    def shallow(self) -> str:
        flat = self.pattern.replace("**/", "")
        found = self._first(flat) if flat != self.pattern else ""
        return f"`**/` needs a folder, and `{found}` lies in none: add `{flat}`" if found else ""

    def deep(self) -> str:
        found = self._first(f"**/{self.pattern}")
        return f"`{found}` lies deeper: write `{found}`, or `**/{self.pattern}`" if found else ""

    def case(self) -> str:
        lowered = {name.lower(): name for name in self.names}
        found = self._first(self.pattern.lower(), list(lowered))
        return f"there is `{lowered[found]}`, and case matters" if found else ""

    def near(self) -> str:
        stem, dot, _ = self.pattern.rpartition(".")
        found = self._first(f"{stem}.*") if dot and stem.strip("*/") else ""
        close = get_close_matches(self.pattern, self.names[:FEW], n=1, cutoff=0.6)
        found = found or (close[0] if close else "")
        return f"there is `{found}`" if found else ""

    def _first(self, pattern: str, names: list[str] | None = None) -> str:
        """Return the first name that *pattern* would match."""
        try:
            matches = java_glob(pattern)
        except GlobError:
            return ""
        return next((name for name in (self.names if names is None else names) if matches(name)), "")
