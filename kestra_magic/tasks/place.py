"""What a task is prepared with: its scope, its directory, and where its texts were written."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.dialect import KESTRA, RELEASED
from kestra_magic.expressions.errors import ExpressionError
from kestra_magic.expressions.render import Piece, line_map, render_typed, substitutions
from kestra_magic.expressions.scope import bare_name, each_text
from kestra_magic.model.base import yaml_name
from kestra_magic.model.property import Property
from kestra_magic.settings import current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kestra_magic.expressions.functions import Host
    from kestra_magic.expressions.scope import Scope
    from kestra_magic.model.tasks import Task
    from kestra_magic.runners.job import Job
    from kestra_magic.stores.dependencies import Watch
    from kestra_magic.stores.environments import Interpreter
    from kestra_magic.workspace.storage import Storage

__all__ = ["Origin", "Path_", "Place", "Prepared", "RenderedTwice", "Text"]

Path_ = tuple[str | int, ...]
"""Where a text stands in what was written: keys and indices."""
Origin = tuple[Path_, int]
"""A path, and the line (from 0) in its text."""


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered text, and for each of its lines the line of the template it came from (both count from 1)."""

    text: str
    lines: tuple[int, ...]


class RenderedTwice(KestraMagicError):
    """A value would be read as an expression, because a server renders this text a second time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one attempt of one task is prepared.

    Attributes:
        root: the working directory as the process will see it.
        scope: the variables, with those of the task runner (`workingDir` …) added.
        where: the place in the cell of the n-th line (from 1) of the text at a path.
        cell: whether this is a process cell: there, a value with braces is refused rather than rendered twice.
        raw: whether the script is taken as it stands.
        shared: whether root is there already, and stays.
        files: placed besides the task's own ``inputFiles``.
        values: the notebook's names.
        options: of the job: grace, background …
        mask: asked when everything is rendered: by then it is known which secrets were read.
        watch: told each process that prepares the task: its end comes with the task's; see `stores.dependencies`.
        notice: told what runs here otherwise than on a server.
        seen: told what each template became, piece by piece.
    """

    name: str
    task_run: str
    attempt: int
    root: str
    log_dir: str
    namespace: str
    scope: Callable[[Mapping[str, Any]], Scope]
    where: Callable[[Path_, int], str]
    host: Host
    storage: Storage
    python: Interpreter
    cell: bool = False
    raw: bool = False
    here: bool = False
    shared: bool = False
    files: Mapping[str, object] = field(default_factory=dict)
    values: Mapping[str, object] = field(default_factory=dict)
    env_file: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    mask: Callable[[], tuple[str, ...]] = tuple
    notice: Callable[[str], None] = print
    watch: Watch = lambda _: None
    seen: Callable[[str, list[Piece]], None] = lambda *_: None

    def render(self, text: str, **more: Any) -> str:
        return self.text(text, **more).text

    def resolve(self, task: Task, name: str, default: Any = None, render: Callable[[str], str] | None = None) -> Any:
        """Return the value of a task's property *name*, its expressions rendered; *default* where it is not given."""
        return self.resolved(getattr(task, name, None), name, default, render)

    def resolved(self, given: Any, name: str, default: Any = None, render: Callable[[str], str] | None = None) -> Any:
        """Return the value of what is *given* for a property *name*: a template of any kind, or texts."""
        if given is None:
            return default
        whole = isinstance(given, Property)
        with self.at((yaml_name(name),), given.raw if whole else given):
            return given.resolve(render or self.render) if whole else each_text(given, render or self.render, keys=True)

    def timeout(self, task: Task) -> float | None:
        """Return the seconds after which *task* is ended.

        Raises:
            KestraMagicError: none can have gone by: a server refuses that too (Failsafe's ``Timeout``).
        """
        given = self.resolve(task, "timeout")
        if given is not None and given.total_seconds() <= 0:
            raise KestraMagicError(f"timeout: must be longer than nothing, but is {given.total_seconds():g} s")
        return None if given is None else float(given.total_seconds())

    def value(self, text: str) -> Any:
        """Render; a lone expression keeps the type of its value."""
        return render_typed(text, self.scope({}), self.host)

    def twice(self, text: str, **more: Any) -> str:
        """Render where a server renders two times."""
        return self.text(text, twice=True, **more).text

    def text(self, text: str, *, twice: bool = False, **more: Any) -> Text:
        """Render *text* with its lines; *twice* where a server would.

        Raises:
            ExpressionError: an expression fails.
            RenderedTwice: a value put braces into a process cell's text, which the second pass would evaluate.
        """
        pieces = self._pieces(text, text, twice, more)
        once = Text("".join(piece.text for piece in pieces), tuple(line_map(pieces)))
        if "{" in text:
            self._warn(text, pieces, twice)
        if not twice or "{" not in once.text:
            self.seen(text, pieces)
            return once
        again = self._pieces(once.text, text, True, more)
        self.seen(text, pieces if len(again) == 1 else again)
        lines = tuple(once.lines[min(line, len(once.lines)) - 1] for line in line_map(again))
        return Text("".join(piece.text for piece in again), lines)

    def _warn(self, text: str, pieces: list[Piece], twice: bool) -> None:
        from kestra_magic.expressions.diagnosis import constant, hazards, literal, swallowed

        for found, line in swallowed(text):
            place = self.where(("script",), line) if self.cell else f"line {line} of its text"
            self.notice(f"{place}: `{found}` opens a comment; write `${literal('{#', twice=twice)}…`")
        for piece in pieces if twice else ():
            if piece.origin is not None and hazards(piece.text) and not constant(piece.origin):
                self._braces(piece.origin)

    def _pieces(self, text: str, written: str, twice: bool, more: Mapping[str, Any]) -> list[Piece]:
        try:
            return substitutions(text, self.scope(more), self.host, dialect=RELEASED if current().strict else KESTRA)
        except ExpressionError as error:
            from kestra_magic.expressions.diagnosis import explained

            if text is not written:
                error.near += "; this text is rendered a second time, as on a server"
            raise explained(error, text, twice=twice) from None

    def _braces(self, expression: str) -> None:
        said = f"the value of `{expression}` holds `{{{{`, `{{%` or `{{#`, which a server renders a second time"
        if self.cell:
            name = bare_name(expression) or "NAME"
            raise RenderedTwice(f"{said}: give it as a file, `-f {name}.txt={name}`, and read that")
        self.notice(said)

    @contextmanager
    def at(self, path: Path_, written: object) -> Iterator[None]:
        """Say where in the cell an expression of the property at *path* failed."""
        try:
            yield
        except ExpressionError as error:
            inner = _path_of(error.expression or "", written)
            raise error.at(self.where((*path, *inner), error.line)) from None
        except RenderedTwice as error:
            raise RenderedTwice(f"{self.where(path, 1)}: {error}") from None


def _path_of(expression: str, written: object) -> Path_:
    """Return the path below *written* of the first text that holds *expression*."""
    items = written.items() if isinstance(written, dict) else enumerate(written) if isinstance(written, list) else ()
    for key, value in items:
        if expression and (expression in str(value) or expression in str(key)):
            return (key, *_path_of(expression, value))
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A job, what a person may see of it, and where its lines come from.

    Attributes:
        rendered: the commands or the script as they will run.
        script: the script file's name; empty when the text itself is the command.
        lines: for each line of that file or text where it was written; None: nowhere in the cell.
        keys: the names of output files that are known by another one.
        outputs: of the task, besides those of a script.
    """

    job: Job
    rendered: str
    script: str = ""
    lines: tuple[Origin | None, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
