"""``log.Log`` and ``flow.Sleep``: tasks that only say something, or wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kestra_magic.expressions.javatime import duration_text

if TYPE_CHECKING:
    from kestra_magic.tasks.desk import Desk

__all__ = ["log", "sleep"]


def log(desk: Desk) -> None:
    """Source: ``io.kestra.plugin.core.log.Log``: one entry for each message."""
    level = desk.get("level")
    message = desk.get("message")
    for text in message if isinstance(message, list) else [message]:
        desk.log(str(level), str(text))


def sleep(desk: Desk) -> None:
    """Source: ``io.kestra.plugin.core.flow.Sleep``."""
    duration = desk.get("duration")
    desk.log("INFO", f"Waiting for {duration_text(duration)}")
    desk.halt.wait(max(0.0, duration.total_seconds()))
