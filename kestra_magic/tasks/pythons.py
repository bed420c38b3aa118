"""Which Python a task runs with: the kernel's, unless it asks for a version or for packages."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from kestra_magic.stores.dependencies import ended, ensure
from kestra_magic.stores.environments import EnvironmentNotFound, find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kestra_magic.stores.dependencies import Watch
    from kestra_magic.stores.environments import Interpreter

__all__ = ["python_for"]


def python_for(own: Interpreter, version: str, packages: Sequence[str], watch: Watch = lambda _: None) -> Interpreter:
    """Return *own*, or the Python of that *version*, with *packages* importable.

    Source: ``PythonEnvironmentManager``. On another machine its own Python is used.

    Args:
        watch: told each process that is started for it.

    Raises:
        KestraMagicError: there is no such Python here, or the packages cannot be installed.
    """
    if not os.path.isabs(own.executable):
        return own
    return ensure(_of_version(own, version, watch) if version else own, packages, watch=watch)


def _of_version(own: Interpreter, version: str, watch: Watch) -> Interpreter:
    if own.executable == sys.executable and _is(version):
        return own
    try:
        return find(version)
    except EnvironmentNotFound as error:
        made = _by_uv(version, watch)
        if made is None:
            said = f"{error}; install it, or `uv`, which fetches it"
            raise EnvironmentNotFound(said) from None
        return find(made)


def _is(version: str) -> bool:
    """Whether the kernel's own Python is of that version, as far as it is given."""
    wanted = version.split(".")
    return [str(part) for part in sys.version_info[:3]][: len(wanted)] == wanted


def _by_uv(version: str, watch: Watch) -> str | None:
    """Return the Python that uv has, or fetches."""
    uv = shutil.which("uv")
    if uv is None:
        return None
    for command in (["find"], ["install", "--quiet"], ["find"]):
        code, out, _ = ended([uv, "python", *command, version], watch)
        if command == ["find"] and code == 0:
            return out.strip()
        if code < 0 or (code and command != ["find"]):
            return None
    return None
