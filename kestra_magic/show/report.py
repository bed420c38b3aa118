"""What was measured of a run, as a table with bars over time: HTML and text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kestra_magic.show.card import render
from kestra_magic.show.files import size

if TYPE_CHECKING:
    from kestra_magic.runs.report import Report, Span

__all__ = ["bundle"]

COLUMNS = ("task", "state", "over time", "seconds")


def bundle(report: Report) -> dict[str, str]:
    names = list(dict.fromkeys(name for span in report.spans for name in span.used))
    rows = [_row(report, span, names) for span in report.spans]
    titles = [name.removesuffix("_bytes").removesuffix("_seconds").replace("_", " ") for name in names]
    return {"text/html": render("report", names=[*COLUMNS, *titles], rows=rows), "text/plain": repr(report)}


def _row(report: Report, span: Span, names: list[str]) -> dict[str, object]:
    begins, long = report.place(span)
    return {
        "task": span.task if span.attempt == 1 else f"{span.task} (attempt {span.attempt})",
        "state": span.state,
        "left": round(100 * begins, 1),
        "wide": max(0.5, round(100 * long, 1)),
        "seconds": f"{span.seconds:.2f}",
        "used": [_said(name, span.used.get(name)) for name in names],
    }


def _said(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name.endswith("_seconds"):
        return f"{value:,.2f} s"
    return size(int(value)) if name.endswith("_bytes") else f"{value:,.4g}"
