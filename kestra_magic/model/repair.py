"""Texts that lost their indentation, whole or in their first line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kestra_magic.model.source import Source, SourceError, load_yaml

if TYPE_CHECKING:
    from kestra_magic.model.source import Document

__all__ = ["piece", "reindented"]


def reindented(text: str) -> str:
    """Return *text* with its indentation, if it has lost all of it (a copy from a web page does); else nothing."""
    lines = [line.rstrip() for line in text.split("\n")]
    if not _is_flat(lines):
        return ""
    from kestra_magic.model.outline import indented

    found = indented(lines).strip("\n") + "\n"
    try:
        value = load_yaml(Source(found)).value
    except SourceError:
        return ""
    return found if isinstance(value, dict | list) else ""


def _is_flat(lines: list[str]) -> bool:
    """Whether no line is indented although a ``type`` stands where only an indented one may."""
    written = [line for line in lines if line and not line.lstrip().startswith("#")]
    if not written or any(line[0] in " \t" for line in written):
        return False
    types = sum(bool(re.match(r"type\s*:", line)) for line in written)
    tasks = any(re.match(r"tasks\s*:\s*$", line) for line in written)
    return types > 0 and (tasks or types > 1 or written[0].startswith("- "))


def piece(source: Source) -> Document | None:
    """Read a piece whose first line was selected from its middle on, and so lost its indentation alone."""
    lines = source.text.split("\n")
    first = next((n for n, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return None
    for indent in sorted({_indent(line) for line in lines[first + 1 :] if line.strip()} - {0}):
        moved = [*lines[:first], " " * indent + lines[first], *lines[first + 1 :]]
        try:
            return load_yaml(Source("\n".join(moved), source.name, source.first_line))
        except SourceError:
            continue
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
