"""Runs of other kernels become this one's: live, ended, or begun again."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.load import load_flow
from kestra_magic.model.source import Document, Source
from kestra_magic.process.recorder import read_status
from kestra_magic.runs.again import Names, request_of
from kestra_magic.runs.context import Context
from kestra_magic.runs.flow.run import FlowRun
from kestra_magic.runs.kernels.elsewhere import Elsewhere, is_carried
from kestra_magic.runs.kernels.found import Found, Joined, attempts, is_guarded, read_back
from kestra_magic.runs.request import Request, read
from kestra_magic.runs.run import Run
from kestra_magic.settings import current
from kestra_magic.stores.environments import find
from kestra_magic.stores.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kestra_magic.runs.journal.journal import Record
    from kestra_magic.runs.request import CellDocument
    from kestra_magic.runs.session import Session

__all__ = ["attach", "begin_again", "elsewhere", "found", "join"]


def attach(session: Session, text: str) -> Run:
    """Return the run that *text* names: by its name, its folder (``train-3``) or its id; of a name the latest.

    Raises:
        UnknownRun: there is none.
        KestraMagicError: it lives in another kernel, and ends with it.
    """
    own = {run.name: run for run in session.runs} | {run.folder.name: run for run in session.runs}
    own |= {run.id: run for run in session.runs}
    if (run := own.get(text) or own.get(text.replace("_", "-"))) is not None:
        return run
    record = session.journal.find(text)
    if record is None:
        session.unknown(text, [*own, *(known.name for known in session.journal.history())])
    assert record is not None
    return found(session, record)


def elsewhere(session: Session, text: str) -> Record | None:
    """Return the run that *text* names if another kernel has it that lives, and it ends with that."""
    record = session.journal.find(text)
    if record is None or record.ended is not None or record.detached or record.owner == session.journal.owner:
        return None
    return record if record.owner.lives() else None


def found(session: Session, record: Record) -> Run:
    """Return the run of the journal's row *record* as this kernel's, live or ended.

    Raises:
        KestraMagicError: it lives in another kernel, and ends with it.
    """
    known = next((run for run in session.runs if run.id == record.id), None)
    if known is not None:
        return known
    if record.ended is None and record.detached and record.request.get("flow") and is_carried(record):
        context = _context(session, record)
        return session.take(FlowRun(context, Elsewhere(context)).start())
    if record.ended is None and record.detached and read_status(_last(record)):
        _reachable(record)
        return session.take(join(session, record).start())
    if record.ended is None and record.owner.lives():
        here = "it starts just now" if record.detached else "only what is started with `--detach` can be attached"
        raise KestraMagicError(f"`{record.name}` runs in another kernel (process {record.owner.pid}): {here}")
    context = _context(session, record)
    read_back(context)
    return session.take(_run(context, Found()))


def _reachable(record: Record) -> None:
    """Of a run that cannot be asked nothing may be collected while it lives.

    Raises:
        KestraMagicError: its guardian lives, but its door is gone: the folder of a login goes when its person does.
    """
    door = read_status(_last(record))["socket"]
    if record.owner.is_foreign() or os.path.exists(door):
        return
    told = read_status(_last(record))  # who ends writes that down, and then closes the door
    if "exited" not in told and is_guarded(record, told):
        who = f"`{record.name}` lives (process {told['pid']}, watched over by {told['guardian']})"
        raise KestraMagicError(f"{who}, but `{door}`, through which it is reached, is gone: wait for its end")


def join(session: Session, record: Record) -> Run:
    """Return the run of *record*, whose process another kernel started, not yet followed.

    Raises:
        KestraMagicError: it is not known any more what it was.
    """
    context = _context(session, record)
    context.entry.claim()
    written = read(_request(record))
    return _run(context, Joined(written.task, context, _last(record)))


def begin_again(session: Session, record: Record) -> Run:
    """Return the run of *record* as its next attempt, not yet started. Secrets are fetched anew.

    Raises:
        KestraMagicError: that cannot be, with the reason.
    """
    request = request_of(record.request)
    secrets = Secrets(session.env_file(_env_file(record), request.beside))
    for name in record.secrets:
        secrets.get(name)
    if record.request.get("flow"):
        return session.flow(
            request.source,
            {key: value for key, value in request.options.items() if key != "detach"},
            name=request.name,
            beside=request.beside,
            home=request.home,
            notebook=request.notebook,
            of=record,
        )
    return session.cell(request, of=record)


def _last(record: Record) -> Path:
    """Return the log folder of the last attempt; one that does not exist where none was begun."""
    return next(reversed(attempts(Path(record.folder))), Path(record.folder) / "none")


def _env_file(record: Record) -> Any:
    return record.request.get("options", {}).get("env-file")


def _request(record: Record) -> Request:
    """What it was, as far as is known: for a look back its values are not needed."""
    try:
        return request_of({**record.request, "lost": []})
    except KestraMagicError:
        return Request(source=Source(""), name=record.name, notebook=Names({}), beside=Path(record.folder).parent)


def _context(session: Session, record: Record) -> Context:
    request, flow = _request(record), bool(record.request.get("flow"))
    env_file: Mapping[str, str] = {}
    with suppress(KestraMagicError):  # it is needed to mask only, and may be gone
        env_file = session.env_file(_env_file(record), request.beside)
    secrets = Secrets(env_file)
    for name in record.secrets:
        with suppress(KestraMagicError):
            secrets.get(name)
    return Context(
        name=record.name,
        flow_id=record.name if flow else "notebook",
        namespace=current().namespace,
        document=_document(request, flow=flow),
        folder=session.folder_of(record),
        secrets=secrets,
        python=find(None),
        beside=request.beside,
        notebook=None if flow else request.notebook,
        options=request.options,
        id=record.id,
        of=record,
        **session.shared(request, flow=flow),
    )


def _document(request: Request, *, flow: bool) -> Document | CellDocument:
    """Where its lines were written; of what cannot be read any more, its text."""
    with suppress(KestraMagicError):
        return load_flow(request.source).document if flow else read(request).document
    return Document(request.source, {})


def _run(context: Context, engine: Found | Joined) -> Run:
    return Run(context, engine) if context.cell else FlowRun(context, engine)
