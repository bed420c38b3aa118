"""Texts that lost their indentation, whole or in their first line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kestra_magic.model.source import Source, SourceError, load_yaml

if TYPE_CHECKING:
    from kestra_magic.model.source import Document

__all__ = ["piece", "reindented"]


def reindented(text: str) -> str:
    """Return *text* with its indentation, if it has lost it; else nothing."""
    return ""


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
