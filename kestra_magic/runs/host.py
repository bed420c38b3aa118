"""What expressions may ask of the world outside their variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kestra_magic.workspace.storage import NoSuchURI

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kestra_magic.runs.context import Context

__all__ = ["SessionHost"]


class SessionHost:
    """Answers for one execution: its secrets, its keys, its storage, its namespace's files, its log."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def secret(self, name: str) -> str:
        return self.context.secrets.get(name)

    def kv(self, key: str, namespace: str | None, *, required: bool) -> object:
        space = namespace or self.context.namespace
        return self.context.kv.require(space, key) if required else self.context.kv.get(space, key)

    def hide(self, value: str) -> None:
        self.context.secrets.hide(value)

    def file(self, address: str) -> Path | None:
        """Return where a namespace file or a ``kestra:///`` file lies, None where there is none."""
        uri = address if "://" in address else f"nsfile:///{address.lstrip('/')}"
        try:
            return self.context.storage.path(uri, namespace=self.context.namespace)
        except NoSuchURI:
            return None

    def error_logs(self) -> list[dict[str, object]]:
        """Return what was logged as an error so far (``errorLogs()``)."""
        return [
            {"taskId": result.task_id, "level": "ERROR", "message": entry.message, "timestamp": entry.at}
            for result in [*self.context.live.values()]
            for entry in result.entries
            if entry.level == "ERROR"
        ]

    def http(self, request: Mapping[str, Any]) -> object:
        """Return the body of an answer: parsed if it is JSON, else its text."""
        from kestra_magic.tasks.http import fetched

        self.context.shown()
        return fetched(request)
