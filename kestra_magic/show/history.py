"""Runs as a table: HTML and text."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kestra_magic.show.card import render, visible

if TYPE_CHECKING:
    from kestra_magic.runs.history import History, Row

__all__ = ["table", "values"]

MOST_COLUMNS = 8
COLUMNS = ("run", "state", "started", "duration", "exit", "files", "where", "label")


def table(runs: History, *, key: str = "") -> dict[str, str]:
    """Return the runs, the latest first, with their inputs, metrics and, while they live, their last line.

    Args:
        key: where the live table finds it.
    """
    rows = runs.rows()[::-1]
    more = list(dict.fromkeys(name for row in rows for name in (*row.inputs, *row.metrics)))[:MOST_COLUMNS]
    last = ["last line"] if any(row.last for row in rows) else []
    names = [*COLUMNS, *more, *last]
    cells = [[*_fixed(row), *(_value(row, name) for name in more), *([row.last] if last else [])] for row in rows]
    used = [at for at in range(len(names)) if at < 2 or any(row[at] for row in cells)]
    names, cells = [names[at] for at in used], [[row[at] for at in used] for row in cells]
    return {"text/html": render("runs", names=names, rows=cells, key=key), "text/plain": _text(names, cells)}


def values(row: Row) -> list[tuple[str, str]]:
    """Return the first inputs and metrics as they are shown."""
    names = dict.fromkeys((*row.inputs, *row.metrics))
    return [(name, _value(row, name)) for name in list(names)[:MOST_COLUMNS]]


def _fixed(row: Row) -> list[str]:
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.started)) if row.started else ""
    code = "" if row.exit_code is None else str(row.exit_code)
    files = str(row.files) if row.files else ""
    noted = " · ".join(filter(None, (row.label, "pinned" if row.pinned else "")))
    return [row.run, row.state, started, _seconds(row.duration), code, files, row.where, noted]


def _seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _value(row: Row, name: str) -> str:
    value: Any = row.metrics.get(name, row.inputs.get(name, ""))
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _text(names: list[str], cells: list[list[str]]) -> str:
    if not cells:
        return "no runs"
    shown = [names, *([visible(cell) for cell in row] for row in cells)]
    wide = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, wide)).rstrip() for row in shown)
