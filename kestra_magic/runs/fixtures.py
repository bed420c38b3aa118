"""What stands in for the world of a flow: the keys of Kestra's unit tests, and `trigger`, `secrets`, `kv`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.expressions.render import render_deep
from kestra_magic.expressions.scope import Scope, plain
from kestra_magic.model.source import load_yaml, read_source
from kestra_magic.runs.engine import StandIn
from kestra_magic.runs.progress import State
from kestra_magic.stores.kv import KV
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
        kv: of the flow's namespace; None leaves the real store, which else is not touched.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Any] = field(default_factory=dict)
    tasks: Mapping[Any, StandIn] = field(default_factory=dict)
    trigger: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    kv: Mapping[str, Any] | None = None

    def into(self, context: Context) -> None:
        """Let *context* see what stands in, and nothing of the world that it stands for."""
        folder = context.folder.path / OWN
        if self.files:
            context.storage = _with_files(context.storage, self.files, folder / "files")
        if self.kv is not None:
            context.kv = KV(folder / "kv.sqlite")
            for key, value in self.kv.items():
                context.kv.set(context.namespace, key, value)
        context.trigger |= self.trigger
        context.secrets.stand_in(self.secrets)

    def rendered(self, context: Context) -> dict[Any, StandIn]:
        """Return the stand-ins, expressions in their outputs rendered: ``{{ fileURI('x.csv') }}``."""
        scope = Scope(context.run_roots())
        return {
            key: StandIn(dict(render_deep(plain(each.outputs, "outputs"), scope, context.host)), each.state)  # type: ignore[call-overload]
            for key, each in self.tasks.items()
        }


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
    maps = {key: dict(said.get(key) or {}) for key in KEYS if key not in ("tasks", "kv")}
    tasks = dict(_task(task, where) for task in said.get("tasks") or ())
    return Fixtures(tasks=tasks, kv=dict(said["kv"] or {}) if "kv" in said else None, **maps)


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
