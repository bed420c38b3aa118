"""What a cell would run, rendered now: `--dry-run`. No process is started, no folder is left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.errors import ExpressionError, MissingError
from kestra_magic.expressions.render import Piece
from kestra_magic.expressions.rewriting import uses
from kestra_magic.expressions.scope import ROOTS, Scope
from kestra_magic.model.source import Source
from kestra_magic.model.tasks import ScriptTask
from kestra_magic.runs.frame import Frame
from kestra_magic.runs.request import Request
from kestra_magic.runs.session import Session
from kestra_magic.tasks.scripts import prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kestra_magic.model.tasks import Task
    from kestra_magic.runs.context import Context
    from kestra_magic.runs.host import SessionHost

__all__ = ["Preview", "Shown", "outside", "preview_cell", "preview_flow"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One text of a task: what it is, and its pieces; those with an origin were put in."""

    label: str
    pieces: tuple[Piece, ...]
    note: str = ""

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(slots=True)
class Preview:
    """What would run, task by task, secrets masked."""

    name: str
    tasks: dict[str, list[Shown]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class _Rehearsal(Session):
    """The same notebook and its earlier runs, with a folder that goes again."""

    def __init__(self, of: Session, folder: Path) -> None:
        super().__init__(of.beside)
        self._of, self._folder = of, folder
        self.flows = dict(of.flows)

    @property
    def base(self) -> Path:
        return self._folder

    def outputs(self) -> dict[str, Any]:
        return self._of.outputs()


def preview_cell(session: Session, request: Request) -> Preview:
    """Return what a process cell would run.

    Raises:
        KestraMagicError: what would stop the run before its process: with its line.
    """
    with TemporaryDirectory(prefix="kestra-dry-") as folder:
        run = _Rehearsal(session, Path(folder)).cell(request)
        context, task = run.context, run._engine.task  # type: ignore[attr-defined]
        preview = Preview(request.name)
        preview.tasks[task.id] = _task(task, context)
        preview.notes += _notes(context, _texts(task))
        return preview


def preview_flow(
    session: Session,
    source: Source,
    options: Mapping[str, Any],
    *,
    name: str,
    notebook: Mapping[str, object],
    home: Path | None = None,
) -> Preview:
    """Return what a flow would run, as far as it is known before its first task.

    Raises:
        KestraMagicError: the flow cannot start: every problem with its line.
    """
    with TemporaryDirectory(prefix="kestra-dry-") as folder:
        rehearsal = _Rehearsal(session, Path(folder))
        run = rehearsal.flow(source, options, name=name, beside=session.beside, notebook=notebook, home=home)
        assert run.context.flow is not None
        preview = Preview(run.name)
        for task in _all(run.context.flow.tasks):
            preview.tasks[task.id] = _guessed(task, run.context)
        preview.notes += run.context.told()
        return preview


def _all(tasks: Iterable[Task]) -> Iterable[Task]:
    for task in tasks:
        yield task
        yield from _all(getattr(task, "tasks", None) or ())


def outside(session: Session, notebook: Mapping[str, object]) -> tuple[Scope, SessionHost, Callable[[str], str]]:
    """Return what an expression sees in a process cell now, who answers for the rest, and what masks secrets."""
    with TemporaryDirectory(prefix="kestra-dry-") as folder:
        request = Request(source=Source(""), notebook=notebook, beside=session.beside)
        context = _Rehearsal(session, Path(folder)).cell(request).context
    return Scope(context.run_roots(), notebook, inputs_fall_back=True), context.host, context.masked


# One task


def _task(task: ScriptTask, context: Context) -> list[Shown]:
    rendered: dict[str, list[Piece]] = {}
    place = context.place(task, context.new_task_run(), 1, Frame())
    prepared = prepare(task, replace(place, seen=rendered.__setitem__))

    def shown(label: str, text: str) -> Shown:
        pieces = rendered.get(text, [Piece(text, None, 1)])
        return Shown(label, tuple(replace(piece, text=context.masked(piece.text)) for piece in pieces))

    found = [shown(label, text) for label, text in _texts(task)]
    files = [
        Shown("file", (Piece(file.name, None, 1),)) for file in prepared.job.inputs if file.name != prepared.script
    ]
    declared = {item.label for item in found}
    return [*found, *(item for item in files if f"file {item.text}" not in declared)]


def _texts(task: Task) -> list[tuple[str, str]]:
    """Return the task's templates: what each is, and how it was written."""
    found: list[tuple[str, str]] = []
    for name in ("script", "before_commands", "commands", "env", "input_files", "output_files"):
        given = getattr(task, name, None)
        raw = getattr(given, "raw", given)
        label = {"input_files": "file", "output_files": "output", "before_commands": "before"}.get(
            name, name.rstrip("s")
        )
        if isinstance(raw, dict):
            found += [
                (f"{label} {key}", value if isinstance(value, str) else json.dumps(value)) for key, value in raw.items()
            ]
        elif isinstance(raw, list):
            found += [(label, str(item)) for item in raw]
        elif raw is not None:
            found.append((name, str(raw)))
    return found


def _guessed(task: Task, context: Context) -> list[Shown]:
    """Render each text by itself: what depends on tasks that have not run stays as it is written."""
    place = context.place(task, context.new_task_run(), 1, Frame())
    rendered: dict[str, list[Piece]] = {}
    place = replace(place, seen=rendered.__setitem__)
    found = []
    for label, text in _texts(task):
        note = ""
        try:
            place.text(text, workingDir=place.root)
        except MissingError as error:
            note = f"known when it runs: `{error.name}`"
        except ExpressionError as error:
            note = error.sentence
        except KestraMagicError as error:
            note = str(error)
        pieces = rendered.get(text, [Piece(text, None, 1)])
        found.append(Shown(label, tuple(replace(p, text=context.masked(p.text)) for p in pieces), note))
    return found


def _notes(context: Context, texts: Iterable[tuple[str, str]]) -> list[str]:
    """Say what a server would not have: the notebook's own names."""
    if context.wishes.raw:
        texts = [(label, text) for label, text in texts if label != "script"]
    names = {use.name for _, text in texts for use in _uses(text) if use.name not in ROOTS}
    told = [
        f"`{{{{ {name} }}}}` is this notebook's own, a server has none: `{{{{ inputs.{name} }}}}` works on both"
        for name in sorted(names)
    ]
    return [*context.told(), *told]


def _uses(text: str) -> Any:
    try:
        return uses(text)
    except ExpressionError:
        return []
