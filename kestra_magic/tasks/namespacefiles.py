"""``namespaceFiles``: which files of which namespaces are placed (``NamespaceFilesUtils.loadNamespaceFiles``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError
from kestra_magic.workspace.inputs import PlacedFile

if TYPE_CHECKING:
    from collections.abc import Collection

    from kestra_magic.model.tasks import NamespaceFiles
    from kestra_magic.tasks.place import Place

__all__ = ["namespace_files"]


def namespace_files(asked: NamespaceFiles, place: Place, *, taken: Collection[str] = ()) -> list[PlacedFile]:
    """Return the namespace files that *asked* places; names that are *taken* are treated as ``ifExists`` says.

    Raises:
        KestraMagicError: a pattern is malformed, or with ``ifExists: FAIL`` a name is taken.
    """
    if not asked.enabled.resolve(place.render):
        return []
    found = place.storage.list_namespace_files(
        asked.namespaces.resolve(place.render) if asked.namespaces else [place.namespace],
        namespace=place.namespace,
        include=asked.include.resolve(place.render) if asked.include else (),
        exclude=asked.exclude.resolve(place.render) if asked.exclude else (),
        folder_per_namespace=asked.folder_per_namespace.resolve(place.render),
    )
    if_exists = str(asked.if_exists.resolve(place.render))
    both = sorted(set(found) & set(taken))
    if both and if_exists == "FAIL":
        raise KestraMagicError(f"namespace file `{both[0]}` would replace a file that is there (ifExists: FAIL)")
    if both and if_exists == "WARN":
        place.notice(f"namespace files already there are left as they are: {', '.join(both)}")
    kept = set(both) if if_exists in ("WARN", "IGNORE") else set()
    return [PlacedFile(name, source=path) for name, path in found.items() if name not in kept]
