"""A small double of a Kestra server's API, in both dialects, with the faults of a real one.

Who runs the flows is the `backend`: `LocalBackend` (this package itself, for fast tests), or Kestra's own engine
(`tests/server`), whose answers are then a real server's to the letter.
"""

from __future__ import annotations

import base64
import email
import email.policy
import json
import threading
import time
import urllib.parse
from collections import Counter
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.load import load_flow
from kestra_magic.model.source import Source, SourceError
from kestra_magic.runs.flow.run import FlowRun
from kestra_magic.runs.progress import State
from kestra_magic.runs.session import Session
from tests.runners.routes import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kestra_magic.runs.progress import Attempt, TaskRun
    from kestra_magic.runs.result import TaskResult
    from kestra_magic.runs.run import Run

__all__ = ["ENDED", "Backend", "Double", "LocalBackend"]

ENDED = ("SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED")
USER = ("admin@kestra.io", "Kestra1234")


class Backend(Protocol):
    """Who holds flows and runs them, in Kestra's own JSON."""

    def validate(self, source: str) -> dict[str, Any]: ...
    def flow(self, source: str) -> dict[str, Any]: ...
    def start(self, namespace: str, flow: str, inputs: dict[str, str], files: dict[str, bytes]) -> dict[str, Any]: ...
    def execution(self, execution: str) -> dict[str, Any] | None: ...
    def logs(self, execution: str) -> list[dict[str, Any]]: ...
    def metrics(self, execution: str) -> list[dict[str, Any]]: ...
    def kill(self, execution: str) -> None: ...
    def resume(self, execution: str, inputs: dict[str, str], files: dict[str, bytes]) -> None: ...
    def file(self, uri: str) -> bytes: ...


