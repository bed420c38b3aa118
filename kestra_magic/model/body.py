"""A cell's body made a whole flow: it may be a flow, one task, or a piece cut out of ``tasks:``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kestra_magic.model import repair
from kestra_magic.model.source import Document, Place, Problem, Source, SourceError, load_yaml

if TYPE_CHECKING:
    from kestra_magic.model.source import Path

__all__ = ["Body", "read_body"]

_NO_FLOW = "is no flow: a flow is a map with `id`, `namespace` and `tasks`"


@dataclass(frozen=True, slots=True)
class Body:
    """The flow's map as it will be validated, and what was added to it."""

    document: Document
    notices: tuple[str, ...] = ()


def read_body(source: Source, *, strict: bool, namespace: str, name: str) -> Body:
    """Read *source* and complete it to a flow.

    Raises:
        SourceError: it is no YAML or no flow, its indentation is lost, or *strict* and something had to be added.
    """
    document = _flow_of(_read(source), name)
    notices = []
    value = dict(document.value)
    if "extend" in value:
        del value["extend"]
        notices.append("`extend` belongs to kestra.io's own pages: dropped")
    missing = {key: text for key, text in (("id", name or "flow"), ("namespace", namespace)) if value.get(key) is None}
    if missing and strict:
        raise SourceError(source, [Problem(document.line(()), f"{key}: must not be null") for key in missing])
    for key, text in missing.items():
        value[key] = text
        notices.append(f"no `{key}`: `{text}` is used")
    return Body(Document(document.source, value, document.places), tuple(notices))


def _read(source: Source) -> Document:
    try:
        document = load_yaml(source)
    except SourceError:
        indented = repair.reindented(source.text)
        if indented:
            raise _lost(source, indented) from None
        piece = repair.piece(source)
        if piece is None:
            raise
        return piece
    indented = repair.reindented(source.text)
    if indented:
        raise _lost(source, indented)
    return document


def _lost(source: Source, repaired: str) -> SourceError:
    said = "the indentation is lost, as a copy from a web page loses it; with it the text is"
    return SourceError(source, [Problem(source.first_line, said)], repaired=repaired)


def _flow_of(document: Document, name: str) -> Document:
    value = document.value
    if value is None:
        raise SourceError(document.source, [Problem(document.source.first_line, "the cell is empty")])
    if isinstance(value, list):
        return _wrapped(document, value, ("tasks",))
    if not isinstance(value, dict):
        raise SourceError(document.source, [Problem(document.line(()), _NO_FLOW)])
    if "type" in value and "namespace" not in value:
        task = value if "id" in value else {"id": name or "task", **value}
        return _wrapped(document, [task], ("tasks", 0))
    return document


def _wrapped(document: Document, tasks: list[Any], at: Path) -> Document:
    """Put the tasks into a flow without a name; they keep their lines."""
    top = document.place(()) or Place(0, 0, 0)
    places = {(): top, ("tasks",): top} | document.within(*at)
    return Document(document.source, {"tasks": tasks}, places)
