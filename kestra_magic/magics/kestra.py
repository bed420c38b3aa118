"""What a person types. It translates, and nothing else; it imports IPython and the standard library only."""

from __future__ import annotations

import os
import sys
import time
from _thread import start_new_thread  # `threading` waits until it has begun
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from IPython.core.completer import context_matcher
from IPython.core.magic import Magics, cell_magic, line_cell_magic, magics_class, no_var_expand
from traitlets import All, observe
from traitlets import Any as AnyTrait

from kestra_magic import settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import ModuleType

    from IPython.core.completer import CompletionContext
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["KestraMagics", "load", "unload"]


class Setting(AnyTrait):
    """A setting as a trait: `%config KestraMagics` lists it, and changes it to what it can be."""

    allow_none = False

    def validate(self, _obj: Any, value: Any) -> Any:
        from kestra_magic.magics.setting import checked

        return checked(str(self.name), value)


@magics_class
class KestraMagics(Magics):
    """Kestra's tasks in notebook cells."""

    vars().update({name: Setting(value).tag(config=True) for name, value in settings.Settings().as_dict().items()})

    @observe(All)
    def _changed(self, change: Any) -> None:
        """Also while it is made, with what the person's profile sets."""
        if change["name"] in settings.Settings.names():
            settings.update(**{change["name"]: change["new"]})

    @no_var_expand
    @cell_magic
    def kestra_process(self, line: str, cell: str) -> None:
        with _in_a_sentence():
            _cells().run_process(self.shell, line, cell.replace("\r\n", "\n"))

    @no_var_expand
    @cell_magic
    def kestra_flow(self, line: str, cell: str) -> None:
        with _in_a_sentence():
            _cells().run_flow(self.shell, line, cell)

    @no_var_expand
    @line_cell_magic
    def kestra(self, line: str, cell: str | None = None) -> Any:
        with _in_a_sentence():
            from kestra_magic.magics.verbs import verb

            shell: Any = self.shell
            return verb(shell, line, cell)


class Magic:
    """One of our magics as IPython calls it. What `?` says of it is made when it is asked for."""

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        self.__name__ = name
        self._call = call

    def __call__(self, *typed: Any) -> Any:
        return self._call(*typed)

    def __getattr__(self, name: str) -> Any:
        """What IPython's decorators have written down."""
        return getattr(self._call, name)

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return str(getattr(import_module("kestra_magic.magics.help"), f"{self.__name__}_help")())


def _in_a_sentence() -> AbstractContextManager[None]:
    from kestra_magic.errors import in_a_sentence  # a kernel in which no cell runs does not need it

    return in_a_sentence()


def _cells() -> ModuleType:
    """Load what runs cells, the first time with the garbage collector at rest.

    It would look through all that the kernel holds several times, at 20 ms each, and find nothing.
    """
    import gc

    name = "kestra_magic.magics.cell"
    if name in sys.modules or not gc.isenabled():
        return import_module(name)
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.enable()


@context_matcher(identifier="kestra_magic")  # type: ignore[untyped-decorator]
def matcher(context: CompletionContext) -> Any:
    """Answer to Tab in our cells."""
    if "kestra" not in context.full_text[:32]:
        return {"completions": []}
    from kestra_magic.magics.completion import completions

    return completions(context)


SOON_SECONDS = 0.02
MAGICS = (("cell", "kestra_process"), ("cell", "kestra_flow"), ("line", "kestra"), ("cell", "kestra"))
OBJECTS = (
    ("kestra_magic.runs.run", "Run"),
    ("kestra_magic.runs.history", "History"),
    ("kestra_magic.runs.diff", "Difference"),
    ("kestra_magic.runs.metrics", "Metrics"),
    ("kestra_magic.runs.report", "Report"),
    ("kestra_magic.workspace.outputs", "OutputFile"),
    ("kestra_magic.workspace.outputs", "OutputFiles"),
)
"""What is a card wherever it is displayed; `show.looks` is imported then."""


def load(shell: InteractiveShell) -> None:
    """Register the magics, Tab completion and our cards, and start the warden: nothing heavy is imported."""
    magics: Any = KestraMagics(shell)
    for kind, name in MAGICS:
        shell.magics_manager.magics[kind][name] = Magic(name, getattr(magics, name))
    if getattr(shell, "Completer", None) is not None:
        shell.Completer.custom_matchers.append(matcher)
    _formatter(shell).deferred_printers.update(dict.fromkeys(OBJECTS, partial(_look, shell)))
    shell.events.register("pre_execute", _settle)
    live = settings.data_folder() / "live"
    if _is_marked(live):
        _recover(shell, live)
    start_new_thread(_warm, ())


def _settle() -> None:
    """The cell that comes may remove what those before left: by then the journal's file says that they have ended."""
    if runs := sys.modules.get("kestra_magic.runs.session"):
        runs.settle()


def _is_marked(live: Path) -> bool:
    """Whether a kernel has said that something of it lives."""
    with suppress(FileNotFoundError, NotADirectoryError):  # nothing ever ran here
        return any(entry.stat().st_size for entry in os.scandir(live))
    return False


def _formatter(shell: Any) -> Any:
    return shell.display_formatter.mimebundle_formatter


def _look(shell: InteractiveShell, thing: Any) -> dict[str, Any]:
    from kestra_magic.show.looks import look

    return look(shell, thing)


def _warm() -> None:
    """The warden is started meanwhile: whoever runs a cell before waits for it there.

    Before that: when a kernel cannot open a file any more, it can still say so.
    """
    import kestra_magic.errors  # noqa: F401

    time.sleep(SOON_SECONDS)
    from kestra_magic.process import helpers

    helpers.warm()


def _recover(shell: InteractiveShell, live: Path) -> None:
    """Something lives, or did when its kernel died: only then is more imported."""
    from kestra_magic.runs.journal.live import orphans

    if orphans(live):
        from kestra_magic.magics.recovery import recover

        recover(shell)


def unload(shell: InteractiveShell) -> None:
    """Take back what `load` did; runs that live go on until the kernel ends."""
    for kind, name in MAGICS:
        shell.magics_manager.magics[kind].pop(name, None)
    shell.configurables[:] = [c for c in shell.configurables if not isinstance(c, KestraMagics)]
    if getattr(shell, "Completer", None) is not None and matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(matcher)
    shell.events.unregister("pre_execute", _settle)
    formatter = _formatter(shell)
    for key in OBJECTS:
        formatter.deferred_printers.pop(key, None)
        for known in [known for known in formatter.type_printers if (known.__module__, known.__name__) == key]:
            formatter.pop(known)
