"""The files of a run, alive: a tree with previews and downloads where the static list stands."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from kestra_magic.runs.run import Run
from kestra_magic.runs.session import session
from kestra_magic.show.consolewidget import ConsoleWidget
from kestra_magic.show.fileanswers import Entry, FileAnswers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from kestra_magic.workspace.outputs import OutputFiles

__all__ = ["FilesTable"]


class FilesTable(FileAnswers):
    """Tells the page of *files*, which it may list, preview and download.

    Args:
        notebook: its names; code that is offered uses the one that leads to these files.

    Attributes:
        key: where it stands, in the static list.
    """

    def __init__(self, files: OutputFiles, notebook: Mapping[str, Any]) -> None:
        self.key = f"files-{secrets.token_hex(4)}"
        self._files = files
        self._called = _called(files, notebook)
        name = self._called.removesuffix(".files")
        state = {"kind": "files", "ended": True, "name": name, "misses": list(files.misses)}
        self._widget = ConsoleWidget.opened(self.key, state, self.to)

    def _listed(self, folder: str) -> tuple[list[str], int]:
        root = f"{folder}/" if folder else ""
        below = [name.removeprefix(root).partition("/") for name in self._files if name.startswith(root)]
        folders = sorted({first for first, slash, _ in below if slash})
        files = sorted(first for first, slash, _ in below if not slash)
        return [f"{root}{name}" for name in (*folders, *files)], len(folders)

    def _names(self) -> Iterator[str]:
        return iter(sorted(self._files))

    def _entry(self, name: str) -> Entry:
        return name, max(0, self._files[name].size), ""

    def _path(self, name: str) -> Path:
        return self._files[name].path

    def _beside(self) -> Path:
        return session().beside

    def _reference(self, name: str) -> str:
        return f"{self._called}[{name!r}]" if self._called else ""


def _called(files: OutputFiles, notebook: Mapping[str, Any]) -> str:
    for name, value in list(notebook.items()):
        if name.startswith("_"):
            continue
        if value is files:
            return name
        if isinstance(value, Run) and value.files == files:
            return f"{name}.files"
    return ""
