"""``storage.{LocalFiles, Write, Concat, Size, Delete, PurgeCurrentExecutionFiles}``."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.workspace.directory import WorkDirectory, new_id
from kestra_magic.workspace.inputs import input_files, place, placed
from kestra_magic.workspace.outputs import collect

if TYPE_CHECKING:
    from kestra_magic.tasks.desk import Desk

__all__ = ["concat", "delete", "local_files", "purge", "size", "write"]


def local_files(desk: Desk) -> dict[str, Any]:
    """Source: ``io.kestra.plugin.core.storage.LocalFiles``: useful in the directory of a ``WorkingDirectory``."""
    root = desk.folder()
    given = desk.task.inputs  # type: ignore[attr-defined]
    if given is not None:
        with desk.place.at(("inputs",), given):
            files = input_files(given, desk.place.render)
        place(WorkDirectory(root), placed(files, desk.place.storage, namespace=desk.place.namespace))
    found, misses = collect(root, desk.get("outputs", []))
    for miss in misses:
        desk.log("WARN", miss)
    return {"uris": {name: desk.keep(name, path) for name, path in sorted(found.items())}}


def write(desk: Desk) -> dict[str, Any]:
    """Source: ``io.kestra.plugin.core.storage.Write``."""
    content = desk.get("content")
    path = desk.folder() / f"{new_id()}{_dotted(desk.get('extension', ''))}"
    path.write_text(content, "utf-8")
    return {"uri": desk.keep(path.name, path)}


def concat(desk: Desk) -> dict[str, Any]:
    """Source: ``io.kestra.plugin.core.storage.Concat``."""
    separator = str(desk.get("separator", "")).encode()
    path = desk.folder() / f"{new_id()}{_dotted(desk.get('extension'))}"
    with open(path, "wb") as whole:
        for n, uri in enumerate(_uris(desk.get("files"))):
            whole.write(separator if n else b"")
            with open(desk.path(uri), "rb") as part:
                shutil.copyfileobj(part, whole)
            desk.halt.check()
    return {"uri": desk.keep(path.name, path)}


def size(desk: Desk) -> dict[str, Any]:
    return {"size": desk.path(desk.get("uri")).stat().st_size}


def delete(desk: Desk) -> dict[str, Any]:
    """Source: ``io.kestra.plugin.core.storage.Delete``; a file beside the notebook is not touched."""
    uri = desk.get("uri")
    deleted = desk.place.storage.delete(uri)
    if not deleted and desk.get("error_on_missing"):
        raise KestraMagicError(f"Unable to delete '{uri}': there is no such file")
    return {"uri": uri, "deleted": deleted}


def purge(desk: Desk) -> dict[str, Any]:
    return {"uris": desk.forget()}


def _uris(given: Any) -> list[str]:
    """Return the URIs that ``files`` gives: a list, or the JSON of one."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            given = [given]
    values = list(given.values()) if isinstance(given, dict) else given
    if not isinstance(values, list) or not all(isinstance(uri, str) for uri in values):
        raise KestraMagicError("files: must be a list of URIs, or an expression that gives one")
    return values


def _dotted(extension: str) -> str:
    return extension if not extension or extension.startswith(".") else f".{extension}"
