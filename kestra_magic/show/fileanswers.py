"""What the page may ask of files, and the answers: of bounded size, and a sentence where there is nothing."""

from __future__ import annotations

import os
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.show.files import preview, why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["Answer", "Entry", "FileAnswers"]

Answer = tuple[dict[str, Any], list[bytes]]
"""What the page is told, and its buffers."""

Entry = tuple[str, int, str]
"""A name, its bytes (-1: a folder) and its mark."""

PIECE_BYTES = 4 << 20
FIRST_ENTRIES = 500
MORE_AT_ONCE = 25_000
MOST_FOUND = 1_000
_SENT = {0xDC00 + byte: 0xF700 + byte for byte in range(0x80, 0x100)}
"""No message carries the bytes of a name that are no UTF-8, as Python has them: they travel in a private area."""
_MEANT = {there: here for here, there in _SENT.items()}
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


class FileAnswers:
    """Answers questions about files that a subclass knows; safe to be asked from any thread."""

    # What a subclass says

    def _listed(self, folder: str) -> tuple[list[str], int]:
        """Return what is in *folder* by its path from the root, folders first, and how many of it are folders."""
        raise NotImplementedError

    def _names(self) -> Iterator[str]:
        """Return the path of every file from the root."""
        raise NotImplementedError

    def _entry(self, name: str) -> Entry:
        raise NotImplementedError

    def _path(self, name: str) -> Path:
        """Return where the file of that name lies."""
        raise NotImplementedError

    def _beside(self) -> Path:
        """Return the notebook's folder."""
        raise NotImplementedError

    def _reference(self, name: str) -> str:
        """Return the notebook's code of that file, or nothing."""
        raise NotImplementedError

    def _asked_file(self, asked: Mapping[str, Any]) -> Path:
        return self._path(str(asked["path"]))

    # The answers

    def to(self, message: Mapping[str, Any]) -> Answer:
        """Return the answer to a message of the page, and its buffers."""
        answer: Callable[[Mapping[str, Any]], Answer] | None = getattr(self, f"_{message.get('t')}", None)
        message = {**message, "path": str(message.get("path", "")).translate(_MEANT)}
        try:
            return answer(message) if answer else ({"error": "This kernel does not know the question."}, [])
        except KestraMagicError as error:
            return {"error": str(error)}, []
        except OSError as error:
            said = why(error)
            return {"error": f"{said[0].upper()}{said[1:]}."}, []

    def _folder(self, asked: Mapping[str, Any]) -> Answer:
        """List one folder from entry *from* on: a screenful at once, then more at a time; only those are looked at."""
        first = int(asked.get("from", 0))
        names, folders = self._listed(str(asked["path"]))
        part = enumerate(names[first : first + (MORE_AT_ONCE if first else FIRST_ENTRIES)], first)
        rows = ((name, -1, "") if at < folders else self._entry(name) for at, name in part)
        return {**_columns(rows), "total": len(names)}, []

    def _find(self, asked: Mapping[str, Any]) -> Answer:
        wanted = str(asked["text"]).lower()
        found = list(islice((name for name in self._names() if wanted in name.lower()), MOST_FOUND + 1))
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
        beside = os.path.relpath(path, self._beside())
        name = beside.encode("utf-8", "replace").decode()
        return {
            "name": Path(name).name, "size": path.stat().st_size,
            "beside": "" if beside.startswith("..") or name != beside else Path(beside).as_posix(),
        }, []  # fmt: skip

    def _piece(self, asked: Mapping[str, Any]) -> Answer:
        with open(self._asked_file(asked), "rb") as file:
            file.seek(int(asked["from"]))
            data = file.read(min(int(asked["count"]), PIECE_BYTES))
            return {"end": not file.read(1)}, [data]

    def _code(self, name: str) -> dict[str, str]:
        reference = self._reference(name)
        stem = "".join(c if c.isalnum() else "_" for c in Path(name).stem)
        table = Path(name).suffix.lower() in TABLES
        return {
            "reference": reference,
            "open": f"{stem if stem.isidentifier() else 'table'} = {reference}.table()" if table and reference else "",
        }


def _columns(rows: Iterable[Entry]) -> dict[str, Any]:
    listed = list(rows)
    return {
        "names": [r[0].translate(_SENT) for r in listed],
        "sizes": [r[1] for r in listed],
        "marks": [r[2] for r in listed],
    }
