"""``pluginDefaults`` put into a flow before it is validated (Kestra's PluginDefaultService)."""

from __future__ import annotations

from typing import Any

from kestra_magic.model.source import Document, Path, Place

__all__ = ["with_defaults"]

_KEYS = ("pluginDefaults", "taskDefaults")


def with_defaults(document: Document) -> Document:
    """Return the flow with its own plugin defaults in every map that has a ``type``, at any depth.

    A default matches a type that it is or begins. Maps are merged, lists joined, what the task says wins unless the
    default is forced. Places of items move with them.
    """
    defaults = [d for key in _KEYS for d in _list(document.value.get(key)) if _usable(d)]
    if not defaults:
        return document
    moved: dict[Path, int] = {}
    value = {
        key: part if key in _KEYS else _walk(part, (key,), defaults, moved) for key, part in document.value.items()
    }
    return Document(document.source, value, _moved(document.places, moved))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _usable(default: Any) -> bool:
    if not isinstance(default, dict) or not isinstance(default.get("type"), str):
        return False
    return bool(default["type"]) and isinstance(default.get("values"), dict)


def _walk(value: Any, path: Path, defaults: list[dict[str, Any]], moved: dict[Path, int]) -> Any:
    if isinstance(value, list):
        return [_walk(item, (*path, n), defaults, moved) for n, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    found = {key: _walk(item, (*path, key), defaults, moved) for key, item in value.items()}
    kind = found.get("type")
    for default in defaults:
        if isinstance(kind, str) and kind.startswith(default["type"]):
            if default.get("forced") is True:
                found = _merged(found, default["values"], path, {})
            else:
                found = _merged(default["values"], found, path, moved)
    return found


def _merged(base: Any, over: Any, path: Path, moved: dict[Path, int]) -> Any:
    """Merge *over* into *base*; in *moved* stands by how much the items of a list of *over* move."""
    if isinstance(base, dict) and isinstance(over, dict):
        both = {key: _merged(base[key], over[key], (*path, key), moved) for key in base if key in over}
        return {**base, **over, **both}
    if isinstance(base, list) and isinstance(over, list):
        moved[path] = moved.get(path, 0) + len(base)
        return [*base, *over]
    return over


def _moved(places: Any, moved: dict[Path, int]) -> dict[Path, Place]:
    for path, by in moved.items():
        depth = len(path)
        places = {
            (*at[:depth], at[depth] + by, *at[depth + 1 :]) if len(at) > depth and at[:depth] == path else at: place
            for at, place in places.items()
        }
    return dict(places)
