"""Properties → task, validated, without anything that only flows need."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from kestra_magic.expressions.javatime import duration_text
from kestra_magic.model.durations import short_duration
from kestra_magic.model.source import Document, Path, SourceError
from kestra_magic.model.types import model_of, why_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kestra_magic.model.tasks import Task

__all__ = ["LoadedTask", "load_task"]


@dataclass(frozen=True, slots=True)
class LoadedTask:
    """A valid task and the text its properties came from."""

    task: Task
    document: Document


def load_task(
    properties: Mapping[str, Any], document: Document, *, origins: Mapping[Path, str] | None = None
) -> LoadedTask:
    """Validate the *properties* of one task: ``id``, ``type``, ``script`` or ``commands``, and the rest.

    Args:
        document: the `#|` lines that properties came from: a problem names the line where its property stands.
        origins: the option a value came from instead: ``{("outputFiles",): "-o"}``.

    Raises:
        SourceError: every problem.
    """
    value = dict(properties)
    if isinstance(value.get("timeout"), str):
        value["timeout"] = _timeout(value["timeout"])
    written = Document(document.source, value, document.places)
    model = model_of(value["type"]) if isinstance(value.get("type"), str) else None
    if model is None:
        from kestra_magic.model.problems import located

        raise SourceError(document.source, [located(written, ("type",), why_unknown(str(value.get("type"))), origins)])
    try:
        task = model.model_validate(value)
    except ValidationError as error:
        from kestra_magic.model.problems import problems_of

        raise SourceError(document.source, problems_of(error, written, model, origins)) from None
    return LoadedTask(task, written)


def _timeout(text: str) -> str:
    """A person's ``10m`` in ISO-8601; what is none is left to the model to refuse."""
    if not re.search(r"[a-z]", text) or "{{" in text:
        return text
    try:
        return duration_text(short_duration(text))
    except ValueError:
        return text
