"""Files change their place without being held twice: renamed, else shared by the file system, else copied."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from kestra_magic.errors import KestraMagicError, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "TransferError", "copy", "encoded", "make_private", "move", "naming", "new_file", "put", "put_in_private", "write",
]  # fmt: skip

FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file
NEW_BITS = 0o600
_MORE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
KEPT_BITS = 0o755  # others never write; neither setuid nor setgid survives the move


class TransferError(KestraMagicError):
    """A file could not be read or written where it had to be."""

    def __init__(self, path: Path, error: OSError) -> None:
        remedy = {
            errno.ENOENT: "it is no longer there" if path.parent.is_dir() else "there is no such folder",
            errno.ELOOP: "it is a link; only regular files are taken",
        }.get(error.errno or 0) or refusal(error)
        self.path = path
        super().__init__(f"`{path}`: {remedy}")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say of *path* what the system refuses.

    Raises:
        TransferError: it does.
    """
    try:
        yield
    except OSError as error:
        raise TransferError(path, error) from None


def encoded(text: str) -> bytes:
    """Return *text* as UTF-8: bytes of a file's name that are none come back as they were; half a character is a ?."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def make_private(path: Path) -> Path:
    """Make the folder and its missing parents, all for their owner alone (0700)."""
    try:
        os.mkdir(path, 0o700)
    except FileNotFoundError:
        make_private(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError:  # it is there already, whatever the system says first
        if not path.is_dir():
            raise
    return path


def copy(source: Path, target: Path, *, mode: int = 0o644) -> Path:
    """Copy a regular file over *target*; blocks are shared where the file system can.

    Raises:
        TransferError: it cannot be read, or the disk does not take it.
    """
    with naming(source):
        reading = _regular(source)
    with reading, naming(target), new_file(target, mode) as writing:
        if not _shared(reading.fileno(), writing.fileno()):
            shutil.copyfileobj(reading, writing, 1024 * 1024)
    return target


def move(source: Path, target: Path) -> Path:
    """Move a regular file over *target*, keeping its time and, without write for others, its mode.

    A file with a second name elsewhere is copied: what was linked into the work directory must not change with it.

    Raises:
        TransferError: it is gone, no regular file, or the disk does not take it.
    """
    with naming(source):
        facts = os.lstat(source)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.ELOOP, "not a regular file")
        if facts.st_nlink > 1 or not _renamed(source, target):
            copy(source, target)
            os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))
            os.unlink(source)
        with suppress(PermissionError):  # made by another user (sudo): it is readable or it is not
            os.chmod(target, (facts.st_mode | stat.S_IRUSR) & KEPT_BITS)
    return target


def write(target: Path, content: bytes, *, mode: int = 0o644) -> Path:
    """Write *content* over *target*, whole or not at all.

    Raises:
        TransferError: the disk does not take it.
    """
    partly = _beside(target)
    with naming(target), _gone_unless_well(partly):
        put(partly, content)
        _take_name(partly, target, mode)
    return target


def put(path: Path, content: bytes) -> None:
    """Write *content* into *path*, for its owner alone if it is new: Python's own files ask five things more for that.

    Raises:
        OSError: the disk does not take it.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _MORE, NEW_BITS)
    try:
        while content:
            content = content[os.write(file, content) :]
    finally:
        os.close(file)


def put_in_private(path: Path, content: bytes) -> None:
    """Write *content* into *path*; its folder is made, for its owner alone, if it turns out to be missing.

    Raises:
        TransferError: the disk does not take it.
    """
    with naming(path):
        try:
            put(path, content)
        except FileNotFoundError:
            make_private(path.parent)
            put(path, content)


@contextmanager
def new_file(target: Path, mode: int) -> Iterator[IO[bytes]]:
    """Open a new file that takes *target*'s name when the block ends well, and leaves nothing when it does not."""
    partly = _beside(target)
    with _gone_unless_well(partly):
        with open(partly, "xb", opener=lambda name, flags: os.open(name, flags, NEW_BITS)) as file:
            yield file
        _take_name(partly, target, mode)


def _beside(target: Path) -> Path:
    return target.with_name(f".{os.urandom(8).hex()}.part")


def _take_name(partly: Path, target: Path, mode: int) -> None:
    if mode != NEW_BITS:
        os.chmod(partly, mode)
    os.replace(partly, target)


@contextmanager
def _gone_unless_well(partly: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(partly)
        raise


def _regular(path: Path) -> IO[bytes]:
    """Open a file that is no device and no pipe: those would never end."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OSError(errno.EINVAL, "it is not a regular file")


def _renamed(source: Path, target: Path) -> bool:
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _shared(source: int, target: int) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:  # another device, or a file system that cannot
        return False
    return True
