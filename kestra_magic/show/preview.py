"""`--dry-run` as a person sees it: static HTML and plain text, with what was put in made visible."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kestra_magic.expressions.render import Piece
    from kestra_magic.runs.preview import Preview, Shown

__all__ = ["as_bundle", "as_html", "as_text"]

MOST = 20_000  # characters of one text that are shown
_MARK = "background:rgba(255,200,0,.35);border-radius:2px"


def as_bundle(preview: Preview) -> dict[str, str]:
    return {"text/plain": as_text(preview), "text/html": as_html(preview)}


def as_text(preview: Preview) -> str:
    """What was put in stands between « and »."""
    lines = [f"{preview.name}: nothing runs, this is what would"]
    for task, items in preview.tasks.items():
        lines += ["", f"[{task}]"] if len(preview.tasks) > 1 else [""]
        for item in items:
            lines += _lines(item)
    return "\n".join([*lines, *([""] if preview.notes else []), *(f"! {note}" for note in preview.notes)])


def _lines(item: Shown) -> list[str]:
    said = "".join(f"«{piece.text}»" if piece.origin else piece.text for piece in _cut(item.pieces))
    note = [f"  ({item.note})"] if item.note else []
    if "\n" not in said.rstrip("\n"):
        return [f"{item.label}: {said.rstrip()}", *note]
    return [f"{item.label}:", *(f"  {line}" for line in said.rstrip("\n").split("\n")), *note]


def as_html(preview: Preview) -> str:
    parts = [f"<div><b>{escape(preview.name)}</b>: nothing runs, this is what would</div>"]
    for task, items in preview.tasks.items():
        title = f"<div><b>{escape(task)}</b></div>" if len(preview.tasks) > 1 else ""
        parts.append(f"{title}<table>{''.join(map(_row, items))}</table>")
    parts += [f"<div>⚠ {escape(note)}</div>" for note in preview.notes]
    return f"<div>{''.join(parts)}</div>"


def _row(item: Shown) -> str:
    said = "".join(_html(piece) for piece in _cut(item.pieces))
    note = f"<div><i>{escape(item.note)}</i></div>" if item.note else ""
    cell = 'style="text-align:left;vertical-align:top"'
    return f'<tr><td {cell}>{escape(item.label)}</td><td {cell}><pre style="margin:0">{said}</pre>{note}</td></tr>'


def _html(piece: Piece) -> str:
    if piece.origin is None:
        return escape(piece.text)
    return f'<mark style="{_MARK}" title="{escape(piece.origin)}">{escape(piece.text)}</mark>'


def _cut(pieces: Iterable[Piece]) -> Iterable[Piece]:
    """Yield pieces up to the bound, and say how much is left out."""
    room = MOST
    left = 0
    for piece in pieces:
        if len(piece.text) > room:
            left += len(piece.text) - room
            piece = type(piece)(piece.text[:room], piece.origin, piece.line)
        room -= len(piece.text)
        if piece.text:
            yield piece
    if left:
        yield type(piece)(f"… ({left:,} more characters)", None, 1)
