"""Two runs beside each other: as HTML that reads well on a projector, and as text."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from typing import TYPE_CHECKING

from kestra_magic.runs.diff import Row, side_by_side
from kestra_magic.show.card import render, visible
from kestra_magic.show.files import Limits, Preview, preview

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kestra_magic.runs.diff import Change, Difference, FileChange, Mark
    from kestra_magic.show.tables import Glance
    from kestra_magic.workspace.outputs import OutputFile

__all__ = ["bundle"]

LIMITS = Limits(rows=500, columns=24, cell_chars=80, text_chars=60_000, image_bytes=96 << 10, count_bytes=8 << 20)
MOST_ROWS = 120
MOST_FILES = 20


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table, before and after."""

    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Line:
    """A row of two texts; of a line that became another, what both begin and end with is told apart."""

    row: Row

    @property
    def parts(self) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
        left, right = self.row.left, self.row.right
        if self.row.mark != "~":
            return (left, "", ""), (right, "", "")
        start = _alike(left, right)
        end = _alike(left[start:][::-1], right[start:][::-1])
        return _cut(left, start, end), _cut(right, start, end)


def _alike(one: str, other: str) -> int:
    """Return how many characters both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _cut(text: str, start: int, end: int) -> tuple[str, str, str]:
    return text[:start], text[start : len(text) - end], text[len(text) - end :]


@dataclass(frozen=True, slots=True)
class Shown:
    """One file that is not the same.

    Attributes:
        lines: of two texts. *columns* and *rows*: of two tables, each row with its mark.
        images: the sources of two images, empty where there is none.
    """

    file: FileChange
    said: str = ""
    lines: tuple[Line, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Mark, tuple[Cell, ...]], ...] = ()
    images: tuple[str, str] | None = None


def bundle(found: Difference, *, times: bool = False) -> dict[str, str]:
    """Return the difference as HTML and text; with *times*, how long the runs took: that is never the same."""
    seconds = tuple(f"{each:.1f} s" for each in found.seconds) if times else ()
    html = render(
        "difference",
        found=found,
        names=_names(found),
        seconds=seconds,
        tables=[("Inputs and state", found.facts), ("Outputs", found.outputs), ("Metrics", found.metrics)],
        texts_shown=[("What was written", _lines(found.text)), ("Log", _lines(found.log))],
        files=[_shown(file) for file in islice((file for file in found.files if not file.same), MOST_FILES)],
        unchanged=[file.name for file in found.files if file.same],
        more=max(0, sum(not file.same for file in found.files) - MOST_FILES),
    )
    return {"text/html": html, "text/plain": "\n".join(_text(found, seconds))}


def _names(found: Difference) -> tuple[str, str]:
    """The runs by what tells them apart; numbers depend on how often a notebook ran."""
    if found.before.name != found.after.name:
        return found.before.name, found.after.name
    return f"{found.before.name}, before", f"{found.after.name}, after"


def _lines(rows: Sequence[Row]) -> tuple[Line, ...]:
    shown = [Line(row) for row in rows[:MOST_ROWS]]
    return (*shown, *([Line(Row("…"))] if len(rows) > MOST_ROWS else []))


# Files


def _shown(file: FileChange) -> Shown:
    old, new = (_preview(file.before), _preview(file.after))
    kinds = {each.kind for each in (old, new) if each is not None}
    if kinds == {"image"}:
        return Shown(file, images=(_source(old), _source(new)))
    if kinds == {"table"}:
        return _table(file, old.table if old else None, new.table if new else None)
    if kinds <= {"text", "json", "none"}:
        lines = _lines(list(side_by_side(old.text if old else "", new.text if new else "")))
        return Shown(file, said=_said(old, new), lines=lines)
    return Shown(file, said=_said(old, new))


def _preview(file: OutputFile | None) -> Preview | None:
    return None if file is None else preview(file.path, LIMITS)


def _said(*sides: Preview | None) -> str:
    return " → ".join(side.said if side else "nothing" for side in sides)


def _source(side: Preview | None) -> str:
    if side is None or not side.data:
        return ""
    return f"data:{side.mime};base64,{base64.b64encode(side.data).decode()}"


def _table(file: FileChange, old: Glance | None, new: Glance | None) -> Shown:
    columns = tuple(dict.fromkeys((*(old.columns if old else ()), *(new.columns if new else ()))))
    left, right = _by_column(old, columns), _by_column(new, columns)
    said = f"{old.said if old else 'nothing'} → {new.said if new else 'nothing'}"
    rows = tuple(islice(_table_rows(left, right), MOST_ROWS))
    return Shown(file, said=said, columns=columns, rows=rows)


def _by_column(table: Glance | None, columns: Sequence[str]) -> list[tuple[str, ...]]:
    if table is None:
        return []
    places = {name: n for n, name in enumerate(table.columns)}
    return [tuple(row[places[name]] if name in places else "" for name in columns) for row in table.rows]


def _table_rows(left: list[tuple[str, ...]], right: list[tuple[str, ...]]) -> Iterator[tuple[Mark, tuple[Cell, ...]]]:
    """Rows that are the same are left out; as many rows on both sides became each other."""
    for what, i1, i2, j1, j2 in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        both = min(i2 - i1, j2 - j1)
        for n in range(both):
            yield "~", tuple(Cell(a, b) for a, b in zip(left[i1 + n], right[j1 + n], strict=True))
        yield from (("-", tuple(Cell(a, a) for a in row)) for row in left[i1 + both : i2])
        yield from (("+", tuple(Cell(b, b) for b in row)) for row in right[j1 + both : j2])


# As text


def _text(found: Difference, seconds: tuple[str, ...]) -> Iterator[str]:
    yield " → ".join(_names(found))
    if seconds:
        yield f"  duration: {' → '.join(seconds)}"
    if found.same:
        yield "  nothing is different"
    for change in (*found.facts, *found.outputs, *found.metrics):
        yield f"{change.mark} {visible(change.name)}: {_arrow(change)}"
    for row in (*found.text, *found.log):
        yield from _diff_lines(row)
    for file in found.files:
        yield f"{file.mark} {visible(file.name)}" + (" (the same)" if file.same else "")


def _arrow(change: Change) -> str:
    return " → ".join("nothing" if side is None else visible(side) for side in (change.before, change.after))


def _diff_lines(row: Row) -> Iterator[str]:
    if row.mark in "-~":
        yield f"  - {visible(row.left)}"
    if row.mark in "+~":
        yield f"  + {visible(row.right)}"
