"""Files out: what a run left behind, as a mapping of paths; and how it is found."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.workspace.globs import java_glob, path_matcher
from kestra_magic.workspace.misses import instead
from kestra_magic.workspace.tables import TABLES, load_table, suffix_of
from kestra_magic.workspace.transfer import copy, naming
from kestra_magic.workspace.tree import NOT_WORK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["NoSuchFile", "OutputFile", "OutputFiles", "changed", "collect", "matcher", "snapshot"]

_LINE_END = re.compile(r"[\n\r\x85\u2028\u2029]")
_BROKEN = "{!r} was not collected: as on a server, `**` does not match a line end in a name; `*` does"
_LOOK = 8192  # bytes that say whether a file is text


class NoSuchFile(KestraMagicError, KeyError):
    """A run left no file of that name."""

    __str__ = Exception.__str__


@dataclass(frozen=True, slots=True)
class OutputFile(os.PathLike[str]):
    """One file that a run left: a path wherever a path is wanted.

    Attributes:
        name: relative, as the run wrote it.
        path: where it lies now.
        uri: its ``kestra:///`` address, which expressions see.
        size: bytes, when it was collected; -1 if it had gone by then.
    """

    name: str
    path: Path
    uri: str = ""
    size: int = field(default=-2, compare=False)

    def __post_init__(self) -> None:
        if self.size == -2:
            object.__setattr__(self, "size", _size(self.path))

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __kestra__(self) -> str:
        """What expressions see of it."""
        return self.uri or str(self.path)

    def __repr__(self) -> str:
        return (
            f"OutputFile({self.name!r}, {self.size:,} bytes)" if self.size >= 0 else f"OutputFile({self.name!r}, gone)"
        )

    def read_bytes(self) -> bytes:
        """Return its content.

        Raises:
            TransferError: it is no longer there.
        """
        with naming(self.path):
            return self.path.read_bytes()

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return its content as text.

        Raises:
            KestraMagicError: it is not text in that encoding, or no longer there.
        """
        try:
            return self.read_bytes().decode(encoding, errors)
        except UnicodeDecodeError as error:
            raise KestraMagicError(
                f"`{self.name}` is not {encoding} text (byte {error.start}): use `read_bytes()` or name its encoding"
            ) from None

    def json(self) -> Any:
        """Return what its JSON says.

        Raises:
            KestraMagicError: it is not JSON, or no longer there.
        """
        try:
            return json.loads(self.read_text())
        except ValueError as error:
            raise KestraMagicError(f"`{self.name}` is not JSON: {error}") from None

    def table(self) -> Any:
        """Return a DataFrame (CSV, TSV, JSONL, Parquet; gzipped too), or a list of dicts without pandas.

        Raises:
            KestraMagicError: it is no table, or no longer there.
        """
        with naming(self.path):
            return load_table(self.path)

    def save(self, to: str | os.PathLike[str]) -> Path:
        """Copy it to a path or into a folder; return where it lies then.

        Raises:
            TransferError: it is no longer there, or the disk does not take it.
        """
        target = Path(to).expanduser()
        return copy(self.path, target / PurePosixPath(self.name).name if target.is_dir() else target)

    def load(self) -> Any:
        """Return what `-b VAR=FILE` binds: a table, data, text, or (images and the rest) the file itself.

        Raises:
            KestraMagicError: its content is not what its name says.
        """
        suffix = suffix_of(self.name)
        if suffix in TABLES:
            return self.table()
        if suffix == ".json":
            return self.json()
        if suffix in (".yaml", ".yml"):
            return _yaml(self)
        return self.read_text() if self._is_text() else self

    def _is_text(self) -> bool:
        kind = guess_type(self.name)[0] or ""
        if kind.startswith(("image/", "audio/", "video/")):
            return False
        with naming(self.path), open(self.path, "rb") as file:
            start = file.read(_LOOK)
        return b"\0" not in start and _decodes(start)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it went in the meantime: said when its content is wanted
        return -1


def _decodes(start: bytes) -> bool:
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return len(start) == _LOOK and error.start > _LOOK - 4  # a character cut by the window
    return True


def _yaml(file: OutputFile) -> Any:
    yaml = import_module("yaml")
    try:
        return yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise KestraMagicError(f"`{file.name}` is not YAML: {' '.join(str(error).split())}") from None


