"""`--server`, `%kestra server` and `%kestra deploy`: the same cell on a Kestra server."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import StdinNotImplementedError

from kestra_magic.errors import KestraMagicError
from kestra_magic.magics.arguments import UsageError, parse
from kestra_magic.magics.options import Option
from kestra_magic.model.source import Source
from kestra_magic.runners.kestra.client import Credentials, Missing, base_url
from kestra_magic.runs.server.send import Server, cell_to_send, flow_to_send
from kestra_magic.runs.session import session
from kestra_magic.settings import current, update
from kestra_magic.stores.servers import keep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from kestra_magic.runs.server.run import ServerRun
    from kestra_magic.runs.server.send import ToSend
    from kestra_magic.runs.session import UnknownRun

__all__ = ["deploy", "detached", "follow_execution", "run_there", "server"]

SERVER = (
    Option("tenant", metavar="TENANT", help="one of the server's tenants; default: main"),
    Option("login", help="ask for name and password (or token), and keep them in the keyring"),
)
DEPLOY = (Option("force", help="overwrite what was not written from here"),)

_said: dict[str, Credentials] = {}
"""What was typed in this kernel, where no keyring could keep it."""


def server(_shell: InteractiveShell, rest: str, _cell: str | None) -> None:
    """`%kestra server [URL] [--tenant T] [--login]`: which server is meant from now on; bare: which one it is."""
    url, options = parse("%kestra server", SERVER, rest)
    url = base_url(url or current().server)
    if url and options["login"]:
        _login(url)
    client = _connect(url, options["tenant"] or "").client
    update(server=url, tenant=client.address.tenant)
    print(f"{client.address}: Kestra {client.version} ({client.edition})")


def deploy(_shell: InteractiveShell, rest: str, cell: str | None) -> None:
    """`%kestra deploy [NAME|FILE] [--force]`: send a flow, or a cell's run as a flow, without running it."""
    name, options = parse("%kestra deploy", DEPLOY, rest)
    what = _named(name, cell)
    done = _connect().deploy(what, force=options["force"])
    for warning in done.warnings:
        print(f"the server warns: {warning}")
    said = "is sent as" if done.changed else "is there already as"
    print(f"{done.namespace}.{done.id} {said} revision {done.revision}")


def run_there(what: ToSend, options: Mapping[str, Any]) -> ServerRun:
    """Check, send and start a flow; return its run, not yet followed."""
    run = _connect().run(what, force=bool(options.get("force")), replace=bool(options.get("replace")))
    print(f"Open in Kestra: {run.link}")
    return run


def detached(what: ToSend, options: Mapping[str, Any]) -> None:
    """Check, send and start a flow, and leave it alone."""
    execution = _connect().start(what, force=bool(options.get("force")))
    print(f"Open in Kestra: {execution.link}\n`%kestra attach {execution.id}` follows it, from any kernel")


def follow_execution(id: str, unknown: UnknownRun) -> ServerRun:  # noqa: A002 - Kestra's word
    """Return the run of an execution on the server, not yet followed; of what is *unknown* here.

    Raises:
        KestraMagicError: it is unknown there too, or the server does not answer.
    """
    try:
        return _connect().attach(id)
    except Missing:
        raise KestraMagicError(f"{current().server} has no execution `{id}`, and {unknown}") from None


def _connect(url: str = "", tenant: str = "") -> Server:
    return Server.connect(session(), url, tenant, ask=lambda url: _said.get(url) or _ask(url))


def _login(url: str) -> None:
    said = _ask(url)
    if said is None:
        raise KestraMagicError("nobody can be asked here: set KESTRA_USERNAME and KESTRA_PASSWORD")
    try:
        keep(url, said)
    except KestraMagicError as why:
        print(f"known until this kernel ends: {why}")


def _ask(url: str) -> Credentials | None:
    """Ask the person; what was typed is neither shown nor saved with the notebook."""
    try:
        name = input(f"{url}: user (empty for a token): ")
        word = getpass.getpass("password: " if name else "token: ")
    except (StdinNotImplementedError, EOFError):
        return None
    _said[url] = Credentials(name, word) if name else Credentials(token=word)
    return _said[url]


def _named(name: str | None, cell: str | None) -> ToSend:
    here = session()
    if cell is not None:
        return flow_to_send(Source(cell, first_line=2), {}, {}, name=name or "", beside=here.beside)
    if name is None:
        raise UsageError("`%kestra deploy` takes a NAME or a FILE, or a flow in its cell: `%%kestra deploy`")
    path = here.beside / Path(name).expanduser()
    if path.is_file():
        return flow_to_send(Source(path.read_text("utf-8"), path.name), {}, {}, name="", beside=path.parent)
    run = here.latest(name)
    request = run.context.request
    if request is None:
        raise KestraMagicError(f"what `{name}` was is not known any more: run its cell")
    if run.context.cell:
        return cell_to_send(here, request)
    return flow_to_send(request.source, {}, {}, name=name, beside=request.beside)
