"""Kestra's own engine behind the double's HTTP: the answers are a real server's, to the letter."""

from __future__ import annotations

import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.server.engine import Engine

__all__ = ["EngineBackend"]


class EngineBackend:
    """What `tests.runners.kestra_double.Backend` asks of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._folder = TemporaryDirectory()

    def _ask(self, what: str, **more: Any) -> Any:
        with self._lock:
            return self._engine.ask(what, **more)

    def validate(self, source: str) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("validate", source=source)[0]
        return found

    def flow(self, source: str) -> dict[str, Any]:
        made: dict[str, Any] = self._ask("flow", source=source)
        return made

    def start(self, namespace: str, flow: str, inputs: dict[str, str], files: dict[str, bytes]) -> dict[str, Any]:
        paths = {name: Path(self._folder.name, name) for name in files}
        for name, path in paths.items():
            path.write_bytes(files[name])
        given = {name: str(path) for name, path in paths.items()}
        made: dict[str, Any] = self._ask("start", namespace=namespace, flow=flow, inputs=inputs, files=given)
        self._made = made
        return made

    def execution(self, execution: str) -> dict[str, Any] | None:
        """The store learns of an execution a moment after whoever started it."""
        found: dict[str, Any] | None = self._ask("execution", id=execution)
        return found or (self._made if self._made["id"] == execution else None)

    def logs(self, execution: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("logs", id=execution)
        return found

    def metrics(self, execution: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("metrics", id=execution)
        return found

    def kill(self, execution: str) -> None:
        self._ask("kill", id=execution)

    def resume(self, execution: str, inputs: dict[str, str], files: dict[str, bytes]) -> None:
        raise NotImplementedError("the engine alone has no service that resumes: it is the webserver's")

    def file(self, uri: str) -> bytes:
        to = Path(self._folder.name, "fetched")
        self._ask("file", uri=uri, to=str(to))
        return to.read_bytes()

    def close(self) -> None:
        self._folder.cleanup()
