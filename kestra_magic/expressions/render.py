"""The door of this room: text and a scope in; text, a value or the pieces of a text out.

One pass of Kestra's `VariableRenderer`: text without `{` is returned as it is; `{% raw %}…{% endraw %}` on one line
is cut out, the template runs once, what was raw comes back without its tags.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import regex

from ..errors import KestraMagicError
from .dialect import KESTRA, Dialect
from .errors import ExpressionError
from .functions import NO_HOST, Host
from .values import MAX_TEXT, native, show_json, show_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .builder import Site
    from .compiler import Compiled
    from .evaluation import Evaluation

__all__ = ["RAW", "Piece", "line_map", "render", "render_typed", "substitutions"]

T = TypeVar("T")

ROUNDS = 100
RAW = regex.compile(r"\{%-*\s*raw\s*-*%\}([^\r\n\x85\u2028\u2029]*?)\{%-*\s*endraw\s*-*%\}")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a rendered text: `origin` is the expression it came of, None for what stood there; `line` is the
    line of the template, from 1, where it begins."""

    text: str
    origin: str | None
    line: int


def render(text: str, scope: Mapping[str, object], host: Host | None = None, *, dialect: Dialect = KESTRA) -> str:
    """Return *text* with its expressions evaluated, once. Raise ExpressionError, with its line, for any failure."""
    if "{" not in text:
        return text
    if not dialect.recursive:
        return _unwrapped(_once(text, scope, host, dialect))
    for _ in range(ROUNDS + 1):
        rendered = _once(text, scope, host, dialect)
        if rendered == text:
            return _unwrapped(rendered)
        text = rendered
    raise ExpressionError("Too many rendering attempts")


def render_typed(text: str, scope: Mapping[str, object], host: Host | None = None) -> object:
    """Return the value of the one expression that *text* is, in Python's own types; else the rendered text."""
    if "{" not in text:
        return text
    cut, raws = _without_raw(text)
    compiled = _compiled(cut)
    parts = _run(compiled, scope, host, lambda value, site: (value, site.expression))
    if len(parts) == 1 and parts[0][1]:
        return native(parts[0][0])
    return _unwrapped(_with_raw("".join(show_json(value) for value, _ in parts), raws)) if parts else None


def substitutions(
    text: str, scope: Mapping[str, object], host: Host | None = None, *, dialect: Dialect = KESTRA
) -> list[Piece]:
    """Return what `render` returns, in pieces that say where they came from."""
    if "{" not in text:
        return [Piece(text, None, 1)]
    cut, raws = _without_raw(text)

    def piece(value: object, site: Site) -> Piece:
        return Piece(_unwrapped(_with_raw(show_json(value), raws)), site.expression, site.line)

    pieces = _run(_compiled(cut, dialect), scope, host, piece)
    if RAW.search("".join(piece.text for piece in pieces)):  # a raw block that came of more than one piece
        return [Piece(render(text, scope, host, dialect=dialect), None, 1)]
    return pieces


def line_map(pieces: list[Piece]) -> list[int]:
    """Return, for each line of the rendered text, the line of the template it came from, from 1.

    A value of several lines came from the one line of its expression.
    """
    lines: list[int] = []
    fresh = True
    for piece in pieces:
        for index in range(piece.text.count("\n") + 1):
            if index or fresh:
                lines.append(piece.line if piece.origin else piece.line + index)
            fresh = False
    return lines or [1]


def _compiled(text: str, dialect: Dialect = KESTRA) -> Compiled:
    """The language is loaded when the first expression is met."""
    from .compiler import compile_template

    return compile_template(text, dialect)


def _once(text: str, scope: Mapping[str, object], host: Host | None, dialect: Dialect) -> str:
    cut, raws = _without_raw(text)
    compiled = _compiled(cut, dialect)
    show = show_json if dialect.json else show_plain
    evaluation = compiled.evaluation().begin(compiled, scope, host or NO_HOST)
    said: list[str] = []
    size, number = 0, 1
    try:
        for value, number in _parts(compiled, evaluation):  # noqa: B007 - told when one fails
            part = value if value.__class__ is str else show(value)
            size += len(part)
            if size > MAX_TEXT:
                raise ExpressionError(f"The rendered text would be longer than {MAX_TEXT:,} characters")
            said.append(part)
    except FAILURES as error:
        raise _failed(compiled, error, number) from None
    return _with_raw("".join(said), raws)


def _parts(compiled: Compiled, evaluation: Evaluation) -> Iterator[tuple[object, int]]:
    """Run the template: Jinja2 believes that it yields texts; ours yields values, each with its site."""
    return compiled.template.root_render_func(evaluation)  # type: ignore[return-value]


def _run(
    compiled: Compiled, scope: Mapping[str, object], host: Host | None, use: Callable[[object, Site], T]
) -> list[T]:
    """Run the template once and return what *use* makes of each of its parts."""
    evaluation = compiled.evaluation().begin(compiled, scope, host or NO_HOST)
    found: list[T] = []
    number = 1
    try:
        for value, number in _parts(compiled, evaluation):
            found.append(use(value, compiled.sites[number - 1]))
    except FAILURES as error:
        raise _failed(compiled, error, number) from None
    return found


def _without_raw(text: str) -> tuple[str, dict[str, str]]:
    """Put a mark in the place of each raw block: Kestra takes a random UUID, this one is always the same."""
    raws: dict[str, str] = {}
    if "raw" not in text:
        return text, raws

    def mark(found: regex.Match[str]) -> str:
        key = f"{len(raws):08x}-7261-7700-6b65-737472616d67"
        raws[key] = found.group()
        return key

    return RAW.sub(mark, text), raws


def _with_raw(text: str, raws: dict[str, str]) -> str:
    for key, raw in raws.items():
        text = text.replace(key, raw)
    return text


def _unwrapped(text: str) -> str:
    return RAW.sub(r"\1", text) if "raw" in text else text


FAILURES = (
    KestraMagicError, RecursionError, MemoryError, ArithmeticError, ValueError, TypeError, LookupError, AttributeError,
    OSError,
)  # fmt: skip
_SENTENCES: dict[type[BaseException], str] = {
    RecursionError: "A macro calls itself without end, or a value is nested too deeply",
    MemoryError: "The result does not fit into memory",
    TimeoutError: "A regular expression took longer than a second",
}


def _failed(compiled: Compiled, error: Exception, number: int) -> ExpressionError:
    """Make an ExpressionError with its place of whatever went wrong while the template ran."""
    site = compiled.site_of(error, number)
    if not isinstance(error, ExpressionError):
        error = ExpressionError(_SENTENCES.get(type(error)) or str(error) or type(error).__name__)
    return error.placed(site.expression, site.line)
