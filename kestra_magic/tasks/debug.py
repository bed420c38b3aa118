"""``debug.Return``, ``debug.Echo``, ``output.OutputValues``: what is rendered is what they give."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kestra_magic.tasks.desk import Desk

__all__ = ["echo", "give_back", "values"]


def give_back(desk: Desk) -> dict[str, Any]:
    """Source: ``io.kestra.plugin.core.debug.Return``, with its two metrics."""
    began = time.perf_counter()
    text = desk.get("format")
    desk.log("DEBUG", "" if text is None else text)
    desk.measure("counter", "length", len(text or ""), {})
    desk.measure("timer", "duration", time.perf_counter() - began, {})
    return {} if text is None else {"value": text}


def echo(desk: Desk) -> None:
    desk.log(str(desk.get("level")), desk.get("format", ""))


def values(desk: Desk) -> dict[str, Any]:
    return {"values": desk.get("values")}