class LocalBackend:
    """Flows run by this package in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.session = Session(folder)
        self.runs: dict[str, Run] = {}
        self.flows: dict[tuple[str, str], str] = {}

    def validate(self, source: str) -> dict[str, Any]:
        try:
            load_flow(Source(source))
        except SourceError as error:
            return {"constraints": "Validation error: " + "\n".join(p.message for p in error.problems)}
        return {"warnings": []}

    def flow(self, source: str) -> dict[str, Any]:
        flow: dict[str, Any] = yaml.safe_load(source)
        self.flows[flow["namespace"], flow["id"]] = source
        return flow

    def start(self, namespace: str, flow: str, inputs: dict[str, str], files: dict[str, bytes]) -> dict[str, Any]:
        beside = self.session.beside
        for name, content in files.items():
            (beside / name).write_bytes(content)
        options = {"inputs": {**inputs, **{name: name for name in files}}}
        source = Source(self.flows[namespace, flow])
        run = self.session.flow(source, options, name=f"run{len(self.runs)}", beside=beside)
        run.start()
        self.runs[run.id] = run
        found = self.execution(run.id)
        assert found
        return found

    def execution(self, execution: str) -> dict[str, Any] | None:
        run = self.runs.get(execution)
        if run is None:
            return None
        progress = run.progress
        return {
            "id": run.id,
            "namespace": run.context.namespace,
            "flowId": run.context.flow_id,
            "flowRevision": 1,
            "state": {"current": progress.state.value if run.ended or not progress.state.ended else "RUNNING"},
            "outputs": run.context.flow_outputs,
            "taskRunList": [self._task_run(run, each) for each in progress.task_runs.values()],
        }

    def _task_run(self, run: Run, of: TaskRun) -> dict[str, Any]:
        result = run.context.live[of.id]
        told = {
            "id": of.id,
            "taskId": of.task_id,
            "executionId": run.id,
            "attempts": [_attempt(attempt) for attempt in of.attempts],
            "outputs": {} if of.state is State.KILLED else result.outputs or {},
            "state": {"current": of.state.value, "startDate": _time(of.started or 0), "endDate": _time(of.ended or 0)},
        }
        return told | ({"value": of.value} if of.value is not None else {})

    def logs(self, execution: str) -> list[dict[str, Any]]:
        run = self.runs[execution]
        return [entry for result in list(run.context.live.values()) for entry in _entries(run, result)]

    def metrics(self, execution: str) -> list[dict[str, Any]]:
        results = self.runs[execution].context.live.values()
        return [
            {
                "taskRunId": result.id,
                "type": metric.type,
                "name": metric.name,
                "value": metric.value * (1000 if metric.type == "timer" else 1),
                "tags": dict(metric.tags),
            }
            for result in results
            for metric in result.measured
        ]

    def kill(self, execution: str) -> None:
        self.runs[execution].stop()

    def resume(self, execution: str, inputs: dict[str, str], files: dict[str, bytes]) -> None:
        for name, content in files.items():
            (self.session.beside / name).write_bytes(content)
        run = self.runs[execution]
        assert isinstance(run, FlowRun)
        run.resume(**inputs, **{name: self.session.beside / name for name in files})

    def file(self, uri: str) -> bytes:
        return self.session.storage.path(uri, namespace="").read_bytes()


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def _attempt(attempt: Attempt) -> dict[str, Any]:
    steps = [("CREATED", attempt.started or 0)]
    steps += [("RUNNING", attempt.started)] if attempt.started else []
    steps += [(attempt.state.value, attempt.ended)] if attempt.state.ended and attempt.ended else []
    histories = [{"state": state, "date": _time(at)} for state, at in steps]
    return {"state": {"current": steps[-1][0], "histories": histories, "endDate": _time(attempt.ended or 0)}}


def _entries(run: Run, result: TaskResult) -> list[dict[str, Any]]:
    at = run.started or 0.0
    lines = [("INFO", line) for line in result.stdout.splitlines()] + [
        ("ERROR", line) for line in result.stderr.splitlines()
    ]
    if not at and not run.ended:  # what it writes is on disk a moment before its start is told
        lines = []
    who = {"executionId": run.id, "taskRunId": result.id, "taskId": result.task_id, "attemptNumber": 0}
    told = [
        {
            **who,
            "timestamp": _time(at + n * 1e-5),  # a real server's lines have times of their own
            "level": level,
            "thread": "virtual-7",
            "message": line,
        }
        for n, (level, line) in enumerate(lines)
    ]
    if result.error:
        told.append({**who, "timestamp": _time(0), "level": "ERROR", "thread": "worker_0", "message": result.error})
    return told


class Double(ThreadingHTTPServer):
    """The server. Its faults are attributes, to be changed while it serves.

    Attributes:
        dialect: 1 or 2.
        version, edition: what it says it is.
        lossy: a log stream misses what was said before it listened.
        doubled: a log stream tells some of the store and again from the queue.
        cut_after: a stream is cut after so many events; None: never.
        lag: seconds that the store of logs is behind the queue.
        asked: every request.
    """

    daemon_threads = True
    request_queue_size = 64
    allow_reuse_address = True

    def __init__(self, backend: Backend, *, dialect: int = 1, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.backend = backend
        self.dialect = dialect
        self.version = "1.3.19" if dialect == 1 else "2.0.3"
        self.edition = "OSS"
        self.sources: dict[tuple[str, str], tuple[int, str]] = {}
        self.namespace_files: dict[tuple[str, str], bytes] = {}
        self.lossy = self.doubled = False
        self.cut_after: int | None = None
        self.lag = 0.0
        self.asked: list[Asked] = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._live: set[Any] = set()
        self.gone = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Go away as a killed server does: with every connection."""
        self.gone.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._live):
            connection.close_connection = True
            try:
                connection.connection.shutdown(2)
            except OSError:  # it was closed already
                continue

    def again(self) -> Double:
        """Return the same server, started again at the same address, with what it stored."""
        other = Double(self.backend, dialect=self.dialect, port=self.server_port)
        other.sources, other.namespace_files = self.sources, self.namespace_files
        return other

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Double

    def setup(self) -> None:
        super().setup()
        self.server._live.add(self)

    def finish(self) -> None:
        self.server._live.discard(self)
        super().finish()

    def log_message(self, *said: Any) -> None:
        """Not said."""

    def _say(self, value: Any = None, status: int = 200, kind: str = "application/json") -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode() if value is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, events: Iterator[tuple[str, Any]]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for n, (name, data) in enumerate(events):
            if n == self.server.cut_after:
                self.close_connection = True  # without the end of the chunks: a cut
                return
            body = f"id: {name}\ndata: {json.dumps(data)}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
        self.wfile.write(b"0\r\n\r\n")

    def _answer(self) -> None:
        server = self.server
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or self._chunks()
        kind = self.headers.get("Content-Type", "") if body else ""
        server.asked.append(Asked(self.command, url.path.removeprefix("/api/v1"), tuple(self.query), kind))
        path = [urllib.parse.unquote(part) for part in url.path.strip("/").split("/")][2:]
        if path == ["configs"]:
            return self._say({"version": server.version, "edition": server.edition})
        wanted = "Basic " + base64.b64encode(":".join(USER).encode()).decode()
        if self.headers.get("Authorization") not in (wanted, "Bearer token"):
            return self._say({"message": "Unauthorized"}, 401)
        if path[:1] != ["main"]:
            return self._say({"message": f"Unknown tenant {path[0]}"}, 404)
        rooms = {"flows": self._flows, "namespaces": self._namespaces, "executions": self._executions}
        rooms |= {"logs": self._logs, "metrics": self._metrics, "outputs": self._outputs}
        room = rooms.get(path[1])
        return room(path[2:], body) if room else self._missing()

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the standard library's names

    def _chunks(self) -> bytes:
        """A body of unknown length, as a streaming client sends it."""
        body = b""
        while self.headers.get("Transfer-Encoding") == "chunked":
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                break
        return body

    def _missing(self) -> None:
        self._say({"message": f"Not Found: {self.path}"}, 404)

    def _flows(self, path: list[str], body: bytes) -> None:
        server = self.server
        if path == ["search"]:
            return self._say({"results": [], "total": 0})
        if path == ["validate"]:
            return self._say([{"index": 0, **server.backend.validate(body.decode())}])
        if self.command in ("PUT", "POST"):
            return self._upsert(path, body.decode())
        known = server.sources.get((path[0], path[1]))
        if known is None:
            return self._missing()
        return self._say({"namespace": path[0], "id": path[1], "revision": known[0], "source": known[1]})

    def _upsert(self, path: list[str], source: str) -> None:
        flow = yaml.safe_load(source)
        key = (flow["namespace"], flow["id"])
        before = self.server.sources.get(key)
        if bool(path) != bool(before):
            return self._say(
                {"message": "flow id already exists" if before else "flow is missing"}, 422 if before else 404
            )
        self.server.sources[key] = ((before[0] if before else 0) + 1, source)
        self.server.backend.flow(source)
        return self._say({**flow, "revision": self.server.sources[key][0], "source": source})

    def _namespaces(self, path: list[str], body: bytes) -> None:
        key = (path[0], self.query.get("path", ""))
        if self.command == "POST":
            self.server.namespace_files[key] = next(iter(self._parts(body).values()))[1]
            return self._say()
        found = self.server.namespace_files.get(key)
        return self._missing() if found is None else self._say(found, kind="application/octet-stream")

    def _parts(self, body: bytes) -> dict[str, tuple[str | None, bytes]]:
        head = b"Content-Type: " + str(self.headers["Content-Type"]).encode() + b"\r\n\r\n"
        message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        parts = {}
        for part in message.iter_parts():  # type: ignore[attr-defined]
            about = dict(part.get_params(header="content-disposition") or [])
            parts[about["name"]] = (about.get("filename"), part.get_payload(decode=True))
        return parts

    def _executions(self, path: list[str], body: bytes) -> None:
        backend = self.server.backend
        if self.command == "POST" and path[1:] in (["resume"], ["actions", "resume"]):
            return self._resume(path, body)
        if self.command == "POST":
            return self._start(path, body)
        found = backend.execution(path[0])
        if found is None:
            return self._missing()
        if self.command == "DELETE":
            return self._kill(path, found)
        if path[1:] == ["follow"]:
            return self._stream(self._states(path[0]))
        if path[1:] == ["file"]:
            return self._say(backend.file(self.query["path"]), kind="application/octet-stream")
        if path[1:] == ["file", "metas"]:
            return self._say({"size": len(backend.file(self.query["path"]))})
        return self._say(self._view(found))

    def _start(self, path: list[str], body: bytes) -> None:
        inputs, files = self._given(body)
        try:
            made = self.server.backend.start(path[0], path[1], inputs, files)
        except (KestraMagicError, RuntimeError) as error:
            return self._say({"message": f"Invalid entity: {error}"}, 422)
        return self._say({**self._view(made), "url": f"{self.server.url}/ui/main/executions/{made['id']}"})

    def _resume(self, path: list[str], body: bytes) -> None:
        found = self.server.backend.execution(path[0])
        if found is None or path[1:] != (["resume"] if self.server.dialect == 1 else ["actions", "resume"]):
            return self._missing()
        if found["state"]["current"] != "PAUSED":
            return self._say({"message": "Execution is not paused, can't resume it"}, 409)
        inputs, files = self._given(body)
        try:
            self.server.backend.resume(path[0], inputs, files)
        except KestraMagicError as error:
            return self._say({"message": f"Invalid entity: {error}"}, 422)
        return self._say(self._view(found))

    def _given(self, body: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
        parts = self._parts(body) if body else {}
        inputs = {name: content.decode() for name, (file, content) in parts.items() if file is None}
        return inputs, {name: content for name, (file, content) in parts.items() if file is not None}

    def _kill(self, path: list[str], found: dict[str, Any]) -> None:
        if path[1:] != (["kill"] if self.server.dialect == 1 else ["actions", "kill"]):
            return self._missing()
        if found["state"]["current"] in ENDED:
            return self._say({"message": "Execution is already finished, can't kill it"}, 409)
        self.server.backend.kill(path[0])
        return self._say({}, 202)

    def _view(self, execution: dict[str, Any]) -> dict[str, Any]:
        """2.0 tells no outputs with the execution."""
        if self.server.dialect == 1:
            return execution
        runs = [{k: v for k, v in run.items() if k != "outputs"} for run in execution.get("taskRunList") or ()]
        return {**{k: v for k, v in execution.items() if k != "outputs"}, "taskRunList": runs}

    def _outputs(self, path: list[str], body: bytes) -> None:
        if self.server.dialect == 1 or path[:1] not in (["tasks"], ["executions"]):
            return self._missing()
        found = self.server.backend.execution(path[1]) or {}
        if path[0] == "executions":
            return self._say(found.get("outputs") or {})
        runs = {run["id"]: run for run in found.get("taskRunList") or ()}
        return self._say(runs[path[2]].get("outputs") or {}) if path[2] in runs else self._missing()

    def _states(self, execution: str) -> Iterator[tuple[str, Any]]:
        before = None
        while not self.server.gone.is_set():
            found = self.server.backend.execution(execution)
            assert found
            if found["state"]["current"] in ENDED:
                yield "end", self._view(found)
                return
            if found != before:
                yield "progress", self._view(found)
            before = found
            time.sleep(0.02)

    def _stored(self, execution: str) -> list[dict[str, Any]]:
        behind = datetime.now(UTC).timestamp() - self.server.lag
        entries = self.server.backend.logs(execution)
        return [each for each in entries if datetime.fromisoformat(each["timestamp"]).timestamp() <= behind]

    def _logs(self, path: list[str], body: bytes) -> None:
        if path[1:] == ["follow"]:
            return self._stream(self._lines(path[0]))
        return self._say(self._stored(path[0]))

    def _lines(self, execution: str) -> Iterator[tuple[str, Any]]:
        yield "start", {}
        stored = self._stored(execution)
        if not self.server.lossy:
            yield from (("progress", entry) for entry in stored)
        told = Counter(entry["level"] for entry in stored)
        if self.server.doubled:
            told = Counter({level: count // 2 for level, count in told.items()})
        while not self.server.gone.is_set():  # a real server never ends it by itself
            now = self.server.backend.logs(execution)
            for level in ("INFO", "ERROR"):
                entries = [entry for entry in now if entry["level"] == level]
                yield from (("progress", entry) for entry in entries[told[level] :])
                told[level] = max(told[level], len(entries))
            time.sleep(0.02)

    def _metrics(self, path: list[str], body: bytes) -> None:
        found = self.server.backend.metrics(path[0])
        return self._say({"results": found, "total": len(found)})
