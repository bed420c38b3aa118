"""How a session begins the execution of a flow: read, its inputs converted, its context made. Not for process cells."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Required, TypedDict

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.model.load import Loaded, load_flow
from kestra_magic.runs.again import Names
from kestra_magic.runs.context import Context
from kestra_magic.runs.flow.execution import FlowEngine
from kestra_magic.runs.flow.inputs import flow_inputs
from kestra_magic.runs.flow.known import flow_beside, paths_of
from kestra_magic.runs.flow.notes import notes, refuse_what_differs
from kestra_magic.runs.flow.rehearsal import asked_for, rehearsal
from kestra_magic.runs.flow.run import FlowRun
from kestra_magic.runs.given import files_given
from kestra_magic.runs.kernels.elsewhere import Sent
from kestra_magic.runs.request import Request
from kestra_magic.runs.wishes import wishes
from kestra_magic.settings import current
from kestra_magic.stores.environments import find
from kestra_magic.stores.secrets import Secrets
from kestra_magic.workspace.directory import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kestra_magic.model.source import Source
    from kestra_magic.runs.flow.engine import Plan
    from kestra_magic.runs.journal.journal import Record
    from kestra_magic.runs.session import Session

__all__ = ["How", "flow", "load"]


class How(TypedDict, total=False):
    """How a flow is begun.

    Attributes:
        home: the folder where the flow's file lies, and its namespace files; else they are the notebook's.
        of: the journal's row of an execution that a dead kernel left.
        plan: which of its tasks run, and what stands in for others.
    """

    name: str
    beside: Required[Path]
    notebook: Mapping[str, object] | None
    home: Path | None
    of: Record | None
    plan: Plan | None


def flow(
    session: Session,
    source: Source,
    options: Mapping[str, Any],
    *,
    name: str = "",
    beside: Path,
    notebook: Mapping[str, object] | None = None,
    home: Path | None = None,
    of: Record | None = None,
    plan: Plan | None = None,
) -> FlowRun:
    """Return the execution of a flow, not yet started.

    Raises:
        KestraMagicError: it cannot start: every problem with its line.
    """
    names = Names(notebook or {})
    request = Request(source=source, name=name, options=options, notebook=names, beside=beside, home=home)
    partly = asked_for(options)
    loaded = load(session, source, strict=bool(options.get("strict", current().strict)), name=name, elsewhere=partly)
    found = loaded.flow
    part = rehearsal(session, loaded, request) if partly else None
    session.make_way(name or found.id, instead=bool(options.get("replace")))
    context = _context(session, request, loaded, of)
    context.storage = session.storage_of(home or beside)
    with _nothing_left(context):
        if part:
            part.into(context)
        context.inputs = flow_inputs(found, options, context, request.notebook, part.inputs if part else {})
        plan = part.plan_in(context) if part else plan
    run = FlowRun(context, Sent(context) if context.wishes.detach else FlowEngine(found, context, session.slots, plan))
    session.add(run)
    return run


def load(session: Session, source: Source, *, strict: bool, name: str = "", elsewhere: bool = False) -> Loaded:
    """Read a flow, and remember it: others of this notebook may call it.

    Raises:
        SourceError: every problem with its line.
    """
    loaded = load_flow(source, strict=strict, namespace=current().namespace, name=name, elsewhere=elsewhere)
    if strict:
        refuse_what_differs(loaded.flow, loaded.document)
    if loaded.flow.disabled:
        raise KestraMagicError(f"the flow `{loaded.flow.id}` is disabled")
    session.flows[loaded.flow.namespace, loaded.flow.id] = source
    return loaded


def _context(session: Session, request: Request, loaded: Loaded, of: Record | None) -> Context:
    flow, options = loaded.flow, request.options
    name = request.name or flow.id
    env_file = session.env_file(options.get("env-file"), request.beside)
    return Context(
        name=name,
        flow_id=flow.id,
        namespace=flow.namespace,
        document=loaded.document,
        secrets=Secrets(env_file),
        python=find(None),
        beside=request.beside,
        wishes=wishes(options, env_file, files_given(options.get("file", []), request.beside, request.notebook)),
        variables=dict(flow.variables),
        labels=dict(flow.labels),
        retry=flow.retry,
        flow=flow,
        task_paths=paths_of(loaded.document),
        notices=[*loaded.notices, *notes(flow)],
        launch=partial(_launch, session, request.beside),
        options=options,
        **session.shared(request, of, flow=True),
        folder=session.folder_of(of) if of else RunFolder.allocate(session.base, name),
    )


@contextmanager
def _nothing_left(context: Context) -> Iterator[None]:
    """What is refused before anything ran leaves no folder behind."""
    try:
        yield
    except KestraMagicError:
        with suppress(OSError):
            context.folder.path.rmdir()
        raise


def _launch(session: Session, beside: Path, namespace: str, flow_id: str, inputs: Mapping[str, Any]) -> FlowRun:
    """Return an execution of a flow that another one calls, not yet started."""
    source = session.flows.get((namespace, flow_id)) or flow_beside(beside, namespace, flow_id)
    if source is None:
        known = [known for _, known in session.flows]
        said = f"no flow `{namespace}.{flow_id}` is known here{did_you_mean(flow_id, known)}"
        raise KestraMagicError(f"{said}; run its cell first, or put its file beside the notebook")
    request = Request(source=source, options={"inputs": inputs}, notebook=Names({}), beside=beside)
    loaded = load(session, source, strict=current().strict)
    context = _context(session, request, loaded, None)
    with _nothing_left(context):
        context.inputs = flow_inputs(loaded.flow, request.options, context, {})
    return session.take(FlowRun(context, FlowEngine(loaded.flow, context, session.slots)))
