"""Where in an execution a task runs: below which task run, for which value of a loop, in whose directory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kestra_magic.model.retry import Retry

__all__ = ["Frame"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The surroundings of one task run.

    Attributes:
        parent: the task run that holds it; empty at the top.
        value, iteration: the loop's value and turn (from 0) that it runs for.
        values: those of the loops further out, the outermost first.
        parents: the task runs around it as expressions see them, the nearest first.
        retry: of the nearest parent that has one.
        root: the directory that it shares with its siblings; empty: it has its own.
        inherited: its value is its parent's own (``WorkingDirectory``).
        item: what a ``Loop`` of Kestra 2 says of the turn: ``item``. *turns*: for each such loop around, the outermost
            first, the ids of the tasks that it holds and where the outputs of this turn lie.
    """

    parent: str = ""
    value: str | None = None
    iteration: int | None = None
    values: tuple[str, ...] = ()
    parents: tuple[Mapping[str, Any], ...] = ()
    retry: Retry | None = None
    root: str = ""
    inherited: bool = False
    item: Mapping[str, Any] | None = None
    turns: tuple[tuple[frozenset[str], tuple[str, ...]], ...] = ()

    @property
    def path(self) -> tuple[str, ...]:
        """The keys below ``outputs.TASK`` (``Execution.outputs``)."""
        return self.values if self.value is None or self.inherited else (*self.values, self.value)

    def within(self, parent: str, outputs: Mapping[str, Any], retry: Retry | None) -> Frame:
        """Return the surroundings of what the task run *parent*, which is in this frame, holds."""
        seen: dict[str, Any] = {} if self.value is None else {"taskrun": {"value": self.value}}
        seen |= {"outputs": dict(outputs)} if outputs else {}
        return Frame(
            parent=parent,
            values=self.path,
            parents=(seen, *self.parents) if seen else self.parents,
            retry=retry or self.retry,
            root=self.root,
            item=self.item,
            turns=self.turns,
        )

    def turn(self, iteration: int, value: str) -> Frame:
        """Return the surroundings of one turn of a loop."""
        return replace(self, value=value, iteration=iteration)

    def variables(self) -> dict[str, Any]:
        """What expressions see of it in ``taskrun``."""
        known = {"value": self.value, "iteration": self.iteration, "parentId": self.parent or None}
        return {name: value for name, value in known.items() if value is not None}
