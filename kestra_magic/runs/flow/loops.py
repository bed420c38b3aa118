"""``ForEach``, ``EachSequential``, ``EachParallel``, ``LoopUntil``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.flowables import all_of
from kestra_magic.model.scalars import as_text, falsy
from kestra_magic.runs.progress import State

if TYPE_CHECKING:
    from kestra_magic.model.flowables import LoopUntil
    from kestra_magic.runs.flow.flowables import FlowableLife
    from kestra_magic.runs.frame import Frame

__all__ = ["as_value", "each_parallel", "each_sequential", "for_each", "no_nulls", "until"]


def for_each(life: FlowableLife) -> State:
    """Values at once up to the limit; within a value one task after the other."""
    tasks = life.task.main()
    turns = _turns(life, life.get("values"))
    state = life.branches([(tasks, frame) for frame in turns], life.get("concurrency_limit"))
    return _in_order(life, turns, state)


def each_sequential(life: FlowableLife) -> State:
    tasks = life.task.main()
    return life.branches([(tasks, frame) for frame in _turns(life, life.get("value"))], 1)


def each_parallel(life: FlowableLife) -> State:
    """Every task for every value at once."""
    turns = _turns(life, life.get("value"))
    tasks = life.task.main()
    state = life.branches([([task], frame) for frame in turns for task in tasks], life.get("concurrent"))
    return _in_order(life, turns, state)


def _in_order(life: FlowableLife, turns: list[Frame], state: State) -> State:
    """Values give their outputs in their own order, whichever ended first."""
    held = [task.id for task in all_of(life.task.main())]
    life.context.arrange(held, life.frame.path, [frame.value or "" for frame in turns])
    return state


def _turns(life: FlowableLife, values: list[Any]) -> list[Frame]:
    """Source: ``FlowableUtils.resolveEachTasks``: each value once, what is no text as JSON."""
    no_nulls(values)
    frame = life.inside()
    texts = dict.fromkeys(map(as_value, values))
    return [frame.turn(n, text) for n, text in enumerate(texts)]


def no_nulls(values: list[Any]) -> None:
    """Refuse what no turn can be made of.

    Raises:
        KestraMagicError: a value is null.
    """
    nulls = sum(value is None for value in values)
    if nulls:
        raise KestraMagicError(
            f"Found '{nulls}' null values on Each, with values={json.dumps(values, ensure_ascii=False)}"
        )


def as_value(value: Any) -> str:
    """Return the text that ``taskrun.value`` is."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return as_text(value)


def until(life: FlowableLife) -> State:
    """Source: ``LoopUntil``: its tasks, then the limits, then the condition, then a wait."""
    task: LoopUntil = life.task  # type: ignore[assignment]
    limits = _Limits(life)
    turn = 0
    while True:
        turn += 1
        life.give({"iterationCount": turn})
        state = life.inner(task.tasks, life.inside())
        if not state.ok:
            return state
        if limits.reached(turn):
            failed = life.get("fail_on_max_reached")
            life.log("ERROR" if failed else "WARN", f"the limit of `checkFrequency` is reached after {turn} iterations")
            return State.FAILED if failed else state
        if not falsy(life.get("condition")):
            return state
        if life.halted(limits.interval):
            return State.KILLED


class _Limits:
    """``checkFrequency``."""

    def __init__(self, life: FlowableLife) -> None:
        task: LoopUntil = life.task  # type: ignore[assignment]
        self.interval, self._seconds, self._count = (
            life.resolved(getattr(task.check_frequency, name), "checkFrequency")
            for name in ("interval", "max_duration", "max_iterations")
        )
        self.interval = self.interval.total_seconds()
        self._began = time.monotonic()

    def reached(self, turn: int) -> bool:
        if self._count is not None and turn > self._count:  # one more than said, as on a server
            return True
        return self._seconds is not None and time.monotonic() - self._began > self._seconds.total_seconds()
