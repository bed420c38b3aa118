"""``Sequential``, ``Parallel``, ``If``, ``Switch``, ``Dag``: which of a task's tasks run, and in which order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kestra_magic.model.scalars import falsy
from kestra_magic.runs.flow.engine import worst
from kestra_magic.runs.flow.flowables import most_at_once
from kestra_magic.runs.progress import State

if TYPE_CHECKING:
    from kestra_magic.model.flowables import Dag, DagTask
    from kestra_magic.runs.flow.flowables import FlowableLife

__all__ = ["dag", "if_", "parallel", "sequential", "switch"]


def sequential(life: FlowableLife) -> State:
    return life.inner(life.task.main())


def parallel(life: FlowableLife) -> State:
    frame = life.inside()
    return life.branches([([task], frame) for task in life.task.main()], life.get("concurrent"))


def if_(life: FlowableLife) -> State:
    """The condition is evaluated once; its outcome is an output."""
    holds = not falsy(life.get("condition"))
    life.give({"evaluationResult": holds})
    return life.inner(life.task.then if holds else life.task.else_)  # type: ignore[attr-defined]


def switch(life: FlowableLife) -> State:
    value = life.get("value")
    cases = life.task.cases  # type: ignore[attr-defined]
    life.give({"value": value, "defaults": value not in cases})
    return life.inner(cases.get(value, life.task.defaults))  # type: ignore[attr-defined]


def dag(life: FlowableLife) -> State:
    """Each task as soon as those it depends on have ended well."""
    return _Dag(life, life.task).run(most_at_once(life.get("concurrent")))  # type: ignore[arg-type]


class _Dag:
    """What waits, what runs, and what has ended; workers take what is free."""

    def __init__(self, life: FlowableLife, task: Dag) -> None:
        self.life = life
        self.frame = life.inside()
        self.waiting = list(task.tasks)
        self.states: dict[str, State] = {}
        self.turn = threading.Condition()

    def run(self, limit: int) -> State:
        count = min(limit, len(self.waiting))
        threads = [threading.Thread(target=self._worker, name="kestra-dag", daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return worst(self.states.values())

    def _worker(self) -> None:
        while (node := self._next()) is not None:
            state = self.life.inner([node.task], self.frame)
            with self.turn:
                self.states[node.task.id] = state
                self._give_up()
                self.turn.notify_all()

    def _next(self) -> DagTask | None:
        """Wait for a task whose dependencies have all ended well; None when there will be none."""
        with self.turn:
            while self.waiting:
                free = next((node for node in self.waiting if self._is_free(node)), None)
                if free is not None:
                    self.waiting.remove(free)
                    return free
                self.turn.wait()
            return None

    def _is_free(self, node: DagTask) -> bool:
        return all(name in self.states and self.states[name].ok for name in node.depends_on)

    def _give_up(self) -> None:
        """Drop what depends on a task that failed, and what depends on that."""
        lost = {name for name, state in self.states.items() if not state.ok}
        while more := [node for node in self.waiting if lost & set(node.depends_on)]:
            for node in more:
                self.waiting.remove(node)
                lost.add(node.task.id)
