"""What tasks gave, as expressions see it: by the task's id, then by the value of each loop that it ran in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Path = tuple[str, ...]
    Turns = Iterable[tuple[frozenset[str], Path]]

__all__ = ["arrange", "of_turns", "put"]


def put(into: dict[str, Any], path: Path, what: dict[str, Any]) -> None:
    """Put *what* at *path*. Maps on the way are replaced, not changed: an expression may be reading them."""
    first, *rest = path
    if not rest:
        into[first] = what
        return
    inner = dict(into.get(first, {}))
    put(inner, tuple(rest), what)
    into[first] = inner


def arrange(known: dict[str, Any], path: Path, values: list[str]) -> None:
    """Bring what is known at *path* into the order of *values*."""
    rank = {value: n for n, value in enumerate(values)}
    found = _at(known, path)
    if isinstance(found, dict) and rank.keys() & found.keys():
        put(known, path, dict(sorted(found.items(), key=lambda item: rank.get(item[0], len(rank)))))


def of_turns(outputs: Mapping[str, Any], turns: Turns) -> dict[str, Any]:
    """Return *outputs* as they are in some turns of loops; each has the ids of its tasks, and where theirs lie."""
    found = dict(outputs)
    for tasks, path in turns:
        own = {task: _at(outputs, (task, *path)) for task in tasks}
        found |= {task: given for task, given in own.items() if given is not None}
    return found


def _at(found: Any, path: Path) -> Any:
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found
