"""What the console's page may ask, and the answers: of bounded size, and a sentence where there is nothing."""

from __future__ import annotations

import json
import os
from array import array
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.show.fileanswers import FileAnswers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kestra_magic.show.fileanswers import Answer, Entry
    from kestra_magic.show.logview import LogView
    from kestra_magic.show.watched import WatchedRun

__all__ = ["Answers"]

MOST_LINES = 1_000
MOST_ENTRIES = 200_000
OWN = ("_run", ".gitignore")
VALUE_CHARS = 20_000


class Answers(FileAnswers):
    """Answers questions about *source*; safe to be asked from any thread."""

    def __init__(self, source: WatchedRun, log: LogView, *, ended: Callable[[], bool]) -> None:
        self._source = source
        self._log = log
        self._ended = ended

    # The log

    def _range(self, asked: Mapping[str, Any]) -> Answer:
        first = int(asked["first"])
        return {"first": first, "lines": self._log.page(first, min(int(asked["count"]), MOST_LINES))}, []

    def _line(self, asked: Mapping[str, Any]) -> Answer:
        text, size = self._log.whole(int(asked["index"]))
        return {"text": text, "shown": len(text), "size": size}, []

    def _search(self, asked: Mapping[str, Any]) -> Answer:
        ended, total = self._ended(), self._log.count
        hits, following = self._log.search(str(asked["text"]).lower(), str(asked["level"]), int(asked["from"]))
        return {"next": following, "total": total, "ended": ended}, [array("I", hits).tobytes()]

    def _copy(self, asked: Mapping[str, Any]) -> Answer:
        text, lines, of = self._log.copy(str(asked["text"]).lower(), str(asked["level"]))
        return {"text": text, "lines": lines, "of": of}, []

    # Files

    def _asked_file(self, asked: Mapping[str, Any]) -> Path:
        if not asked.get("log"):
            return super()._asked_file(asked)
        if path := self._source.log_path:
            return path
        raise FileNotFoundError

    def _path(self, name: str) -> Path:
        """Return the file of that name; a link that leaves the run's folder is not followed."""
        root = self._root()
        if "\0" in name:
            raise FileNotFoundError
        path = (root / name).resolve()
        if not path.is_relative_to(root.resolve()):
            raise PermissionError
        return path

    def _root(self) -> Path:
        if self._source.root is None:
            raise FileNotFoundError
        return self._source.root

    def _listed(self, folder: str) -> tuple[list[str], int]:
        """Return what is in *folder* by its path from the root, folders first, and how many of it are folders."""
        folders: list[str] = []
        files: list[str] = []
        with os.scandir(self._path(folder)) as entries:
            for entry in islice(entries, MOST_ENTRIES):
                if folder or entry.name not in OWN:
                    (folders if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
        names = sorted(folders) + sorted(files)
        return [f"{folder}/{name}" for name in names] if folder else names, len(folders)

    def _entry(self, name: str) -> Entry:
        try:
            status = os.stat(self._root() / name)
        except OSError:
            return name, 0, ""
        return name, status.st_size, self._mark(name, status.st_mtime)

    def _mark(self, name: str, written: float) -> str:
        if name in self._source.inputs:
            return "changed" if written > (self._source.started or written) else "input"
        return "output" if self._source.declared(name) else "undeclared"

    def _names(self) -> Iterator[str]:
        return self._below("")

    def _below(self, folder: str) -> Iterator[str]:
        names, folders = self._listed(folder)
        yield from names[folders:]
        for name in names[:folders]:
            with suppress(OSError):  # a folder that may not be read hides only itself
                yield from self._below(name)

    def _beside(self) -> Path:
        return self._source.beside

    def _reference(self, name: str) -> str:
        return f"{self._source.variable}.files[{name!r}]"

    # Values

    def _values(self, _asked: Mapping[str, Any]) -> Answer:
        text = json.dumps(self._source.vars, default=str, ensure_ascii=False)
        if len(text) > 1 << 20:
            return {
                "error": f"The outputs are {len(text):,} characters long; `{self._source.variable}.vars` has them."
            }, []
        return {"values": json.loads(text), "name": self._source.name, "variable": self._source.variable}, []

    def _render(self, asked: Mapping[str, Any]) -> Answer:
        text = self._source.render(str(asked["expression"]))
        return {"text": text[:VALUE_CHARS], "size": len(text)}, []

    def _metrics(self, _asked: Mapping[str, Any]) -> Answer:
        earlier = [{"run": name, "last": dict(last)} for name, last in self._source.earlier]
        return {"metrics": [dict(entry) for entry in self._source.metrics], "earlier": earlier}, []

    def _rendered(self, _asked: Mapping[str, Any]) -> Answer:
        return {"text": self._source.rendered}, []
