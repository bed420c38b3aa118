"""A cell, a flow or a file on a Kestra server: checked there, sent, started, followed as a run of this kernel."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.body import read_body
from kestra_magic.model.checks import written_tasks
from kestra_magic.model.source import Document, Problem, Source, SourceError, load_yaml
from kestra_magic.model.writing import yaml_text
from kestra_magic.runners.kestra.client import Address, Credentials, base_url, connect
from kestra_magic.runners.kestra.executions import Execution, start
from kestra_magic.runners.kestra.flows import Rejected, Sent, deploy, send_files
from kestra_magic.runners.local import LocalRunner
from kestra_magic.runs.context import Context
from kestra_magic.runs.given import flow_values
from kestra_magic.runs.request import read
from kestra_magic.runs.server.oneflow import one_flow
from kestra_magic.runs.server.refused import located
from kestra_magic.runs.server.run import ServerEngine, ServerRun, as_text
from kestra_magic.settings import current
from kestra_magic.stores.environments import find
from kestra_magic.stores.secrets import Secrets
from kestra_magic.stores.servers import credentials
from kestra_magic.workspace.directory import RunFolder
from kestra_magic.workspace.tree import files_below

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kestra_magic.runners.kestra.client import Client
    from kestra_magic.runners.kestra.flows import Deployed
    from kestra_magic.runs.request import Request
    from kestra_magic.runs.session import Session

    Ask = Callable[[str], Credentials | None]

__all__ = ["Server", "ToSend", "cell_to_send", "flow_to_send"]

READS_FILES = ("namespaceFiles", "nsfile:///", "read(")


@dataclass(frozen=True, slots=True)
class ToSend:
    """A flow that a server is to have: its *text*, where its parts were written, and what it is started with.

    Attributes:
        document: a problem of the text is told at its lines.
        name: of the run.
        home: where the folder of namespace files lies.
    """

    text: str
    document: Document
    name: str
    inputs: Mapping[str, str]
    files: Mapping[str, Path | bytes]
    home: Path
    cell: bool = False

    @property
    def flow(self) -> dict[str, Any]:
        value: dict[str, Any] = self.document.value
        return value


def flow_to_send(
    source: Source,
    options: Mapping[str, Any],
    notebook: Mapping[str, object],
    *,
    name: str,
    beside: Path,
    home: Path | None = None,
) -> ToSend:
    """Read a flow: a whole one goes out byte for byte, what had to be completed as it was completed.

    Raises:
        SourceError: it is no flow.
        KestraMagicError: an input that the notebook or the disk does not have.
    """
    for part in ("form", "only", "until", "from", "reuse", "fixtures"):
        if options.get(part):
            raise KestraMagicError(
                f"`--{part}` is of this machine: a server runs the whole flow; leave one of them out"
            )
    strict = bool(options.get("strict", current().strict))
    body = read_body(source, strict=strict, namespace=current().namespace, name=name)
    text = source.text if not body.notices and _is_whole(source, body.document) else yaml_text(body.document.value)
    declared = {str(i.get("id")): str(i.get("type")) for i in body.document.value.get("inputs") or ()}
    values = flow_values(options, notebook)
    files = {key: _file(key, value, beside) for key, value in values.items() if declared.get(key) == "FILE"}
    inputs = {key: as_text(value) for key, value in values.items() if key not in files}
    return ToSend(text, body.document, name or str(body.document.value["id"]), inputs, files, home or beside)


def cell_to_send(session: Session, request: Request) -> ToSend:
    """Read a process cell as a flow of one task.

    Raises:
        SourceError: every problem of its `#|` lines, and what only a notebook can do.
    """
    written = read(request)
    made = one_flow(request, written, namespace=current().namespace, storage=session.storage)
    header = written.document
    places = {("tasks", 0, *path): place for path, place in header.header.places.items()}
    document = Document(request.source, made.flow, places)
    files = {
        name: file.content if file.content is not None else Path(str(file.source)) for name, file in made.files.items()
    }
    inputs = {name: as_text(value) for name, value in made.inputs.items()}
    return ToSend(made.text, document, request.name, inputs, files, request.beside, cell=True)


def _is_whole(source: Source, document: Document) -> bool:
    try:
        return bool(load_yaml(source).value == document.value)
    except SourceError:
        return False


def _file(name: str, value: Any, beside: Path) -> Path | bytes:
    if isinstance(value, bytes):
        return value
    path = beside / Path(os.fspath(value))
    if not path.is_file():
        raise KestraMagicError(f"input `{name}`: there is no file `{value}` beside the notebook")
    return path


class Server:
    """The server that this kernel sends to.

    Args:
        ask: asks the person for credentials when none are known; None: nobody can be asked.
    """

    def __init__(self, client: Client, session: Session) -> None:
        self.client = client
        self.session = session
        self.sent = Sent(session.data / "servers.json")

    @classmethod
    def connect(cls, session: Session, url: str = "", tenant: str = "", ask: Ask | None = None) -> Server:
        """Connect to *url*, or to the server of the settings.

        Raises:
            KestraMagicError: none is known, or `connect` failed.
        """
        url = base_url(url or current().server)
        if not url:
            raise KestraMagicError("which server? `%kestra server http://localhost:8080`, or set KESTRA_URL")
        known = credentials(url) or (ask(url) if ask else None) or Credentials()
        return cls(connect(Address(url, tenant or current().tenant), known), session)

    def deploy(self, what: ToSend, *, force: bool = False) -> Deployed:
        """Let the server check the flow and take it, with the namespace files that changed and that it may read.

        Raises:
            SourceError: what the server finds wrong, at its lines.
            ServerError: it was not done.
        """
        self._refuse_groups(what)
        if any(word in what.text for word in READS_FILES):
            folder = what.home / current().namespace_files
            files = files_below(folder) if folder.is_dir() else {}
            send_files(self.client, str(what.flow["namespace"]), files, self.sent, force=force)
        try:
            return deploy(self.client, what.text, what.flow, self.sent, force=force)
        except Rejected as rejected:
            raise located(rejected.said, what.document) from None

    def _refuse_groups(self, what: ToSend) -> None:
        if not self.client.open_source:
            return
        said = (
            f"Kestra {self.client.version} (open source) has no worker groups: remove `{{}}`, or use Kestra Enterprise"
        )
        problems = [
            Problem(what.document.line((*path, key)), said.format(key))
            for path, task in written_tasks(what.flow, ())
            for key in ("workerGroup", "workerSelector")
            if key in task
        ]
        if problems:
            raise SourceError(what.document.source, problems)

    def start(self, what: ToSend, *, force: bool = False) -> Execution:
        """Deploy the flow and start it.

        Raises:
            SourceError, ServerError: as `deploy`, or an input is missing or wrong.
        """
        deployed = self.deploy(what, force=force)
        with tempfile.TemporaryDirectory() as folder:
            files = {name: _on_disk(Path(folder), name, content) for name, content in what.files.items()}
            return start(self.client, deployed.namespace, deployed.id, what.inputs, files)

    def run(self, what: ToSend, *, force: bool = False, replace: bool = False) -> ServerRun:
        """Deploy the flow and start it; return its run, not yet followed.

        Raises:
            SourceError, ServerError: as `start`.
        """
        self.session.make_way(what.name, instead=replace)
        return self._run(self.start(what, force=force), what.document, what.name, cell=what.cell)

    def attach(self, id: str) -> ServerRun:  # noqa: A002 - Kestra's word
        """Return the run of an execution that was started earlier, wherever; not yet followed.

        Raises:
            ServerError: the server has none of that id.
        """
        execution = Execution.find(self.client, id)
        name = str(execution.seen["flowId"])
        self.session.make_way(name)
        path = (
            f"/flows/{execution.seen['namespace']}/{name}?source=true&revision={execution.seen.get('flowRevision', '')}"
        )
        source = Source(str(self.client.json("GET", path)["source"]), name)
        return self._run(execution, load_yaml(source), name, cell=False)

    def _run(self, execution: Execution, document: Document, name: str, *, cell: bool) -> ServerRun:
        session = self.session
        context = Context(
            name=name,
            flow_id=str(execution.seen["flowId"]),
            namespace=str(execution.seen["namespace"]),
            document=document,
            runner=LocalRunner(session.work),
            storage=session.storage,
            kv=session.kv,
            secrets=Secrets(),
            python=find(None),
            beside=session.beside,
            notebook={} if cell else None,
            inputs=dict(execution.seen.get("inputs") or {}),
            id=execution.id,
            afterwards=session.pruning.soon,
            folder=RunFolder.allocate(session.base, name),
        )
        written = {str(task.get("id")): task for _, task in written_tasks(document.value, ())}
        run = ServerRun(context, ServerEngine(execution, context, written))
        return session.take(run)


def _on_disk(folder: Path, name: str, content: Path | bytes) -> Path:
    if isinstance(content, Path):
        return content
    path = folder / name
    path.write_bytes(content)
    return path
