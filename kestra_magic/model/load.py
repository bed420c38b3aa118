"""Text → flow, validated; every problem at once, each with its line."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from kestra_magic.model import traps
from kestra_magic.model.body import read_body
from kestra_magic.model.checks import flow_problems, written_tasks
from kestra_magic.model.defaults import with_defaults
from kestra_magic.model.elsewhere import with_elsewhere
from kestra_magic.model.flow import Flow
from kestra_magic.model.problems import choices, located, names, problems_of
from kestra_magic.model.source import Document, Problem, Source, SourceError
from kestra_magic.model.types import model_of

__all__ = ["Loaded", "enumerations", "load_flow", "property_names"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid flow, the text it came from, and one line each for what was added or dropped."""

    flow: Flow
    document: Document
    notices: tuple[str, ...] = ()


def load_flow(
    source: Source, *, strict: bool = False, namespace: str = "company.team", name: str = "", elsewhere: bool = False
) -> Loaded:
    """Read a flow, one task, or a piece of ``tasks:``.

    Args:
        strict: refuse a missing id or namespace instead of filling in *name* and *namespace*.
        elsewhere: read also tasks that need a server: something may stand in for them.

    Raises:
        SourceError: every problem, with its line; where the indentation was lost, `repaired` has the text with it.
    """
    body = read_body(source, strict=strict, namespace=namespace, name=name)
    document = with_defaults(body.document)
    problems = [located(document, path, said) for path, said in flow_problems(document.value)]
    try:
        flow = Flow.model_validate(with_elsewhere(document.value) if elsewhere else document.value)
    except ValidationError as error:
        problems += problems_of(error, document, Flow)
    if problems:
        raise SourceError(source, sorted(problems, key=lambda problem: problem.line or 0))
    return Loaded(flow, document, (*body.notices, *_cut(document)))


def property_names(kind: str = "") -> tuple[str, ...]:
    """Return the properties of tasks of the type *kind*, in Kestra's words; of a flow when it is empty."""
    model = model_of(kind) if kind else Flow
    return names(model) if model else ()


def enumerations(kind: str, name: str) -> tuple[str, ...]:
    """Return the words that the property *name* of the type *kind* may have; empty when it is free."""
    model = model_of(kind) if kind else Flow
    fields = model.model_fields.items() if model else ()
    return next((choices(field.annotation) for field_name, field in fields if name in (field.alias, field_name)), ())


def _cut(document: Document) -> list[str]:
    """Tell of commands that ` #` cut off within their quotes; Kestra runs what is left of them."""
    notices = []
    for path, task in written_tasks(document.value, ()):
        commands = task.get("commands")
        for n, command in enumerate(commands) if isinstance(commands, list) else ():
            place = document.places.get((*path, "commands", n))
            if place is not None and not place.style and isinstance(command, str):
                said = traps.cut_comment(traps.line(document.source.text, place.last), command)
                problem = Problem(document.line((*path, "commands", n)), said)
                notices += [f"{document.source.at(problem.line or 0)}: {said}"] if said else []
    return notices
