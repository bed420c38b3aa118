"""What a server finds wrong, at the lines of the cell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kestra_magic.model.source import Problem, SourceError
from kestra_magic.runs.flow.known import paths_of

if TYPE_CHECKING:
    from kestra_magic.model.source import Document, Path

__all__ = ["located"]

_NAMED = re.compile(r"(?:Unrecognized field|Invalid type:?|Unknown property) \"?([\w.$-]+)\"?")
_TWICE = re.compile(r"Duplicate .*\[([\w.-]+)")
_KNOWN = re.compile(r" \(class [\w.$]+\), not marked as ignorable \(.*\)")


def located(said: tuple[tuple[int | None, str], ...], document: Document) -> SourceError:
    """Turn the server's words into problems of the text that was sent."""
    return SourceError(document.source, [_problem(line, message, document) for line, message in said])


def _problem(line: int | None, message: str, document: Document) -> Problem:
    message = _KNOWN.sub("", re.sub(r"^Validation error:\s*", "", message))
    first = document.source.first_line
    found = first + line - 1 if line else _line_of(message, document)
    return Problem(found, f"the server says: {message}")


def _line_of(message: str, document: Document) -> int | None:
    place = re.match(r"([\w.\[\]-]+): ", message)
    if place and (path := _path(place[1], document)):
        return document.line(path)
    lines = document.source.text.splitlines()
    named, twice = _NAMED.search(message), _TWICE.search(message)
    if named:
        wanted = re.compile(rf"(^|[\s:\"'-]){re.escape(named[1])}\b")
    elif twice:
        wanted = re.compile(rf"\bid:\s*[\"']?{re.escape(twice[1])}\b")
        lines.reverse()
    else:
        return None
    at = next((n for n, text in enumerate(lines) if wanted.search(text)), None)
    if at is None:
        return None
    return document.source.first_line + (len(lines) - 1 - at if twice and not named else at)


def _path(text: str, document: Document) -> Path | None:
    """``tasks[0].commands`` as it stands, or ``shell.commands``: Kestra's validator names a task by its id."""
    steps: list[str | int] = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", text)]
    tasks = paths_of(document)
    if steps and steps[0] in tasks:
        return (*tasks[str(steps[0])], *steps[1:])
    return tuple(steps) if steps and steps[0] in document.value else None
