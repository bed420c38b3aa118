"""One attempt's directory, and the folder where a run's results stay."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
import tempfile
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from kestra_magic.errors import KestraMagicError
from kestra_magic.workspace.removal import remove_tree
from kestra_magic.workspace.transfer import make_private, move, naming, put, put_in_private

__all__ = [
    "OWN", "IllegalPath", "RunFolder", "WorkDirectory", "id_from", "new_id", "read_record", "work_parent",
    "write_record",
]  # fmt: skip

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
OWN = "_run"  # the run's own record, beside its files
RECORD, RECORD_TO_BE = "run.json", "run.json.new"


class IllegalPath(KestraMagicError):
    """A name would lead out of the working directory."""


def read_record(folder: Path) -> dict[str, Any]:
    """Return what the run in *folder* wrote; nothing if its kernel died first, the disk was full, or it was pruned."""
    try:
        return dict(json.loads(folder.joinpath(OWN, RECORD).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def write_record(folder: Path, text: str) -> None:
    """Write what the run in *folder* was, whole or not at all; over what may be there.

    Raises:
        TransferError: the disk does not take it.
    """
    partly, record = (folder.joinpath(OWN, name) for name in (RECORD_TO_BE, RECORD))
    put_in_private(partly, text.encode())
    with naming(record):
        os.replace(partly, record)


def new_id() -> str:
    """Return a new identifier: Kestra's ``IdUtils.create``, the base62 of a random UUID."""
    return _friendly(uuid.uuid4())


def id_from(text: str) -> str:
    """Return the identifier that belongs to *text*: Kestra's ``IdUtils.from``."""
    digest = hashlib.md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()
    return _friendly(uuid.UUID(bytes=digest, version=3))


def _friendly(value: uuid.UUID) -> str:
    number, said = value.int, ""
    while number:
        number, digit = divmod(number, 62)
        said = _DIGITS[digit] + said
    return said


def work_parent(wanted: Path) -> Path:
    """Return *wanted*, or a private folder below the system's temporary one if its path holds a space or a colon.

    Scripts use their working directory's path unquoted; Kestra takes colons out of it.

    Raises:
        KestraMagicError: someone else owns that folder.
    """
    if _is_plain(wanted):
        return wanted
    owner = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    path = make_private(Path(tempfile.gettempdir()) / f"kestra-magic-{owner}")
    facts = os.lstat(path)
    if hasattr(os, "getuid") and (facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) & 0o077):
        raise KestraMagicError(f"`{path}` is not yours alone: choose another folder with the setting `work_dir`")
    return path


def _is_plain(path: Path) -> bool:
    return not re.search(r"[\s:]", str(path).removeprefix(path.drive))


