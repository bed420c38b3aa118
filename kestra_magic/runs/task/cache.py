"""``taskCache``: a task whose rendered properties are those of an earlier run gives what that one gave."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.scope import each_text
from kestra_magic.workspace.transfer import make_private, write

if TYPE_CHECKING:
    from pathlib import Path

    from kestra_magic.model.tasks import TaskCache
    from kestra_magic.tasks.place import Place
    from kestra_magic.workspace.storage import Storage

__all__ = ["Remembered"]


class Remembered:
    """The outputs of one task with one set of rendered properties.

    Source: Kestra's ``WorkerTaskCallable`` and its ``hashTask``.
    """

    def __init__(self, asked: TaskCache, written: Any, place: Place, flow: str) -> None:
        self.ttl = asked.ttl
        self.storage: Storage = place.storage
        self.namespace = place.namespace
        own = {"workingDir": "workingDir", "outputDir": "outputDir", "outputFiles": {}}
        asked_of = {key: value for key, value in written.items() if key != "taskCache"}
        rendered = each_text(asked_of, lambda text: place.render(text, **own))
        said = json.dumps([place.namespace, flow, rendered], sort_keys=True, default=str)
        key = hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()
        self.path: Path = self.storage.root.parent / "task-cache" / f"{key}.json"

    def recall(self) -> dict[str, Any] | None:
        """Return the outputs; None if there are none, if they are too old, or if a file of them is gone."""
        try:
            known = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        late = self.ttl is not None and time.time() - known["at"] > self.ttl.total_seconds()
        outputs: dict[str, Any] = known["outputs"]
        return None if late or not all(map(self._is_there, _uris(outputs))) else outputs

    def remember(self, outputs: dict[str, Any]) -> None:
        make_private(self.path.parent)
        write(self.path, json.dumps({"at": time.time(), "outputs": outputs}, default=str).encode(), mode=0o600)

    def _is_there(self, uri: str) -> bool:
        try:
            return self.storage.path(uri, namespace=self.namespace).is_file()
        except KestraMagicError:
            return False


def _uris(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value.startswith("kestra:///") else []
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [uri for item in items for uri in _uris(item)]
