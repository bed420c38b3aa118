"""On which line of the cell a line of a text was written: for block, folded, quoted and plain texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kestra_magic.model.source import Place

__all__ = ["line_of"]


def line_of(place: Place, source: str, value: str, n: int) -> int:
    """Return the line of *source* (from 0) that holds the *n*-th line (from 0) of *value*, written at *place*."""
    if place.style == "|":
        return min(place.first + 1 + n, max(place.last, place.first))
    if place.first == place.last:
        return place.first
    return _folded(place, source.split("\n"), value.split("\n"), n)


def _folded(place: Place, source: list[str], texts: list[str], n: int) -> int:
    """Follow a folded text through its lines: each of its lines begins with the words of a written line."""
    line = place.first + (place.style == ">")
    for text in texts[:n]:
        line = _after(source, line, place.last, text)
    while line < place.last and texts[min(n, len(texts) - 1)].strip() and not source[line].strip():
        line += 1
    return min(line, place.last)


def _after(source: list[str], line: int, last: int, text: str) -> int:
    """Return the line after those that *text* was folded from."""
    left = "".join(text.split())
    while line < last and left:
        written = "".join(source[line].split()).strip("\"'")
        if written and not left.startswith(written):
            return line + bool(line < last)
        left = left.removeprefix(written)
        line += 1
    return line if text.strip() else min(line + 1, last)
