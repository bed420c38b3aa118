"""What stands in for the world of a flow: the keys of Kestra's unit tests, and `trigger`, `secrets`, `kv`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.expressions.render import render
from kestra_magic.expressions.scope import Scope, each_text, plain
from kestra_magic.model.source import load_yaml, read_source
from kestra_magic.runs.flow.engine import StandIn
from kestra_magic.runs.progress import State
from kestra_magic.stores.kv import KV, Entry
from kestra_magic.workspace.directory import OWN
from kestra_magic.workspace.storage import Storage
from kestra_magic.workspace.tables import as_file
from kestra_magic.workspace.tree import files_below

if TYPE_CHECKING:
    from pathlib import Path

    from kestra_magic.runs.context import Context

__all__ = ["Fixtures", "read_fixtures"]

KEYS = ("inputs", "files", "tasks", "trigger", "secrets", "kv")
TASK_KEYS = ("id", "value", "outputs", "state", "description")


@dataclass(frozen=True, slots=True)
class Fixtures:
    """What stands in.

    Attributes:
        tasks: by their ids, or by id and the value of a loop.
        files: namespace files by name: a text, or data.
        kv: of the flow's namespace; every other key is the real store's, read and written.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Any] = field(default_factory=dict)
    tasks: Mapping[Any, StandIn] = field(default_factory=dict)
    trigger: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    kv: Mapping[str, Any] = field(default_factory=dict)

    def into(self, context: Context) -> None:
        """Let *context* see what stands in, and nothing of the world that it stands for."""
        folder = context.folder.path / OWN
        if self.files:
            context.storage = _with_files(context.storage, self.files, folder / "files")
        if self.kv:
            context.kv = _Keys(context.kv, folder / "kv.sqlite", context.namespace, self.kv)
        context.trigger |= self.trigger
        context.secrets.stand_in(self.secrets)

    def rendered(self, context: Context) -> dict[Any, StandIn]:
        """Return the stand-ins, expressions in their outputs rendered: ``{{ fileURI('x.csv') }}``."""
        files = {name: f"nsfile:///{name.lstrip('/')}" for name in self.files}
        scope = Scope({**context.run_roots(), "files": files})

        def rendered(outputs: Mapping[str, Any]) -> dict[str, Any]:
            return dict(each_text(plain(outputs, "outputs"), lambda text: render(text, scope, context.host), keys=True))

        return {key: StandIn(rendered(each.outputs), each.state) for key, each in self.tasks.items()}


class _Keys(KV):
    """A store in which some keys of one namespace stand in: no other store sees what becomes of them."""

    def __init__(self, real: KV, path: Path, namespace: str, values: Mapping[str, Any]) -> None:
        super().__init__(path)
        self._real = real
        self._names = {(namespace, key) for key in values}
        for key, value in values.items():
            self.set(namespace, key, value)

    def set(self, namespace: str, key: str, value: Any, **more: Any) -> None:
        put = super().set if (namespace, key) in self._names else self._real.set
        put(namespace, key, value, **more)

    def delete(self, namespace: str, key: str) -> bool:
        return super().delete(namespace, key) if (namespace, key) in self._names else self._real.delete(namespace, key)

    def entries(self, namespace: str) -> list[Entry]:
        real = [entry for entry in self._real.entries(namespace) if (namespace, entry.key) not in self._names]
        return sorted([*super().entries(namespace), *real], key=lambda entry: entry.key)


def read_fixtures(wanted: str, beside: Path, notebook: Mapping[str, object]) -> Fixtures:
    """Return the fixtures of `--fixtures FILE|VAR`.

    Raises:
        KestraMagicError: there is no such file or variable, or it is no fixtures.
    """
    if not wanted:
        return Fixtures()
    if wanted in notebook:
        return _fixtures(notebook[wanted], wanted)
    return _fixtures(load_yaml(read_source(beside / wanted, wanted)).value, wanted)


def _fixtures(value: object, where: str) -> Fixtures:
    said = value.get("fixtures", value) if isinstance(value, Mapping) else value
    if not isinstance(said, Mapping):
        raise KestraMagicError(f"fixtures `{where}`: must be a map of {', '.join(KEYS)}")
    for key in said:
        _check(str(key), KEYS, where)
    maps = {key: dict(said.get(key) or {}) for key in KEYS if key != "tasks"}
    return Fixtures(tasks=dict(_task(task, where) for task in said.get("tasks") or ()), **maps)


def _check(key: str, known: tuple[str, ...], where: str) -> None:
    if key not in known:
        near = did_you_mean(key, known) or f"; there are: {', '.join(known)}"
        raise KestraMagicError(f"fixtures `{where}`: there is no key `{key}`{near}")


def _task(task: object, where: str) -> tuple[Any, StandIn]:
    if not isinstance(task, Mapping) or "id" not in task:
        raise KestraMagicError(f"fixtures `{where}`: each of `tasks` is a map with `id`, `outputs` and `state`")
    for key in task:
        _check(str(key), TASK_KEYS, where)
    state = str(task.get("state") or "SUCCESS")
    if state not in State.__members__:
        raise KestraMagicError(f"fixtures `{where}`: `{state}` is no state{did_you_mean(state, State.__members__)}")
    key = (str(task["id"]), str(task["value"])) if task.get("value") is not None else str(task["id"])
    return key, StandIn(dict(task.get("outputs") or {}), State(state))


def _with_files(storage: Storage, files: Mapping[str, Any], folder: Path) -> Storage:
    """Return the storage with *files* among the namespace's: the real ones are linked, none is written."""
    there = files_below(storage.namespace_files) if storage.namespace_files and storage.namespace_files.is_dir() else {}
    for name, path in there.items():
        if name not in files:
            _place(folder, name).symlink_to(path.absolute())
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        _place(folder, name).write_bytes(data if isinstance(data, bytes) else as_file(name, data))
    return Storage(storage.root, namespace_files=folder, allowed=storage.allowed)


def _place(folder: Path, name: str) -> Path:
    path = (folder / name.lstrip("/")).absolute()
    if not os.path.normpath(path).startswith(f"{os.path.normpath(folder.absolute())}{os.sep}"):
        raise KestraMagicError(f"fixtures: the file `{name}` leads out of its folder")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
