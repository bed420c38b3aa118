"""What is different between two runs: what went in, what was written, what came out."""

from __future__ import annotations

import filecmp
import json
import sys
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.scope import Scope
from kestra_magic.runs.kernels.attach import attach, found
from kestra_magic.runs.masking import forms, painted
from kestra_magic.runs.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kestra_magic.runs.session import Session
    from kestra_magic.workspace.outputs import OutputFile

__all__ = ["Change", "Difference", "FileChange", "Mark", "Row", "difference", "pair", "side_by_side"]

Mark = Literal["=", "-", "+", "~", "…"]
MOST_LINES = 2_000
CONTEXT_LINES = 3


@dataclass(frozen=True, slots=True)
class Change:
    """One value that is not the same; None where there is none."""

    name: str
    before: str | None
    after: str | None

    @property
    def mark(self) -> Mark:
        return "+" if self.before is None else "-" if self.after is None else "~"


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file; None where there is none."""

    name: str
    before: OutputFile | None
    after: OutputFile | None
    same: bool = False

    @property
    def mark(self) -> Mark:
        if self.same:
            return "="
        return "+" if self.before is None else "-" if self.after is None else "~"


@dataclass(frozen=True, slots=True)
class Row:
    """Two lines side by side: the same, only one of them, or one that became the other; `…` stands for many."""

    mark: Mark
    left: str = ""
    right: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two runs, the earlier one first.

    Attributes:
        facts: state, exit code and inputs. *outputs*: values, each by its path. All of them: only what is not the same.
        text: what was written in the cell or the flow. *log*: what the runs said.
        seconds: how long each took: measured, and in nothing that is saved.
    """

    before: Run
    after: Run
    facts: tuple[Change, ...]
    outputs: tuple[Change, ...]
    metrics: tuple[Change, ...]
    files: tuple[FileChange, ...]
    text: tuple[Row, ...]
    log: tuple[Row, ...]

    @property
    def seconds(self) -> tuple[float, float]:
        return self.before.duration, self.after.duration

    @property
    def same(self) -> bool:
        """Whether nothing is different."""
        changed = any(not file.same for file in self.files)
        return not (self.facts or self.outputs or self.metrics or changed or self.text or self.log)


def pair(session: Session, first: str, second: str = "") -> tuple[Run, Run]:
    """Return the runs to compare: *first* and *second*, or the one before *first* and *first*.

    Raises:
        KestraMagicError: there is no such run, or none before it.
    """
    one = attach(session, first)
    if second:
        return one, attach(session, second)
    return _run_before(session, one), one


def _run_before(session: Session, run: Run) -> Run:
    number = run.context.folder.number
    mine = [each for each in session.runs if each.name == run.name and each.context.folder.number < number]
    if mine:
        return max(mine, key=lambda each: each.context.folder.number)
    for record in session.journal.history(run.name):
        if record.ended is not None and _number(record.folder) < number:
            return found(session, record)
    raise KestraMagicError(f"`{run.name}` ran only once: there is nothing before it to compare with")


def _number(folder: str) -> int:
    digits = folder.rpartition("-")[2]
    return int(digits) if digits.isdigit() else sys.maxsize


def difference(before: Run, after: Run) -> Difference:
    """Compare two runs that have ended."""
    return Difference(
        before,
        after,
        facts=(*_changes(_facts(before), _facts(after)), *_changes(_inputs(before), _inputs(after))),
        outputs=tuple(_changes(_outputs(before), _outputs(after))),
        metrics=tuple(_changes(_metrics(before), _metrics(after))),
        files=tuple(_files(before.files, after.files)),
        text=tuple(side_by_side(before.context.document.source.text, after.context.document.source.text)),
        log=tuple(side_by_side(_said(before), _said(after))),
    )


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield Change(name, before.get(name), after.get(name))


def _facts(run: Run) -> dict[str, str]:
    code = {"exit code": str(run.exit_code)} if run.context.cell and run.exit_code is not None else {}
    return {"state": run.state.value, **code, **({"error": run.error} if run.error else {})}


def _inputs(run: Run) -> dict[str, str]:
    """What was given, and in a cell the notebook's values that it asked for."""
    notebook = run.context.notebook or {}
    values = {name: notebook[name] for name in sorted(getattr(notebook, "asked", ())) if name in notebook}
    plain = {**values, **run.context.inputs}
    return _masked(run, _leaves(Scope({}, {k: v for k, v in plain.items() if not isinstance(v, Run)}), "inputs"))


def _outputs(run: Run) -> dict[str, str]:
    outputs = {"vars": run.vars} if run.context.cell else run.outputs
    return _masked(run, _leaves(outputs, ""))


def _masked(run: Run, leaves: Iterable[tuple[str, str]]) -> dict[str, str]:
    return dict(painted(dict(leaves), forms(run.context.masked_values())))


def _leaves(value: Mapping[Any, Any], path: str) -> Iterator[tuple[str, str]]:
    """Yield each value by its path; addresses of files are different in every run and are left out."""
    for key in value:
        item, here = value[key], f"{path}.{key}".lstrip(".")
        if isinstance(item, dict) and item:
            yield from _leaves(item, here)
        elif not (isinstance(item, str) and item.startswith("kestra:///")):
            yield here, item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, default=str)


def _metrics(run: Run) -> dict[str, str]:
    """Counters and gauges; a timer was measured, and is never the same."""
    tasks = run.context.live.values()
    entries = [(task.task_id, metric) for task in tasks for metric in task.metrics.totals() if metric.type != "timer"]
    return {_metric_name(task, metric, run.context.cell): f"{metric.value:,.10g}" for task, metric in entries}


def _metric_name(task: str, metric: Any, cell: bool) -> str:
    tags = ", ".join(f"{key}={value}" for key, value in dict(metric.tags).items())
    return f"{'' if cell else f'{task}.'}{metric.name}" + (f" ({tags})" if tags else "")


def _said(run: Run) -> str:
    """The first lines of what its tasks wrote."""
    tasks = [task for task in run.context.live.values() if task.log.file]
    lines = [(task.task_id, line) for task in tasks for line in task.log.settled(MOST_LINES)]
    return "".join(f"{line}\n" if run.context.cell else f"{task} | {line}\n" for task, line in lines)


def _files(before: Mapping[str, OutputFile], after: Mapping[str, OutputFile]) -> Iterator[FileChange]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        yield FileChange(name, old, new, same=old is not None and new is not None and _equal(old, new))


def _equal(one: OutputFile, other: OutputFile) -> bool:
    try:
        return filecmp.cmp(one.path, other.path, shallow=False)
    except OSError:  # one of them is gone
        return False


def side_by_side(before: str, after: str) -> Iterator[Row]:
    """Yield the lines of two texts beside each other that are near a difference; nothing if there is none."""
    left, right = before.splitlines()[:MOST_LINES], after.splitlines()[:MOST_LINES]
    if left == right:
        return
    for group in SequenceMatcher(None, left, right, autojunk=False).get_grouped_opcodes(CONTEXT_LINES):
        if group[0][1] > 0:
            yield Row("…")
        for what, i1, i2, j1, j2 in group:
            yield from _rows(what, left[i1:i2], right[j1:j2])


def _rows(what: str, left: list[str], right: list[str]) -> Iterator[Row]:
    for old, new in zip_longest(left, right):
        mark: Mark = "=" if what == "equal" else "+" if old is None else "-" if new is None else "~"
        yield Row(mark, old or "", new or "")
