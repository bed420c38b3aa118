"""What the console's page may ask, and the answers: of bounded size, and a sentence where there is nothing."""

from __future__ import annotations

import json
import os
from array import array
from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.show.files import preview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kestra_magic.show.logview import LogView
    from kestra_magic.show.watched import Watched

__all__ = ["Answer", "Answers"]

Answer = tuple[dict[str, Any], list[bytes]]
"""What the page is told, and its buffers."""

MOST_LINES = 1_000
PIECE_BYTES = 4 << 20
MOST_ENTRIES = 200_000
FIRST_ENTRIES = 500
MORE_AT_ONCE = 25_000
OWN = ("_run", ".gitignore")
MOST_FOUND = 1_000
VALUE_CHARS = 20_000
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


class Answers:
    """Answers questions about *source*; safe to be asked from any thread."""

    def __init__(self, source: Watched, log: LogView, *, ended: Callable[[], bool]) -> None:
        self._source = source
        self._log = log
        self._ended = ended

    def to(self, message: Mapping[str, Any]) -> Answer:
        """Return the answer to a message of the page, and its buffers."""
        answer: Callable[[Mapping[str, Any]], Answer] | None = getattr(self, f"_{message.get('t')}", None)
        try:
            return answer(message) if answer else ({"error": "This kernel does not know the question."}, [])
        except KestraMagicError as error:
            return {"error": str(error)}, []
        except OSError as error:
            return {"error": _why(error)}, []

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

    def _folder(self, asked: Mapping[str, Any]) -> Answer:
        """List one folder from entry *from* on: a screenful at once, then more at a time; only those are looked at."""
        first = int(asked.get("from", 0))
        names, folders = self._listed(str(asked["path"]))
        part = enumerate(names[first : first + (MORE_AT_ONCE if first else FIRST_ENTRIES)], first)
        rows = ((name, -1, "") if at < folders else self._entry(name) for at, name in part)
        return {**_columns(rows), "total": len(names)}, []

    def _find(self, asked: Mapping[str, Any]) -> Answer:
        wanted = str(asked["text"]).lower()
        found = list(islice((name for name in self._below("") if wanted in name.lower()), MOST_FOUND + 1))
        return {**_columns(map(self._entry, found[:MOST_FOUND])), "more": len(found) > MOST_FOUND}, []

    def _preview(self, asked: Mapping[str, Any]) -> Answer:
        path = self._path(str(asked["path"]))
        shown = preview(path)
        said = {name: value for name, value in asdict(shown).items() if name not in ("data", "table")}
        if shown.table:
            said["table"] = {**asdict(shown.table), "numeric": shown.table.numeric}
        more = {"size": path.stat().st_size if path.exists() else 0, "code": self._code(str(asked["path"]))}
        return {**said, **more}, [shown.data] if shown.data else []

    def _about(self, asked: Mapping[str, Any]) -> Answer:
        path = self._asked_file(asked)
        beside = os.path.relpath(path, self._source.beside)
        return {
            "name": path.name, "size": path.stat().st_size,
            "beside": "" if beside.startswith("..") else Path(beside).as_posix(),
        }, []  # fmt: skip

    def _piece(self, asked: Mapping[str, Any]) -> Answer:
        with open(self._asked_file(asked), "rb") as file:
            file.seek(int(asked["from"]))
            data = file.read(min(int(asked["count"]), PIECE_BYTES))
            return {"end": not file.read(1)}, [data]

    def _asked_file(self, asked: Mapping[str, Any]) -> Path:
        if not asked.get("log"):
            return self._path(str(asked["path"]))
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

    def _below(self, folder: str) -> Iterator[str]:
        names, folders = self._listed(folder)
        yield from names[folders:]
        for name in names[:folders]:
            with suppress(OSError):  # a folder that may not be read hides only itself
                yield from self._below(name)

    def _code(self, name: str) -> dict[str, str]:
        reference = f"{self._source.variable}.files[{name!r}]"
        stem = "".join(c if c.isalnum() else "_" for c in Path(name).stem)
        table = Path(name).suffix.lower() in TABLES
        return {
            "reference": reference,
            "open": f"{stem if stem.isidentifier() else 'table'} = {reference}.table()" if table else "",
        }

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


Entry = tuple[str, int, str]
"""A name, its bytes (-1: a folder) and its mark."""


def _columns(rows: Iterable[Entry]) -> dict[str, Any]:
    listed = list(rows)
    return {"names": [r[0] for r in listed], "sizes": [r[1] for r in listed], "marks": [r[2] for r in listed]}


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "It is no longer there."
    if isinstance(error, PermissionError):
        return "It may not be read."
    return f"It cannot be read: {error.strerror or error}."
