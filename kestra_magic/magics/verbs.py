"""`%kestra VERB …`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import did_you_mean
from kestra_magic.magics.arguments import UsageError
from kestra_magic.magics.help import VERBS, kestra_help

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["verb"]


def verb(shell: InteractiveShell, line: str, cell: str | None = None) -> Any:
    """Do what *line* says; bare: what runs now, and help.

    Raises:
        UsageError: there is no such verb.
    """
    word, _, rest = line.strip().partition(" ")
    if not word:
        return _bare()
    do = DO.get(word)
    if do is None:
        raise UsageError(f"there is no verb `{word}`{did_you_mean(word, VERBS) or '; `%kestra help` lists them'}")
    return do(shell, rest.strip(), cell)


def _bare() -> None:
    from kestra_magic.runs.session import session

    live = [run for run in session().runs if not run.ended]
    print("\n".join(f"{run.name}  {run.state.value}" for run in live) or "nothing runs now")
    print(f"\n{kestra_help()}", end="")


def _help(shell: InteractiveShell, rest: str, cell: str | None) -> None:
    print(kestra_help(), end="")


def _doctor(shell: InteractiveShell, rest: str, cell: str | None) -> None:
    from kestra_magic.magics.doctor import report

    print(report())


def _of(module: str, name: str) -> Callable[[InteractiveShell, str, str | None], Any]:
    """A verb whose module is imported when it is typed."""

    def do(shell: InteractiveShell, rest: str, cell: str | None) -> Any:
        return getattr(import_module(f"kestra_magic.magics.{module}"), name)(shell, rest, cell)

    return do


DO: dict[str, Callable[[InteractiveShell, str, str | None], Any]] = {
    "help": _help,
    "doctor": _doctor,
    "server": _of("beyond", "server"),
    "deploy": _of("beyond", "deploy"),
    "workers": _of("workers", "workers"),
    **{name: _of("flows", name) for name in ("run", "rerun", "export", "diff", "kv", "validate")},
    **{name: _of("expressions", name) for name in ("render", "secret")},
    **{name: _of("runs", name) for name in ("runs", "attach", "stop", "clean")},
}
