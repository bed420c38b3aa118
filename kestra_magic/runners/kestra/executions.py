"""One execution on a server: started, asked, killed, and the files it left."""

from __future__ import annotations

from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any

from kestra_magic.runners.kestra.client import Missing, Refused, segment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kestra_magic.runners.kestra.client import Client

__all__ = ["ENDED", "Execution", "start"]

ENDED = frozenset({"SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "RETRIED", "SKIPPED"})
_PAGE = 1000


def start(client: Client, namespace: str, flow: str, inputs: Mapping[str, str], files: Mapping[str, Path]) -> Execution:
    """Start a flow.

    Args:
        inputs: by the flow's inputs, as text; *files* those of type FILE: streamed.

    Raises:
        Refused: an input is missing or wrong, in the server's words.
        Unreachable: whether it started is not known: nothing is sent twice.
    """
    path = f"/executions/{segment(namespace)}/{segment(flow)}"
    return Execution(client, _with_inputs(client, path, inputs, files))


def _with_inputs(client: Client, path: str, inputs: Mapping[str, str], files: Mapping[str, Path]) -> Mapping[str, Any]:
    with ExitStack() as opened:
        parts: list[tuple[str, Any]] = [(name, (None, text)) for name, text in inputs.items()]
        # Servers before 0.24 take the name of the part's file as the input's id.
        parts += [(name, (name, opened.enter_context(file.open("rb")))) for name, file in files.items()]
        made: Mapping[str, Any] = client.json("POST", path, files=parts or None)
    return made


class Execution:
    """An execution that is known by its id.

    Attributes:
        seen: the execution as the server told it last.
    """

    def __init__(self, client: Client, seen: Mapping[str, Any]) -> None:
        self.client = client
        self.id = str(seen["id"])
        self.seen = seen
        self._path = f"/executions/{segment(self.id)}"

    @classmethod
    def find(cls, client: Client, id: str) -> Execution:  # noqa: A002 - Kestra's word
        """Return an execution that was started earlier.

        Raises:
            Missing: there is none.
        """
        return cls(client, client.json("GET", f"/executions/{segment(id)}"))

    @property
    def link(self) -> str:
        """Its page in Kestra's own interface."""
        return self.client.link("executions", str(self.seen["namespace"]), str(self.seen["flowId"]), self.id)

    @property
    def ended(self) -> bool:
        return self.seen["state"]["current"] in ENDED

    def look(self) -> Mapping[str, Any]:
        self.seen = self.client.json("GET", self._path)
        return self.seen

    def kill(self) -> None:
        """Ask the server to end it with everything it started; one that has ended needs no killing."""
        try:
            self.client.json("DELETE", self._to("kill"))
        except Refused as refused:
            if refused.status != 409 and not (refused.status < 500 and self._has_ended()):
                raise

    def resume(self, inputs: Mapping[str, str], files: Mapping[str, Path]) -> None:
        """Let what is paused go on, with the inputs of its ``onResume``.

        Raises:
            Refused: nothing is paused, or an input is missing or wrong, in the server's words.
        """
        _with_inputs(self.client, self._to("resume"), inputs, files)

    def _to(self, action: str) -> str:
        return f"{self._path}/actions/{action}" if self.client.dialect == 2 else f"{self._path}/{action}"

    def _has_ended(self) -> bool:
        self.look()
        return self.ended

    def logs(self) -> list[dict[str, Any]]:
        """Return every log entry that the server has stored so far."""
        return self.client.json("GET", f"/logs/{segment(self.id)}") or []

    def outputs(self, task_run: Mapping[str, Any]) -> dict[str, Any]:
        """Return a task run's outputs: in the execution (1.x), or asked for (2.x)."""
        if self.client.dialect == 1 or task_run.get("outputs"):
            return dict(task_run.get("outputs") or {})
        name = f"{segment(self.id)}/{segment(str(task_run['id']))}"
        for path in (f"/outputs/tasks/{name}", f"/outputs/{name}"):  # 2.0.3, and snapshots before it
            try:
                return dict(self.client.json("GET", path) or {})
            except Missing:
                continue
        return {}

    def flow_outputs(self) -> dict[str, Any]:
        """Return what the flow itself gives: with the execution (1.x), or asked for (2.x)."""
        if self.client.dialect == 1:
            return dict(self.seen.get("outputs") or {})
        try:
            return dict(self.client.json("GET", f"/outputs/executions/{segment(self.id)}") or {})
        except Missing:  # snapshots before 2.0.3
            return {}

    def metrics(self) -> list[dict[str, Any]]:
        """Return what its tasks measured, page by page."""
        found: list[dict[str, Any]] = []
        for page in range(1, 1 << 20):
            said = self.client.json("GET", f"/metrics/{segment(self.id)}?page={page}&size={_PAGE}")
            found += said["results"]
            if len(found) >= said["total"] or not said["results"]:
                break
        return found

    def size(self, uri: str) -> int:
        """Return a file's bytes."""
        return int(self.client.json("GET", f"{self._path}/file/metas", params={"path": uri})["size"])

    def save(self, uri: str, into: IO[bytes]) -> None:
        """Write a file of its storage, streamed."""
        self.client.save(f"{self._path}/file", into, {"path": uri})
