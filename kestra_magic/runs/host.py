"""What expressions may ask of the world outside their variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kestra_magic.runs.context import Context

__all__ = ["SessionHost"]


class SessionHost:
    """Answers for one execution: its secrets, its storage, its namespace's files."""

    def __init__(self, context: Context) -> None:
        self.context = context
