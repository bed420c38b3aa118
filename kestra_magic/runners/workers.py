"""Which workers a task is for. Plain data: who runs it there is another file's matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kestra_magic.errors import KestraMagicError

__all__ = ["NoWorker", "Workers"]


class NoWorker(KestraMagicError):
    """No worker offers what the task asks for, and it does not want to wait for one.

    Attributes:
        cancelled: ``fallback: CANCEL``: that is no failure.
    """

    def __init__(self, sentence: str, *, cancelled: bool = False) -> None:
        self.cancelled = cancelled
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Workers:
    """Which workers: those that offer all of the *tags*, or any of them; and what happens when there is none.

    Kestra 1.x writes ``workerGroup: {key, fallback}``, 2.0 ``workerSelector: {tags, match, fallback}``.
    """

    tags: tuple[str, ...]
    match: Literal["ALL", "ANY"] = "ALL"
    fallback: Literal["FAIL", "WAIT", "CANCEL", "IGNORE"] = "WAIT"

    def choices(self) -> list[tuple[str, ...]]:
        """Return what may be asked for: each a set of groups that one worker has to offer."""
        return [(tag,) for tag in self.tags] if self.match == "ANY" else [self.tags]

    def offered(self, groups: set[str]) -> bool:
        return any(groups.issuperset(choice) for choice in self.choices())

    def __str__(self) -> str:
        return (" or " if self.match == "ANY" else " and ").join(f"`{tag}`" for tag in self.tags)
