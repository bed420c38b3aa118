"""Files of a flow that is being written: short texts in it, others beside it, earlier tasks' as their outputs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kestra_magic.expressions.rewriting import escaped

if TYPE_CHECKING:
    from kestra_magic.runs.run import Run
    from kestra_magic.workspace.inputs import PlacedFile

__all__ = ["INLINE_CHARS", "Files", "identifier", "output_file"]

INLINE_CHARS = 2_000
_UNSHOWN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff]")
_SCHEME = re.compile(r"(?:kestra|file|nsfile)://")


@dataclass
class Files:
    """What the tasks' input files are made of.

    Attributes:
        namespace: the folder with the notebook's namespace files.
        beside: the namespace files that the flow needs, by name: a file, or its bytes.
        made: by path, the task and the name under which an earlier task gives a file.
    """

    namespace: Path
    beside: dict[str, Path | bytes] = field(default_factory=dict)
    made: dict[Path, tuple[str, str]] = field(default_factory=dict)
    bound: list[Path] = field(default_factory=list)

    def know(self, run: Run, task: str) -> None:
        """Remember what *run* made, and which of it was loaded into a variable."""
        bound = {str(spec).partition("=")[2] for spec in run.context.options.get("bind", [])}
        for name, file in run.files.items():
            self.made[file.path.resolve()] = (task, name)
            if name in bound:
                self.bound.append(file.path.resolve())

    def content(self, file: PlacedFile, task: str, passes: int) -> tuple[str, str]:
        """Return what `inputFiles` says for *file*, rendered so many times, and the task that made it, if one did."""
        source = self._source(file)
        if source is not None and source in self.made:
            maker, name = self.made[source]
            return f"{{{{ {output_file(maker, name)} }}}}", maker
        inline = None if source and source.is_relative_to(self.namespace) else _inline(file, passes)
        return inline if inline is not None else self._beside(file, source, task), ""

    def _source(self, file: PlacedFile) -> Path | None:
        """A variable that still holds what it was loaded from is that file."""
        if file.source is not None:
            return file.source.resolve()
        return next((path for path in self.bound if _holds(path, file.content or b"")), None)

    def _beside(self, file: PlacedFile, source: Path | None, task: str) -> str:
        what = source if source is not None else file.content or b""
        inside = source is not None and source.is_relative_to(self.namespace)
        name = source.relative_to(self.namespace).as_posix() if source and inside else file.name.lstrip("/")
        if self.beside.get(name, what) != what:
            name = f"{task}/{name}"
        self.beside[name] = what
        return f"nsfile:///{name}"


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def _inline(file: PlacedFile, passes: int) -> str | None:
    """Return a short text that a person can read; a text that looks like an address would be fetched."""
    if file.source is not None and os.path.getsize(file.source) > 4 * INLINE_CHARS:
        return None
    try:
        text = (file.source.read_bytes() if file.source is not None else file.content or b"").decode()
    except UnicodeDecodeError:
        return None
    shown = len(text) <= INLINE_CHARS and not _UNSHOWN.search(text) and not _SCHEME.match(text)
    return escaped(text, passes) if shown else None


def identifier(root: str, *steps: str) -> str:
    """Return the expression for what lies below *root*: with dots where they can be."""
    return root + "".join(f".{step}" if re.fullmatch(r"[A-Za-z_]\w*", step) else f"[{_quoted(step)}]" for step in steps)


def _quoted(text: str) -> str:
    return f"'{text}'" if "'" not in text else '"' + text.replace('"', '\\"') + '"'


def output_file(task: str, name: str) -> str:
    return f"{identifier('outputs', task)}.outputFiles[{_quoted(name)}]"
