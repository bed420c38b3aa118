"""``Pause``: until a person goes on, or a time has passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.render import render_typed
from kestra_magic.expressions.scope import Scope
from kestra_magic.model.resolution import resolve_inputs
from kestra_magic.runs.flow.inputs import hide_secrets
from kestra_magic.runs.progress import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kestra_magic.model.flowables import Pause
    from kestra_magic.runs.flow.flowables import FlowableLife

__all__ = ["pause"]

_BEHAVIORS = {"RESUME": State.SUCCESS, "WARN": State.WARNING, "FAIL": State.FAILED, "CANCEL": State.CANCELLED}


def pause(life: FlowableLife) -> State:
    """Source: ``io.kestra.plugin.core.flow.Pause``; its ``behavior`` says what follows when the time has passed."""
    task: Pause = life.task  # type: ignore[assignment]
    if task.on_pause is not None:
        state = life.inner([task.on_pause])
        if not state.ok:
            return state
    seconds = _seconds(life, task)
    gate = life.context.pauses.open(life.id, lambda given: _resumed(life, task, given), seconds)
    if seconds is None:
        life.log("INFO", f"paused; `{life.context.name.replace('-', '_')}.resume()` goes on")
    life.paused(State.PAUSED)
    resumed = gate.wait()
    life.paused(State.RUNNING)
    if life.stopped:
        return State.KILLED
    state = State.SUCCESS if resumed else _behavior(life)
    return life.inner(task.tasks) if state.ok and task.tasks else state


def _seconds(life: FlowableLife, task: Pause) -> float | None:
    name = next((name for name in ("pause_duration", "delay", "timeout") if getattr(task, name) is not None), None)
    return None if name is None else float(life.get(name).total_seconds())


def _behavior(life: FlowableLife) -> State:
    behavior = life.get("behavior")
    if behavior not in _BEHAVIORS:
        raise KestraMagicError(f"behavior: must be one of {', '.join(_BEHAVIORS)}, but is `{behavior}`")
    return _BEHAVIORS[behavior]


def _resumed(life: FlowableLife, task: Pause, given: Mapping[str, Any]) -> None:
    """Take what was given to go on with.

    Raises:
        InputsError: it does not fit ``onResume``.
    """
    context = life.context

    def render(text: str, seen: Mapping[str, Any]) -> Any:
        return render_typed(text, Scope({**context.run_roots(), "inputs": dict(seen)}), context.host)

    if task.on_resume:
        found = resolve_inputs(task.on_resume, given, render, context.upload)
        hide_secrets(task.on_resume, found, context)
        life.give({"onResume": found})
