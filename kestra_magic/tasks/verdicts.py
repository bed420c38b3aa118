"""``execution.Fail``, ``execution.Assert``, ``execution.Labels``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.scalars import as_text, falsy

if TYPE_CHECKING:
    from kestra_magic.tasks.desk import Desk

__all__ = ["check", "fail", "label"]


def fail(desk: Desk) -> None:
    """Source: ``io.kestra.plugin.core.execution.Fail``."""
    message = desk.get("error_message")
    condition = desk.get("condition")
    if condition is None:
        desk.fail(message)
    if not falsy(condition):
        desk.log("ERROR", message)
        desk.fail("Fail on a condition")


def check(desk: Desk) -> dict[str, Any]:
    """Source: ``io.kestra.plugin.core.execution.Assert``: every condition is tried before it fails."""
    written = desk.task.conditions.raw  # type: ignore[attr-defined]
    given = desk.get("conditions")
    texts = written if isinstance(written, list) else given
    wrong = [str(text) for text, value in zip(texts, given, strict=True) if falsy(value)]
    outcome = {"success": len(given) - len(wrong), "failed": len(wrong)}
    for text in wrong:
        desk.log("ERROR", f"Assertion failed: {text}")
    if wrong:
        message = desk.get("error_message")
        if message:
            desk.log("ERROR", message)
        count = f"{len(wrong)} assertion{'s' if len(wrong) != 1 else ''}"
        desk.fail(f"{count} failed: {', '.join(wrong)}", **outcome)
    return outcome


def label(desk: Desk) -> None:
    """Source: ``io.kestra.plugin.core.execution.Labels``: they are added to those of the execution."""
    given = desk.get("labels")
    labels = _labels(_parsed(given) if isinstance(given, str) else given)
    blank = [key for key, value in labels.items() if not key or not value]
    if blank:
        raise KestraMagicError("Labels: a label needs a key and a value")
    system = next((key for key in labels if key.startswith("system.")), None)
    if system:
        said = f"System labels can only be set by Kestra itself, offending label: {system}={labels[system]}"
        raise KestraMagicError(said)
    desk.label(labels)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise KestraMagicError(f"labels: the expression must give a JSON map or list, but gave `{text}`") from None


def _labels(given: Any) -> dict[str, str]:
    if isinstance(given, dict):
        return {str(key): as_text(value) for key, value in given.items()}
    if isinstance(given, list) and all(isinstance(pair, dict) and "key" in pair for pair in given):
        return {str(pair["key"]): as_text(pair.get("value")) for pair in given}
    raise KestraMagicError("labels: must be a map of names to texts, or a list of `key` and `value`")