class OutputFiles(Mapping[str, OutputFile]):
    """The files that a run left, by relative name.

    Attributes:
        misses: a sentence for each pattern that matched none.
    """

    def __init__(self, files: Mapping[str, OutputFile], misses: Iterable[str] = ()) -> None:
        self._files = dict(files)
        self.misses = tuple(misses)

    def __getitem__(self, name: str) -> OutputFile:
        found = self._files.get(name)
        if found is None:
            raise NoSuchFile(f"no file `{name}`{self._instead(name)}")
        return found

    def _instead(self, name: str) -> str:
        if not self._files:
            return f" was collected: {'no file matched' + self._why() if self.misses else f'keep it with `-o {name}`'}"
        known = ", ".join(f"`{each}`" for each in list(self._files)[:5])
        more = f" and {len(self) - 5} more" if len(self) > 5 else ""
        return did_you_mean(name, self._files) or f" was collected, only {known}{more}{self._why()}"

    def _why(self) -> str:
        return f" ({'; '.join(self.misses)})" if self.misses else ""

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        shown = ", ".join(f"{file.name!r}: {file.size:,} bytes" for file in list(self.values())[:6])
        more = f", … {len(self) - 6} more" if len(self) > 6 else ""
        return f"OutputFiles({{{shown}{more}}})"

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)


# Finding them


def collect(root: Path, patterns: Iterable[str]) -> tuple[dict[str, Path], list[str]]:
    """Return the regular files below *root* that match, by relative name, and a sentence for each pattern without any.

    Links are neither followed nor collected. Source: ``LocalWorkingDir.findAllFilesMatching``.

    Raises:
        GlobError: a pattern is malformed.
    """
    matchers = {pattern: matcher(root, pattern) for pattern in patterns}
    names, unread = _regular_files(root) if matchers else ([], [])
    found: set[str] = set()
    misses = []
    for pattern, matches in matchers.items():
        matched = [name for name in names if matches(name)]
        found.update(matched)
        if not matched:
            misses.append(f"`{pattern}` matched no file{instead(pattern, root, names)}")
    misses += [_BROKEN.format(name) for name in names if _LINE_END.search(name) and _passed_over(name, found, matchers)]
    misses += [f"folder `{name}` could not be read: nothing in it was collected" for name in unread]
    return {name: root / name for name in sorted(found)}, misses


def _passed_over(name: str, found: set[str], matchers: Mapping[str, Callable[[str], bool]]) -> bool:
    """Whether it is only its line end that keeps a pattern from matching it."""
    plain = _LINE_END.sub("-", name)
    return name not in found and any(matches(plain) for matches in matchers.values())


def matcher(root: Path, pattern: str) -> Callable[[str], bool]:
    """Return whether a name below *root* matches.

    Raises:
        GlobError: the pattern is malformed.
    """
    if not pattern.startswith(("glob:", "regex:")):
        return java_glob(pattern)
    matches = path_matcher(pattern)
    return lambda name: matches(f"{root}/{name}")


def _regular_files(root: Path) -> tuple[list[str], list[str]]:
    """Return the names of all regular files below *root*, and of the folders that cannot be read."""
    names: list[str] = []
    unread: list[str] = []
    folders = [""]
    while folders:
        below = folders.pop()
        try:
            with os.scandir(root / below) as entries:
                for entry in entries:
                    name = f"{below}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{name}/")
                    elif entry.is_file(follow_symlinks=False):
                        names.append(name)
        except OSError:  # a folder that the run closed, or removed just now
            unread += [below.rstrip("/")] if os.path.lexists(root / below) else []
    return sorted(names), unread


# In the notebook's own folder


Seen = dict[str, tuple[int, int, int]]


def snapshot(root: Path) -> Seen:
    """Return what lies below the notebook's folder, so that `changed` can tell what is new."""
    seen: Seen = {}
    for place, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in NOT_WORK]
        for name in names:
            path = Path(place, name)
            if (facts := _facts(path)) is not None:
                seen[path.relative_to(root).as_posix()] = facts
    return seen


def _facts(path: Path) -> tuple[int, int, int] | None:
    try:
        facts = os.lstat(path)
    except FileNotFoundError:  # gone since it was listed
        return None
    return (facts.st_mtime_ns, facts.st_size, facts.st_ino)


def changed(root: Path, before: Seen) -> dict[str, Path]:
    """Return the regular files that are new or other than *before*, by name.

    A notebook that was there before is left out: its editor saves it while the cell runs.
    """
    now = snapshot(root)
    names = [name for name, facts in now.items() if before.get(name) != facts]
    fresh = [name for name in names if not (name.endswith(".ipynb") and name in before)]
    return {name: root / name for name in sorted(fresh) if not (root / name).is_symlink()}
