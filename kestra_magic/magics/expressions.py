"""Verbs for expressions: `%kestra render secret`; and `--dry-run` of both cells."""

from __future__ import annotations

from getpass import getpass
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.compiler import compile_template
from kestra_magic.expressions.errors import ExpressionError
from kestra_magic.expressions.render import render as rendered
from kestra_magic.expressions.render import render_typed
from kestra_magic.expressions.tree import Print
from kestra_magic.expressions.values import java_type
from kestra_magic.magics.arguments import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

    from kestra_magic.expressions.scope import Scope
    from kestra_magic.model.source import Source
    from kestra_magic.runs.request import Request

__all__ = ["dry_cell", "dry_flow", "render", "secret"]


def render(shell: InteractiveShell, rest: str, cell: str | None) -> None:
    """`%kestra render 'EXPR'`, or a cell whose body is the template: its text, and the type of a lone expression.

    Raises:
        ExpressionError: with its line.
    """
    template = cell if cell is not None else _bare(rest)
    if not template.strip():
        raise UsageError("`%kestra render` needs an expression: `%kestra render '{{ inputs.lr * 2 }}'`, or a cell")
    scope, host, masked = _bound(shell)
    try:
        text = rendered(template, scope, host)
        kind = _kind(template, scope, host)
    except ExpressionError as error:
        raise error.at(f"line {error.line + (cell is not None)}") from None
    print(masked(text).removesuffix("\n") + (f"\n({kind})" if kind else ""))


def _bare(rest: str) -> str:
    """Take off the quotes around an expression, and put braces around one that has none."""
    said = rest.strip()
    if len(said) > 1 and said[0] == said[-1] and said[0] in "'\"" and said[0] not in said[1:-1]:
        said = said[1:-1]
    return said if "{{" in said or "{%" in said or not said else f"{{{{ {said} }}}}"


def _kind(template: str, scope: Scope, host: Any) -> str:
    """Return what Kestra and Python call the type of the value, if the template is one expression and no more."""
    statements = compile_template(template).statements if "{" in template else ()
    if len(statements) != 1 or not isinstance(statements[0], Print):
        return ""
    said = rendered(f"{{{{ ({_inner(template)}) | className }}}}", scope, host)
    value = render_typed(template, scope, host)
    kind = said.rpartition(".")[2].rpartition("$")[2] or java_type(value)
    return f"null, {type(value).__name__}" if value is None else f"{kind}, {type(value).__name__}"


def _inner(template: str) -> str:
    return template.strip().removeprefix("{{").removesuffix("}}").strip("- \n\t")


def _bound(shell: InteractiveShell) -> tuple[Scope, Any, Any]:
    """Return the variables of a process cell as they are bound now, whom to ask for the rest, and what masks."""
    from kestra_magic.magics.cell import names_of
    from kestra_magic.runs.preview import outside
    from kestra_magic.runs.session import notebook_folder, session

    session().beside = notebook_folder(shell.user_ns)
    return outside(session(), names_of(shell))


def secret(_: InteractiveShell, rest: str, __: str | None) -> None:
    """`%kestra secret NAME`: ask for a value without showing it, and keep it in the keyring."""
    from kestra_magic.stores.secrets import remember

    name = rest.strip()
    if not name or len(name.split()) > 1:
        raise UsageError("`%kestra secret NAME` asks for the value; it is never typed into a cell")
    try:
        value = getpass(f"{name}: ")
    except Exception as error:  # each front end has its own way of having no one to ask
        if type(error).__name__ not in ("StdinNotImplementedError", "EOFError"):
            raise
        raise KestraMagicError(f"nobody can be asked for `{name}` here: use `--env-file`, or `SECRET_{name}`") from None
    if not value:
        raise KestraMagicError(f"`{name}` was not kept: nothing was typed")
    remember(name, value)
    print(f"`{name}` is kept in the keyring: {{{{ secret('{name}') }}}}")


# --dry-run


def dry_cell(shell: InteractiveShell, request: Request) -> None:
    from kestra_magic.runs.preview import preview_cell
    from kestra_magic.runs.session import session

    _display(shell, preview_cell(session(), request))


def dry_flow(shell: InteractiveShell, source: Source, options: Mapping[str, Any], name: str, home: Path | None) -> None:
    from kestra_magic.magics.cell import names_of
    from kestra_magic.runs.preview import preview_flow
    from kestra_magic.runs.session import session

    _display(shell, preview_flow(session(), source, options, name=name, notebook=names_of(shell), home=home))


def _display(shell: InteractiveShell, preview: Any) -> None:
    from kestra_magic.show.cell import cell_of, frontend
    from kestra_magic.show.preview import as_bundle, as_text

    if frontend(shell).jupyter:
        cell_of(shell).display(as_bundle(preview))
    else:
        print(as_text(preview))
