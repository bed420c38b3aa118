"""The same runs from Python, with or without a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.render import render as render_text
from kestra_magic.expressions.render import render_typed
from kestra_magic.expressions.scope import Scope
from kestra_magic.model.source import Source, read_source
from kestra_magic.runs.history import History, history
from kestra_magic.runs.request import Request, given_in_python
from kestra_magic.runs.session import session

if TYPE_CHECKING:
    from kestra_magic.runs.flow.run import FlowRun
    from kestra_magic.runs.run import Run

__all__ = ["open", "render", "run", "run_flow", "runs"]

SUFFIXES = {
    ".py": "python",
    ".js": "node",
    ".rb": "ruby",
    ".pl": "perl",
    ".php": "php",
    ".lua": "lua",
    ".R": "r",
    ".jl": "julia",
}


def run(
    target: str | Path,
    *,
    inputs: Mapping[str, object] | None = None,
    files: Mapping[str, object] | None = None,
    name: str = "_run",
    bg: bool = False,
    **options: Any,
) -> Run:
    """Run a process cell's text, or a script file, and return the run, also a failed one.

    Args:
        target: the text of a cell (`#|` lines included), the path of a script, or the NAME of a cell that ran in this
            kernel: the same again.
        inputs: for ``{{ inputs.x }}``; files: placed in the working directory by name (paths, bytes, data).
        bg: return at once.
        options: those of ``%%kestra_process``, with ``_`` for ``-``: ``lang="python"``,
            ``output=["*.csv"]``, ``timeout="10m"``.

    Raises:
        KestraMagicError: what was asked cannot run.
    """
    if isinstance(target, str) and (earlier := _called(target)) and not (files or options):
        return earlier.rerun(bg=bg, **(inputs or {}))
    text, lang = _text(target)
    values = {**(inputs or {}), **_named(files or {})}
    given = {
        "lang": lang,
        **given_in_python(options),
        "input": list(inputs or {}),
        "file": [f"{dest}={key}" for dest, key in _keys(files or {})],
    }
    request = Request(source=Source(text), name=name, options=given, notebook=values, beside=session().beside)
    made = session().cell(request)
    return made.start() if bg else made.complete()


def _called(name: str) -> Run | None:
    return next((run for run in reversed(session().runs) if run.name == name and run.context.cell), None)


def _text(target: str | Path) -> tuple[str, str]:
    if isinstance(target, str):
        return target, "shell"
    if not isinstance(target, Path):
        raise KestraMagicError(
            f"`run` takes the text of a cell, or the Path of a script, and no {type(target).__name__}"
        )
    return read_source(target, str(target)).text, SUFFIXES.get(target.suffix, "shell")


def _keys(files: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(dest, f"_file_{n}") for n, dest in enumerate(files)]


def _named(files: Mapping[str, object]) -> dict[str, object]:
    return {key: files[dest] for dest, key in _keys(files)}


def run_flow(
    target: str | Path, inputs: Mapping[str, object] | None = None, *, name: str = "", bg: bool = False
) -> FlowRun:
    """Run a flow and return its execution, also a failed one.

    Args:
        target: the flow's YAML, or the path of a file of it (a text that ends with ``.yaml`` or ``.yml`` is one).
        inputs: by the flow's declared inputs; a FILE input takes a path.

    Raises:
        KestraMagicError: the flow cannot start: every problem with its line.
    """
    path = Path(target) if isinstance(target, Path) or _is_path(target) else None
    source = read_source(path) if path else Source(str(target))
    beside = path.absolute().parent if path else session().beside
    made = session().flow(source, {"inputs": inputs or {}}, name=name, beside=beside)
    return made.start() if bg else made.complete()


def _is_path(text: str) -> bool:
    """Whether it names a file: a flow has several lines."""
    return "\n" not in text and text.strip().endswith((".yaml", ".yml"))


def runs(name: str | None = None, *, limit: int = 50) -> History:
    """Return the latest runs (of *name*) of all kernels, the latest last; `table()` compares them."""
    return history(session(), name, limit=limit)


def render(text: str, variables: Mapping[str, object] | None = None, *, typed: bool = False) -> Any:
    """Render *text* as a Kestra server would; *typed* gives the value of a lone expression itself.

    Raises:
        KestraMagicError: an expression fails.
    """
    scope = Scope(dict(variables or {}), fixed=False)
    return render_typed(text, scope, _OUTSIDE) if typed else render_text(text, scope, _OUTSIDE)


class _Outside:
    """This kernel's session answers `secret()`, `kv()`, `read()` …, made when it is first asked."""

    def __getattr__(self, name: str) -> Any:
        from kestra_magic.runs.preview import outside

        return getattr(outside(session(), {})[1], name)


_OUTSIDE: Any = _Outside()


def open(uri: str, mode: str = "rb") -> IO[Any]:  # noqa: A001 - `kestra_magic.open` says what it opens
    """Open a ``kestra:///…`` file for reading."""
    return session().storage.path(uri, namespace="").open(mode)
