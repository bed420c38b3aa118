"""Internal storage: what `kestra://`, `file://` and `nsfile://` mean here."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from kestra_magic.errors import KestraMagicError, did_you_mean, did_you_mean_beside
from kestra_magic.workspace.directory import IllegalPath, id_from, new_id
from kestra_magic.workspace.globs import chosen
from kestra_magic.workspace.transfer import TransferError, copy, make_private, write
from kestra_magic.workspace.tree import files_below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["SCHEMES", "NoSuchURI", "Storage", "is_uri", "slug", "task_uri"]

_SHARED = re.compile(r"kestra:///(?P<space>[^:]+?)/_files/(?P<name>.+)", re.DOTALL)
SCHEMES = ("kestra://", "file://", "nsfile://")
AGAIN = 20


class NoSuchURI(KestraMagicError):
    """A URI that leads to no file, or must not be read."""


def is_uri(text: str) -> bool:
    """Whether a whole value is a file's address; a leading blank makes it text (``FilesService``)."""
    return text.startswith(SCHEMES)


def slug(text: str) -> str:
    """Source: Kestra's ``Slugify.of``."""
    kept = re.sub(r"[^\w-]", "", re.sub(r"\s", "-", text), flags=re.ASCII).replace("_", "-")
    return re.sub(r"-+", "-", kept).strip("-").lower()


LONGEST = 200
"""Bytes of a file's name in its address; systems take 255 in all."""


def task_uri(
    namespace: str, flow_id: str, execution_id: str, task_id: str, taskrun_id: str, path: str, name: str
) -> str:
    """Return the address of a file that a task run left at *path*.

    Whatever would end a URI inside a command is a ``+`` in it. Source: ``StorageContext``, ``InternalStorage.putFile``.
    """
    folder = namespace.replace(".", "/")
    below = f"{folder}/{slug(flow_id)}/executions/{execution_id}/tasks/{slug(task_id)}/{taskrun_id}"
    return f"kestra:///{below}/{id_from(path)}-{_plain(name)}"


def _plain(name: str) -> str:
    """Of a long name its end: with the id before it, it is a file's name too."""
    plain = "".join(char if char.isalnum() or char in "-._~" else "+" for char in name)
    return plain.encode()[-LONGEST:].decode(errors="ignore")


