"""Names: which variable a run becomes, and what may be overwritten."""

from __future__ import annotations

import builtins
import keyword
import re
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.runs.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

__all__ = ["Names", "bind", "bind_files", "read_binds", "variable"]

Names = "MutableMapping[str, Any]"


def variable(name: str) -> str:
    """Return the variable that a task id becomes: `-` is turned to `_`.

    Raises:
        KestraMagicError: that is no name a variable can have, or it is Python's own.
    """
    made = name.replace("-", "_")
    if _is_pythons(made):
        raise KestraMagicError(f"`{made}` is Python's own and would no longer work: take another name")
    if not made.isidentifier():
        raise KestraMagicError(f"`{name}` cannot be a variable: use letters, digits, `-` and `_`, a letter first")
    return made


def _is_pythons(name: str) -> bool:
    return keyword.iskeyword(name) or hasattr(builtins, name)


def bind(name: str, run: Run, names: MutableMapping[str, Any]) -> None:
    """Bind *run* to its variable.

    Raises:
        KestraMagicError: the variable holds something other than a run.
    """
    made = variable(name) if run.context.cell else _of_flow(name, run)
    if made in names and not isinstance(names[made], Run):
        kind = type(names[made]).__name__
        raise KestraMagicError(
            f"the variable `{made}` holds a {kind}, not a run: give the cell another NAME, or `del {made}`"
        )
    names[made] = run


def _of_flow(name: str, run: Run) -> str:
    """A flow comes as it is: the variable of an id that cannot be one (`01-intro`, `a.b`, `import`) begins with `_`."""
    made = re.sub(r"\W", "_", name)
    if not made.isidentifier() or _is_pythons(made):
        made = f"_{made}"
    if made != name.replace("-", "_"):
        run.context.notices.append(f"`{name}` cannot be a variable: the run is `{made}`")
    return made


def read_binds(specs: Iterable[str]) -> list[tuple[str, str]]:
    """Read ``-b VAR=FILE``: before anything runs for it.

    Raises:
        KestraMagicError: one names no file, or no variable.
    """
    binds = []
    for spec in specs:
        name, given, file = str(spec).partition("=")
        if not given or not file:
            raise KestraMagicError(f"`-b {spec}` names no file: write `-b VAR=FILE`")
        binds.append((variable(name), file))
    return binds


def bind_files(specs: Iterable[str], run: Run, names: MutableMapping[str, Any]) -> None:
    """Load output files into variables: ``-b VAR=FILE``.

    Raises:
        KestraMagicError: there is no such file, or it cannot be read as what its suffix says.
    """
    for name, file in read_binds(specs):
        if file in run.files:
            names[name] = run.files[file].load()
        elif run.ok:
            raise KestraMagicError(f"`-b {name}={file}`: {run.name} made no file `{file}`{_made(run)}")


def _made(run: Run) -> str:
    return f"; it made: {', '.join(run.files)}" if run.files else ""