class WorkDirectory:
    """Where one attempt runs.

    Source: Kestra's ``LocalWorkingDir``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def make(cls, path: Path) -> WorkDirectory:
        """Make the directory, for its owner alone.

        Raises:
            KestraMagicError: the path cannot stand unquoted in a script, or cannot be made.
        """
        path = path.absolute()
        if not _is_plain(path):
            raise IllegalPath(f"`{path}` holds a space or a colon: choose another folder with the setting `work_dir`")
        with naming(path):
            try:
                os.mkdir(path, 0o700)
            except FileNotFoundError:
                make_private(path.parent)
                os.mkdir(path, 0o700)
        return cls(path)

    def resolve(self, name: str | None) -> Path:
        """Return the path of *name* in here; None is the directory itself.

        Raises:
            IllegalPath: it is not inside, or leads outside through a link.
        """
        if name is None:
            return self.path
        path = self.path / name
        if "\0" in name or ".." in re.split(r"[/\\]" if os.sep == "\\" else "/", name) or not self._holds(path):
            raise IllegalPath(
                f"`{name}`: the path to resolve must be a relative path inside the current working directory"
            )
        return path

    def _holds(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.path.resolve())

    def remove(self) -> str:
        """Remove it with all that is in it; return why something is left, or nothing."""
        return remove_tree(self.path)

    def __repr__(self) -> str:
        return f"WorkDirectory({str(self.path)!r})"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """``kestra-runs/NAME-N``: where a run's results stay. Its path is its own for ever.

    Attributes:
        base: the folder of all runs.
        number: N.
        instead_of: the base that was asked for and could not be written.
    """

    base: Path
    name: str
    number: int
    instead_of: Path | None = None
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self.base / f"{self.name}-{self.number}")

    @classmethod
    def allocate(cls, base: Path, name: str, *, fallback: Path | None = None) -> RunFolder:
        """Make the next folder of *name*; safe among several kernels.

        In the *fallback* (default: the user's data folder) if *base* cannot be written.

        Raises:
            KestraMagicError: nor can the fallback, or *name* is no name.
        """
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise IllegalPath(f"`{name}` is no name for a run: letters, digits, `.`, `_` and `-`")
        base = base.absolute()
        try:
            return cls(base, name, _next(base, name))
        except OSError:
            other = fallback or user_data_path("kestra_magic") / "kestra-runs"
        with naming(other):
            return cls(other, name, _next(other, name), instead_of=base)

    def expect_end(self) -> None:
        """Make the file for its record now, while it runs.

        A new file may take half a millisecond: after many were removed ext4 looks at each of these first.
        """
        with suppress(OSError):  # it is made with what is written into it
            put(self.path.joinpath(OWN, RECORD_TO_BE), b"")

    def publish(self) -> Path:
        """Let ``NAME`` lead to this run, unless it leads to a later one; return it.

        Where another run's folder has that name, this folder is returned.
        """
        link = self.base / self.name
        later = _published(self.base, self.name)
        if later > self.number and link.exists():
            return link
        if not later and link.is_dir() and not _is_link(link):
            return self.path
        partly = self.base / f".{os.urandom(8).hex()}"
        with naming(link):
            _link(partly, self.path)
            os.replace(partly, link)
        return link

    def adopt(self, source: Path, name: str) -> Path:
        """Take in a file under *name*: it is moved, never held twice; return where it lies now.

        Raises:
            KestraMagicError: it is gone, no regular file, or leads out of this folder.
        """
        below = f"_{name}" if name.split("/")[0] == OWN else name
        target = WorkDirectory(self.path).resolve(below)
        with naming(target):
            make_private(target.parent)
        return move(source, target)


_last: dict[tuple[Path, str], int] = {}
"""The number that this process gave last, by base and name: a folder of thousands of runs is not read for each."""


def _next(base: Path, name: str) -> int:
    """Make the folder after the last of *name*, and return its number."""
    number = _last.get((base, name), 0)
    if not number or _published(base, name) != number:
        number = _greatest(base, name)
    while True:
        number += 1
        with suppress(FileExistsError):  # another kernel was faster
            os.mkdir(os.path.join(base, f"{name}-{number}"), 0o700)
            _last[base, name] = number
            return number


def _published(base: Path, name: str) -> int:
    """Return the number of the run that ``NAME`` leads to; 0 if there is none."""
    try:
        return _number(os.path.basename(os.readlink(os.path.join(base, name))), name)
    except OSError:
        return 0


def _greatest(base: Path, name: str) -> int:
    make_private(base)
    with suppress(FileExistsError), open(base / ".gitignore", "x", encoding="utf-8") as file:
        file.write("*\n")
    return max((_number(entry, name) for entry in os.listdir(base)), default=0)


def _number(folder: str, name: str) -> int:
    """Return the N of ``NAME-N``; 0 for any other folder."""
    number = folder.removeprefix(f"{name}-")
    return int(number) if number != folder and number.isdecimal() else 0


def _is_link(path: Path) -> bool:
    return path.is_symlink() or getattr(os.path, "isjunction", lambda _: False)(path)


if sys.platform == "win32":

    def _link(link: Path, folder: Path) -> None:
        """Make a junction: a link to a folder that needs no privilege."""
        import _winapi

        existing = link.with_name(folder.name.rpartition("-")[0])
        if _is_link(existing):
            os.unlink(existing)  # a junction cannot be replaced in one step
        _winapi.CreateJunction(str(folder), str(link))

else:

    def _link(link: Path, folder: Path) -> None:
        os.symlink(folder.name, link)