class Storage:
    """Files by URI: in a private tree, as links to where results lie, or beside the notebook.

    Attributes:
        root: the tree behind ``kestra:///``.
        namespace_files: the folder with the files of the notebook's own namespace; those of ``other.ns`` lie in
            ``other/ns/_files`` beside it, as in Kestra's storage.
        allowed: folders from which ``file://`` may read.
    """

    def __init__(self, root: Path, *, namespace_files: Path | None = None, allowed: tuple[Path, ...] = ()) -> None:
        self.root = root
        self.namespace_files = namespace_files
        self.allowed = allowed

    def put(self, source: Path | bytes, uri_path: str) -> str:
        """Take in a copy of a file, or bytes, at *uri_path*; return the URI.

        Raises:
            TransferError: the disk does not take it.
        """
        uri, place = self._place(uri_path)
        if isinstance(source, bytes):
            _kept(place, lambda: write(place, source, mode=0o600))
        else:
            _kept(place, lambda: copy(source, place, mode=0o600))
        return uri

    def link(self, path: Path, uri_path: str) -> str:
        """Let *uri_path* lead to a file where it lies, and hold nothing twice; return the URI."""
        uri, place = self._place(uri_path)
        partly = place.with_name(f".{new_id()}")

        def keep() -> None:
            _link(partly, path.absolute())
            os.replace(partly, place)

        _kept(place, keep)
        return uri

    def _place(self, uri_path: str) -> tuple[str, Path]:
        path = uri_path.removeprefix("kestra://").lstrip("/")
        uri = "kestra:///" + "/".join(map(_plain, path.split("/")))
        return uri, self._below(uri)

    def _below(self, uri: str) -> Path:
        """Return where in the tree a ``kestra://`` URI lies; its host says nothing (``LocalStorage``)."""
        if not uri.startswith("kestra://"):
            raise NoSuchURI(f"Invalid internal storage uri, got uri '{uri}'; it begins with `kestra:///`")
        path = uri.removeprefix("kestra://").partition("/")[2]
        return _inside(self.root, path, uri)

    def path(self, uri: str, *, namespace: str) -> Path:
        """Return the file behind *uri*; *namespace* is the one that ``nsfile:///`` means.

        Raises:
            NoSuchURI: there is none, or it must not be read.
            IllegalPath: it leads out of its folder.
        """
        if uri.startswith("nsfile://"):
            return self._namespace_file(uri, namespace)
        if uri.startswith("file://"):
            return self._local_file(uri)
        shared = _SHARED.fullmatch(uri)
        if shared:  # what `fileURI()` gives
            space = shared["space"].replace("/", ".")
            return self._namespace_file(f"nsfile://{space}/{shared['name']}", namespace)
        return self._stored(uri)

    def delete(self, uri: str) -> bool:
        """Forget what *uri* leads to; a linked result stays where it lies. Return whether there was one."""
        place = self._below(uri)
        if not place.is_file() and not place.is_symlink():
            return False
        place.unlink()
        return True

    def _stored(self, uri: str) -> Path:
        place = self._below(uri)
        if place.is_file():
            return place.resolve()
        if place.is_symlink():
            raise NoSuchURI(f"`{uri}`: its file is no longer at `{os.readlink(place)}`; run again what made it")
        raise NoSuchURI(f"`{uri}`: there is no such file in the internal storage{did_you_mean_beside(place)}")

    def _local_file(self, uri: str) -> Path:
        """Source: ``URIFetcher`` and its ``LocalPath.ALLOWED_PATHS_CONFIG``."""
        text = uri.removeprefix("file://").removeprefix("localhost")
        path = Path(text) if os.path.exists(text) else Path(unquote(text))
        if not path.is_absolute():
            raise NoSuchURI(f"`{uri}`: a local file needs its whole path, as in `file:///data/a.csv`")
        path = path.resolve()
        if not any(path.is_relative_to(folder.resolve()) for folder in self.allowed):
            raise NoSuchURI(f"`{uri}` lies outside the allowed folders: add its folder to the setting `allowed_paths`")
        if not path.is_file():
            raise NoSuchURI(f"`{uri}`: there is no such file")
        return path

    # Namespace files

    def _namespace_file(self, uri: str, namespace: str) -> Path:
        other, _, name = uri.removeprefix("nsfile://").partition("/")
        folder = self._namespace_folder(other or namespace, namespace)
        path = _inside(folder, name, uri)
        if path.is_file():
            return path
        near = did_you_mean(name, files_below(folder))
        raise NoSuchURI(f"`{uri}`: there is no `{name}` in `{folder}`{near}")

    def _namespace_folder(self, namespace: str, own: str) -> Path:
        if self.namespace_files is None:
            raise NoSuchURI("there is no folder with namespace files: name one with the setting `namespace_files`")
        if namespace == own and self.namespace_files.is_dir():
            return self.namespace_files
        return self.namespace_files.parent.joinpath(*namespace.split("."), "_files")

    def list_namespace_files(
        self,
        namespaces: Iterable[str],
        *,
        namespace: str,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        folder_per_namespace: bool = False,
    ) -> dict[str, Path]:
        """Return the files of *namespaces* by the name under which they are placed; a later namespace wins.

        Patterns see a name with a leading ``/``. Source: ``NamespaceFilesUtils.loadNamespaceFiles``.

        Raises:
            GlobError: a pattern is malformed.
        """
        matches, found = chosen(include, exclude), {}
        for each in namespaces:
            files = files_below(self._namespace_folder(each, namespace))
            prefix = f"{each}/" if folder_per_namespace else ""
            found.update({prefix + name: path for name, path in files.items() if matches(f"/{name}")})
        return found

    def tidy(self) -> int:
        """Forget the links whose files are gone, and the folders that held nothing else; return how many links."""
        gone = 0
        for place, _, names in os.walk(self.root, topdown=False):
            lost = [name for name in names if not os.path.exists(os.path.join(place, name))]
            gone += len(lost)
            for name in lost:
                Path(place, name).unlink(missing_ok=True)  # another kernel tidies too
            if place != str(self.root):
                with suppress(OSError):  # something is in it, or it has gone
                    os.rmdir(place)
        return gone


def _kept(place: Path, keep: Callable[[], object]) -> None:
    """Make the folder of *place*, and *keep* a file there: again where another kernel took the empty folder away.

    Raises:
        TransferError: the disk does not take it.
    """
    for last in (*[False] * AGAIN, True):
        try:
            make_private(place.parent)
            keep()
            return
        except (OSError, TransferError) as error:
            if last or place.parent.is_dir():
                raise error if isinstance(error, TransferError) else TransferError(place, error) from None


def _inside(folder: Path, name: str, uri: str) -> Path:
    if "\0" in name or ".." in PurePosixPath(name).parts:
        raise IllegalPath(f"`{uri}` leads out of its folder")
    return folder / name.lstrip("/")


def _link(link: Path, target: Path) -> None:
    try:
        os.symlink(target, link)
    except OSError:
        if os.name != "nt":
            raise
        os.link(target, link)  # Windows: a symbolic link needs a privilege, a second name does not
