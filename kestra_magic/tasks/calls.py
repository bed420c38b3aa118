"""Which function carries out which core task; each family is read when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError

if TYPE_CHECKING:
    from kestra_magic.model.tasks import Task
    from kestra_magic.tasks.desk import Desk

__all__ = ["call"]

_HOMES = {
    "Log": "logs:log",
    "Return": "debug:give_back",
    "Echo": "debug:echo",
    "Fail": "verdicts:fail",
    "Assert": "verdicts:check",
    "Labels": "verdicts:label",
    "OutputValues": "debug:values",
    "Request": "http:request",
    "Download": "http:download",
    "LocalFiles": "storages:local_files",
    "Write": "storages:write",
    "Concat": "storages:concat",
    "Size": "storages:size",
    "StorageDelete": "storages:delete",
    "PurgeCurrentExecutionFiles": "storages:purge",
    "Split": "split:split",
    "KvSet": "keys:put",
    "KvGet": "keys:get",
    "KvDelete": "keys:delete",
    "Sleep": "logs:sleep",
}


def call(task: Task, desk: Desk) -> dict[str, Any] | None:
    """Carry out *task*; return its outputs.

    Raises:
        KestraMagicError: it failed, or was ended.
    """
    home = _HOMES.get(type(task).__name__)
    if home is None:
        raise KestraMagicError(f"`{task.type}` does not run here")
    module, _, name = home.partition(":")
    outputs: dict[str, Any] | None = getattr(import_module(f"kestra_magic.tasks.{module}"), name)(desk)
    return outputs
