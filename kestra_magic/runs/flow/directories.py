"""``WorkingDirectory``: one directory for all that it holds; some of its files come back the next time."""

from __future__ import annotations

import os
import tempfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError
from kestra_magic.runs.progress import State
from kestra_magic.tasks.namespacefiles import namespace_files
from kestra_magic.workspace.directory import WorkDirectory
from kestra_magic.workspace.inputs import input_files, place, placed
from kestra_magic.workspace.outputs import collect
from kestra_magic.workspace.storage import NoSuchURI, slug

if TYPE_CHECKING:
    from kestra_magic.model.flowables import Cache
    from kestra_magic.model.flowables import WorkingDirectory as Written
    from kestra_magic.runs.flow.flowables import FlowableLife

__all__ = ["working_directory"]


def working_directory(life: FlowableLife) -> State:
    directory = WorkDirectory.make(life.context.runner.root(life.id))
    try:
        return _Shared(life, directory).run()
    finally:
        directory.remove()


class _Shared:
    """Source: ``io.kestra.plugin.core.flow.WorkingDirectory``, ``preExecuteTasks`` and ``postExecuteTasks``."""

    def __init__(self, life: FlowableLife, directory: WorkDirectory) -> None:
        self.life = life
        self.task: Written = life.task  # type: ignore[assignment]
        self.directory = directory
        self.place = life.context.place(life.task, life.id, 1, life.frame)
        self.kept = _Kept(life, directory, self.task.cache) if self.task.cache else None

    def run(self) -> State:
        try:
            self._before()
        except KestraMagicError as error:
            raise KestraMagicError(f"Failed preExecuteTasks on WorkingDirectory: {error}") from None
        frame = self.life.frame
        inside = replace(self.life.inside(), root=str(self.directory.path), value=frame.value, inherited=True)
        state = self.life.inner(self.task.tasks, inside)
        try:
            self._after()
        except KestraMagicError as error:
            raise KestraMagicError(f"Failed postExecuteTasks on WorkingDirectory: {error}") from None
        return state

    def _before(self) -> None:
        if self.kept:
            self.kept.restore()
        if self.task.namespace_files is not None:
            with self.place.at(("namespaceFiles",), None):
                place(self.directory, namespace_files(self.task.namespace_files, self.place))
        declared = self.task.input_files
        if declared is not None:
            with self.place.at(("inputFiles",), declared):
                files = input_files(declared, self.place.render)
            place(self.directory, placed(files, self.place.storage, namespace=self.place.namespace))

    def _after(self) -> None:
        life = self.life
        if self.kept:
            self.kept.save()
        patterns = life.get("output_files") or []
        found, misses = collect(self.directory.path, patterns)
        for miss in misses:
            life.log("WARN", miss)
        life.result.files = life.context.keep(life.task, life.result, found, life.frame)
        files = {name: file.uri for name, file in life.result.files.items()}
        life.give({"outputFiles": files, "uris": files})


class _Kept:
    """``cache``: a zip in the storage, by namespace, flow and task; saved only when a file is newer than it was."""

    def __init__(self, life: FlowableLife, directory: WorkDirectory, cache: Cache) -> None:
        self.life = life
        self.directory = directory
        self.cache = cache
        context = life.context
        parts = (*context.namespace.split("."), slug(context.flow_id), slug(life.task.id), "cache", "archive.zip")
        self.uri = "kestra:///" + "/".join(parts)
        self._restored = 0.0

    def restore(self) -> None:
        storage, ttl = self.life.context.storage, self.cache.ttl
        try:
            archive = storage.path(self.uri, namespace=self.life.context.namespace)
        except NoSuchURI:
            return self.life.log("DEBUG", "Cache: there is none yet")
        if ttl is not None and time.time() - archive.stat().st_mtime > ttl.total_seconds():
            storage.delete(self.uri)
            return self.life.log("DEBUG", "Cache: it is older than its ttl")
        with zipfile.ZipFile(archive) as file:
            for member in file.infolist():
                target = self.directory.resolve(member.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read(member))
                target.chmod((member.external_attr >> 16) & 0o777 or 0o644)
        self._restored = time.time()
        return self.life.log("DEBUG", "Cache: files restored")

    def save(self) -> None:
        found, _ = collect(self.directory.path, [self.life.resolved(text, "cache") for text in self.cache.patterns])
        if not any(path.stat().st_mtime > self._restored for path in found.values()):
            return
        descriptor, name = tempfile.mkstemp(dir=self.directory.path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for below, path in found.items():
                    archive.write(path, below)
            self.life.context.storage.put(Path(name), self.uri)
        finally:
            os.unlink(name)
