"""Tasks that need a server: read, so that something may stand in for them; whoever runs the flow refuses the others."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

from kestra_magic.model.tasks import Task
from kestra_magic.model.types import model_of, needs_server

__all__ = ["Elsewhere", "with_elsewhere"]


class Elsewhere(Task):
    """A task whose plugin is on a server only; its properties pass unread."""

    model_config = ConfigDict(extra="allow")


def with_elsewhere(value: Any) -> Any:
    """Return a flow's map with such tasks read already; everything else in it is as it was written.

    Raises:
        ValidationError: one of them has no valid id, or a common property that is wrong.
    """
    if isinstance(value, dict):
        kind = value.get("type")
        if "id" in value and isinstance(kind, str) and model_of(kind) is None and needs_server(kind):
            return Elsewhere.model_validate(value)
        return {key: item if key == "triggers" else with_elsewhere(item) for key, item in value.items()}
    return [with_elsewhere(item) for item in value] if isinstance(value, list) else value
