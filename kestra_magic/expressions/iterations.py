"""Outputs of loops, by where a task stands in them; tasks by their state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..settings import current
from .errors import ExpressionError
from .registry import REGISTRY
from .texts import needs_text
from .values import Long, java_map, java_type, text

if TYPE_CHECKING:
    from .evaluation import Evaluation

__all__: list[str] = []

function = REGISTRY.function


def _needs_map(name: str, value: object) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ExpressionError(f"The '{name}' function expects an argument 'outputs' with type map.")
    return value


def _task_run(evaluation: Evaluation, name: str) -> dict[str, Any]:
    found = evaluation.get_variable("taskrun")
    if not isinstance(found, dict):
        raise ExpressionError(f"`{name}` works inside a task only: there is no `taskrun` here")
    return found


def _within(evaluation: Evaluation, outputs: object) -> object:
    """Go down through the values of all loops around this task, the outermost first."""
    for parent in reversed(evaluation.get_variable("parents") or []):
        value = (parent.get("taskrun") or {}).get("value")
        if parent.get("taskrun") is not None:
            outputs = outputs.get(value) if isinstance(outputs, dict) else None
    return outputs


@function("currentEachOutput", "outputs")
def current_each_output(evaluation: Evaluation, outputs: object) -> object:
    """What a sibling gave in the same iteration, through all loops around it."""
    siblings = _needs_map("currentEachOutput", outputs)
    if evaluation.get_variable("parents") is None and current().profile != "P1":
        raise ExpressionError("`currentEachOutput` works inside a loop only: there are no `parents` here")
    found = _within(evaluation, siblings)
    value = _task_run(evaluation, "currentEachOutput").get("value")
    return found.get(value) if isinstance(found, dict) else None


@function("currentOutput", "outputs")
def current_output(evaluation: Evaluation, outputs: object) -> object:
    return current_each_output(evaluation, _needs_map("currentOutput", outputs))


@function("parentOutput", "index")
def parent_output(evaluation: Evaluation, index: object = None) -> object:
    """What the task around this one gave; with an *index*, that of the loops around it, 0 the outermost."""
    parents = evaluation.get_variable("parents") or []
    parent = evaluation.get_variable("parent")
    if index is not None:
        if index.__class__ is not Long:
            raise ExpressionError("The 'parentOutput' function expects an argument 'index' of type integer.")
        if not 0 <= index < len(parents):
            raise ExpressionError(f"Invalid index: {index} for parents size: {len(parents)}")
        parent = parents[::-1][index]
    if not isinstance(parent, dict):
        raise ExpressionError("`parentOutput` works inside a flowable task only: there is no `parent` here")
    found = (evaluation.get_variable("outputs") or {}).get(parent["task"]["id"])
    value = (parent.get("taskrun") or {}).get("value")
    return found if found is None or value is None else found.get(value)


@function("iterationOutput", "taskId iteration")
def iteration_output(evaluation: Evaluation, task: object = None, iteration: object = None) -> object:
    """The output `value` of an iteration, counted from 0; by default of this task's iteration before."""
    run = _task_run(evaluation, "iterationOutput")
    if "iteration" not in run:
        raise ExpressionError("'iterationOutput()' function should be used inside iterative tasks only")
    name = evaluation.get_variable("task")["id"] if task is None else needs_text(task)
    number = run["iteration"] - 1 if iteration is None else _whole(iteration)
    if number < 0:
        raise ExpressionError(f"Cannot fetch iteration {number}: no previous iteration exists.")
    found = _within(evaluation, (evaluation.get_variable("outputs") or {}).get(name))
    if not isinstance(found, dict):
        return None
    if number >= len(found):
        raise ExpressionError(f"The provided index ({number}) is out of range: the last one is {len(found) - 1}")
    return [*found.values()][number].get("value")


def _whole(value: object) -> int:
    try:
        return int(text(value))
    except ValueError:
        raise ExpressionError(f"The 'iteration' argument must be an integer, but got: {text(value)}") from None


@function("loopOutputs", "outputs name")
def loop_outputs(_: Evaluation, outputs: object, name: object) -> object:
    """One output of all iterations of a Loop task, null where an iteration has none."""
    if not isinstance(outputs, list):
        raise ExpressionError(f"The 'loopOutputs' function expects 'outputs' to be a list, not {java_type(outputs)}.")
    key = needs_text(name)
    rows = (item.get("outputs") if isinstance(item, dict) else None for item in outputs)
    return [row.get(key) if isinstance(row, dict) else None for row in rows]


@function("tasksWithState", "state")
def tasks_with_state(evaluation: Evaluation, state: object) -> object:
    wanted = needs_text(state).upper()
    found: list[dict[object, object]] = []
    for task, details in (evaluation.get_variable("tasks") or {}).items():
        for key, inner in details.items() if isinstance(details, dict) else ():
            value = inner.get("state") if isinstance(inner, dict) else inner if key == "state" else None
            if isinstance(value, str) and value.upper() == wanted:
                more = {"value": key} if isinstance(inner, dict) else {}
                found.append(java_map({"taskId": task, "state": wanted, **more}.items(), capacity=16))
    return found
