"""``kv.Set``, ``kv.Get``, ``kv.Delete``: the key-value store of a namespace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.model import conversions

if TYPE_CHECKING:
    from collections.abc import Callable

    from kestra_magic.tasks.desk import Desk

__all__ = ["delete", "get", "put"]

_MISSING = object()


def put(desk: Desk) -> None:
    """Source: ``io.kestra.plugin.core.kv.Set``: without a type, JSON is read as JSON, all else is a text."""
    value = desk.get("value")
    kind = desk.get("kv_type")
    desk.kv.set(
        _namespace(desk),
        desk.get("key"),
        _typed(str(kind), value) if kind else _guessed(value),
        ttl=desk.get("ttl"),
        overwrite=desk.get("overwrite"),
        description=desk.get("kv_description", ""),
    )


def get(desk: Desk) -> dict[str, Any]:
    """Source: ``io.kestra.plugin.core.kv.Get``."""
    namespace, key = _namespace(desk), desk.get("key")
    if desk.get("error_on_missing"):
        return {"value": desk.kv.require(namespace, key)}
    found = desk.kv.get(namespace, key, _MISSING)
    if found is _MISSING:
        near = did_you_mean(key, [entry.key for entry in desk.kv.entries(namespace)])
        desk.log("INFO", f"No value found for key '{key}' in namespace '{namespace}'{near}")
        return {}
    return {"value": found}


def delete(desk: Desk) -> dict[str, Any]:
    """Source: ``io.kestra.plugin.core.kv.Delete``."""
    namespace, key = _namespace(desk), desk.get("key")
    if desk.get("error_on_missing"):
        desk.kv.require(namespace, key)
    return {"deleted": desk.kv.delete(namespace, key)}


def _namespace(desk: Desk) -> str:
    return str(desk.get("namespace", desk.place.namespace))


def _guessed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


_TYPED: dict[str, Callable[[str], Any]] = {
    "STRING": str,
    "NUMBER": lambda text: int(text) if text.lstrip("+-").isdigit() else float(text),
    "BOOLEAN": conversions.to_boolean,
    "DATETIME": conversions.to_datetime,
    "DATE": conversions.to_date,
    "DURATION": conversions.to_duration,
    "JSON": conversions.to_json,
}


def _typed(kind: str, text: str) -> Any:
    try:
        return _TYPED[kind](text)
    except ValueError as error:
        raise KestraMagicError(f"value: must be a {kind}: {error}") from None
