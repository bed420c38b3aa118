"""What the same thing is called in Kestra 1.3 and in 2.0."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["spelled"]

_JSON = re.compile(r"\bjson\(|\|\s*json\b")


def spelled(task: Mapping[str, Any], target: str, tell: Callable[[str, str], None]) -> dict[str, Any]:
    """Return *task* in the words of *target*; *tell* hears what it has no words for, with the property.

    Source: Kestra's migration guides to 0.24 and 2.0.
    """
    made: dict[str, Any] = {}
    for key, value in task.items():
        name, said = _to_2(key, value) if target == "2.0" else _to_1(key, value, tell)
        made[name] = _attempts(said) if name == "retry" and isinstance(said, dict) else said
        if target == "2.0" and any(_JSON.search(text) for text in _texts(value)):
            tell(key, "Kestra 2.0 has no `json`: write `fromJson(…)` and `| toJson` instead")
    return made


def _texts(value: Any) -> list[str]:
    """Return the texts with expressions in *value*."""
    if isinstance(value, dict | list):
        return [text for item in (value.values() if isinstance(value, dict) else value) for text in _texts(item)]
    return re.findall(r"\{[{%].*?[%}]\}", value, re.DOTALL) if isinstance(value, str) else []


def _attempts(retry: dict[str, Any]) -> dict[str, Any]:
    return {"maxAttempts" if key == "maxAttempt" else key: value for key, value in retry.items()}


def _to_2(key: str, value: Any) -> tuple[str, Any]:
    if key == "runIf":
        return "when", value
    if key == "workerGroup" and isinstance(value, dict):
        # Without a word 1.x waits for a worker, 2.0 fails.
        return "workerSelector", {"tags": [value["key"]], "fallback": value.get("fallback") or "WAIT"}
    return key, value


def _to_1(key: str, value: Any, tell: Callable[[str, str], None]) -> tuple[str, Any]:
    if key == "when":
        return "runIf", value
    if key != "workerSelector" or not isinstance(value, dict):
        return key, value
    tags = value["tags"] if isinstance(value["tags"], list) else [value["tags"]]
    fallback = value.get("fallback") or "FAIL"
    if len(tags) > 1:
        tell(key, f"Kestra 1.3 knows one worker group: `{tags[0]}` of {', '.join(map(str, tags))}")
    if fallback == "IGNORE":
        tell(key, "`fallback: IGNORE` does not exist in Kestra 1.3: it is `WAIT` there")
    return "workerGroup", {"key": tags[0], "fallback": "WAIT" if fallback == "IGNORE" else fallback}
