"""Kestra's Process task runner in a notebook cell.

The front door: `%load_ext kestra_magic` in a notebook, `run`, `run_flow` and `render` in Python. Each name is found in
its room when it is asked for, so that importing the package costs nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kestra_magic import runs
    from kestra_magic.errors import KestraMagicError
    from kestra_magic.runs.api import open, render, run, run_flow  # noqa: A004
    from kestra_magic.runs.progress import State
    from kestra_magic.runs.run import Run, TaskException
    from kestra_magic.workspace.outputs import OutputFile, OutputFiles

__all__ = [
    "KestraMagicError", "OutputFile", "OutputFiles", "Run", "State", "TaskException", "__version__",
    "load_ipython_extension", "open", "render", "run", "run_flow", "runs", "unload_ipython_extension",
]  # fmt: skip

__version__ = "0.1.0"

_HOMES = {
    "KestraMagicError": "kestra_magic.errors",
    "OutputFile": "kestra_magic.workspace.outputs",
    "OutputFiles": "kestra_magic.workspace.outputs",
    "Run": "kestra_magic.runs.run",
    "State": "kestra_magic.runs.progress",
    "TaskException": "kestra_magic.runs.run",
    "open": "kestra_magic.runs.api",
    "render": "kestra_magic.runs.api",
    "run": "kestra_magic.runs.api",
    "run_flow": "kestra_magic.runs.api",
}


class _Runs(ModuleType):
    """A room has the name of a verb: called, it is that verb."""

    def __call__(self, name: str | None = None, *, limit: int = 50) -> Any:
        return import_module("kestra_magic.runs.api").runs(name, limit=limit)


class _House(ModuleType):
    """This package: it hears when that room is opened, whoever opens it."""

    @property
    def runs(self) -> ModuleType:
        return import_module("kestra_magic.runs")

    @runs.setter
    def runs(self, room: ModuleType) -> None:
        room.__class__ = _Runs


sys.modules[__name__].__class__ = _House


def load_ipython_extension(ip: Any) -> None:
    """`%load_ext kestra_magic`."""
    from kestra_magic.magics.kestra import load

    load(ip)


def unload_ipython_extension(ip: Any) -> None:
    """`%unload_ext kestra_magic`."""
    from kestra_magic.magics.kestra import unload

    unload(ip)


def __getattr__(name: str) -> Any:
    if home := _HOMES.get(name):
        return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
