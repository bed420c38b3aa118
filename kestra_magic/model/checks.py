"""What no single property shows: names that stand twice, a flow that calls itself (Kestra's FlowValidator)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kestra_magic.model.types import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kestra_magic.model.source import Path

__all__ = ["flow_problems", "written_tasks"]

_LISTS = ("tasks", "then", "else", "defaults", "errors", "finally", "afterExecution")
_SUBFLOW = "io.kestra.plugin.core.flow.Subflow"


def flow_problems(flow: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Tell where the names of *flow* clash, and what is said of it."""
    yield from _twice("task id", ((path, task) for path, task in written_tasks(flow, ())))
    for key, word in (("inputs", "input"), ("outputs", "output"), ("triggers", "trigger id")):
        items = flow.get(key)
        if isinstance(items, list):
            yield from _twice(word, (((key, n), item) for n, item in enumerate(items) if isinstance(item, dict)))
    for path, task in written_tasks(flow, ()):
        called = (task.get("namespace"), task.get("flowId"))
        if canonical(str(task.get("type"))) == _SUBFLOW and called == (flow.get("namespace"), flow.get("id")):
            yield (*path, "flowId"), f"Recursive call to flow [{flow.get('namespace')}.{flow.get('id')}]"


def written_tasks(value: dict[str, Any], path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield every task below *value* with its path, in the order of the text; also those that are not valid."""
    for key, part in value.items():
        here = (*path, key)
        if key in _LISTS and isinstance(part, list):
            yield from _in_list(part, here)
        elif key == "cases" and isinstance(part, dict):
            for case, tasks in part.items():
                yield from _in_list(tasks, (*here, case)) if isinstance(tasks, list) else ()
        elif key == "task" and isinstance(part, dict):
            yield here, part
            yield from written_tasks(part, here)


def _in_list(tasks: list[Any], path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for n, task in enumerate(tasks):
        if isinstance(task, dict):
            if "id" in task or "type" in task:
                yield (*path, n), task
            yield from written_tasks(task, (*path, n))


def _twice(word: str, items: Iterator[tuple[Path, dict[str, Any]]]) -> Iterator[tuple[Path, str]]:
    seen: set[str] = set()
    for path, item in items:
        name = item.get("id")
        if isinstance(name, str):
            if name in seen:
                yield (*path, "id"), f"Duplicate {word} with name [{name}]"
            seen.add(name)
