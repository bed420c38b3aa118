"""Kestra 2's ``Loop``: each turn sees only its own outputs, and what it declares leaves it."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.ion import from_ion, to_ion
from kestra_magic.model.flowables import all_of
from kestra_magic.runs.flow.engine import at_once, worst
from kestra_magic.runs.flow.execution import given
from kestra_magic.runs.flow.flowables import most_at_once
from kestra_magic.runs.flow.loops import as_value, no_nulls
from kestra_magic.runs.progress import State
from kestra_magic.workspace.storage import task_uri

if TYPE_CHECKING:
    from kestra_magic.model.flowables import Loop
    from kestra_magic.runs.flow.flowables import FlowableLife
    from kestra_magic.runs.frame import Frame

__all__ = ["loop"]


def loop(life: FlowableLife) -> State:
    """Source: ``Loop``, ``LoopExecutionEventMessageHandler``."""
    values = life.get("values")
    turns = _Turns(life, stored=isinstance(values, str) and values.startswith("kestra://"))
    frames = _frames(life, _pairs(life, values))
    states = at_once([partial(turns.one, frame) for frame in frames], most_at_once(life.get("concurrency_limit")))
    life.give(turns.given(len(frames)))
    return worst(states) if turns.task.transmit_failed or life.stopped else State.SUCCESS


class _Turns:
    """The turns of one loop; the first that fails is the last, unless the loop goes on all the same."""

    def __init__(self, life: FlowableLife, *, stored: bool) -> None:
        self.life = life
        self.task: Loop = life.task  # type: ignore[assignment]
        self._stores = self.task.fetch_type == "STORE" or (stored and self.task.fetch_type == "AUTO")
        self._outputs: dict[int, dict[str, Any]] = {}
        self._ended: list[State] = []
        self._failed = threading.Event()

    def one(self, frame: Frame) -> State:
        if self._failed.is_set() and self.task.transmit_failed:
            return State.SKIPPED
        state = self.life.inner(self.task.tasks, frame)
        if state.ok and self.task.outputs:
            state = worst([state, self._give(frame)])
        self._ended.append(state)
        if not state.ok:
            self._failed.set()
        return state

    def _give(self, frame: Frame) -> State:
        context, item = self.life.context, dict(frame.item or {})
        seen = {"item": item, "outputs": context.outputs_in(frame)}
        try:
            found = {each.id: given(each, context, self.life.log, seen) for each in self.task.outputs}
        except (KestraMagicError, ValueError) as error:
            self.life.log("ERROR", f"Failed to render output values: {error}")
            return State.FAILED
        number = item.pop("index")
        told: dict[str, Any] = {"iteration": number, **{name: item[name] for name in ("key", "value") if name in item}}
        self._outputs[number] = {"item": told, "outputs": self._stored(found, number) if self._stores else found}
        return State.SUCCESS

    def _stored(self, found: dict[str, Any], number: int) -> dict[str, Any]:
        context, name = self.life.context, f"{number}.ion"
        place = f"{self.life.id}/{name}"
        uri = task_uri(context.namespace, context.flow_id, context.id, self.task.id, self.life.id, place, name)
        return {"uri": context.storage.put(to_ion(found).encode(), uri)}

    def given(self, count: int) -> dict[str, Any]:
        counts = {"iterationCount": count, "runningIterations": 0, "terminatedIterations": len(self._ended)}
        outputs = [self._outputs[n] for n in sorted(self._outputs)]
        return counts | ({"outputs": outputs} if outputs else {})


def _pairs(life: FlowableLife, values: Any) -> list[tuple[str | None, Any]]:
    """Return the key, of a map, and the value of each turn."""
    found = _read(life, values) if isinstance(values, str) else values
    if isinstance(found, dict):
        return list(found.items())
    if not isinstance(found, list):
        raise KestraMagicError(f"values: must give a list, a map or the address of a file, but is `{found}`")
    return [(None, value) for value in found]


def _read(life: FlowableLife, text: str) -> Any:
    """A JSON text, or a file in the internal storage, one turn for each of its lines."""
    if text.startswith("kestra://"):
        path = life.context.storage.path(text, namespace=life.context.namespace)
        return from_ion(path.read_text("utf-8"))
    try:
        return json.loads(text)
    except ValueError:
        return text


def _frames(life: FlowableLife, pairs: list[tuple[str | None, Any]]) -> list[Frame]:
    """Return one frame for each turn; of equal values the later ones are told apart by their number."""
    no_nulls([value for _, value in pairs])
    around, held = life.inside(), frozenset(task.id for task in all_of(life.task.main()))
    outer = around.item or {}
    parents = [
        *outer.get("parents", ()),
        *([{k: outer[k] for k in ("index", "key", "value") if k in outer}] if outer else []),
    ]
    frames: dict[str, Frame] = {}
    for n, (key, value) in enumerate(pairs):
        text = as_value(value)
        item: dict[str, Any] = {"index": n, **({"key": key} if key is not None else {}), "value": text}
        item |= {"parent": parents[-1], "parents": parents} if parents else {}
        turn = around.turn(n, text if text not in frames else f"{text} ({n})")
        frames[str(turn.value)] = replace(turn, item=item, turns=(*around.turns, (held, turn.path)))
    return list(frames.values())
