"""A notebook's value as a typed input of a flow: the first of Kestra's types that gives it back as it was."""

from __future__ import annotations

import json
import math
import re
from datetime import date, datetime, time, timedelta
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.javatime import duration_text
from kestra_magic.expressions.render import render, render_typed
from kestra_magic.expressions.rewriting import escaped
from kestra_magic.expressions.scope import Scope
from kestra_magic.model.inputs import INPUT_TYPES
from kestra_magic.model.resolution import resolve_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Inputs", "declaration"]

_SECRET = re.compile(r"(?:^|_)(?:password|passwd|secret|token|api_?key|credentials?)(?:_|$)", re.IGNORECASE)


class Inputs:
    """The inputs of a flow that is being written: one for each value, by the name that it has in the notebook."""

    def __init__(self) -> None:
        self.declared: dict[str, dict[str, Any]] = {}
        self._values: dict[str, object] = {}

    def take(self, name: str, value: object, task: str) -> str:
        """Return the id of the input that holds *value*; where another cell's value has the name, one of *task*'s own.

        Raises:
            KestraMagicError: no input can hold it.
        """
        plain_id, own = _id(name), f"{_id(task)}_{_id(name)}"
        wanted = chain((plain_id, own), (f"{own}_{n}" for n in count(2)))
        made = next(each for each in wanted if each not in self._values or _same(self._values[each], value))
        if made not in self._values:
            self.declared[made] = declaration(made, value)
            self._values[made] = value
        return made

    def is_secret(self, made: str) -> bool:
        return bool(self.declared[made]["type"] == "SECRET")


def _id(name: str) -> str:
    text = re.sub(r"[^a-zA-Z0-9_]", "_", name)
    return text if re.match(r"[a-zA-Z0-9]", text) else f"x{text}"


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and bool(one == other or repr(one) == repr(other))


def declaration(name: str, value: object) -> dict[str, Any]:
    """Return the input *name* with *value* as its default; a value whose name says that it is secret is left out.

    Raises:
        KestraMagicError: no type gives the value back as expressions print it.
    """
    if isinstance(value, str) and _SECRET.search(name):
        return {"id": name, "type": "SECRET"}
    shown = _shown(value)
    for kind, default in _candidates(value, shown):
        made = {"id": name, "type": kind} | ({"defaults": default} if default is not None else {"required": False})
        if _gives(made, shown):
            return made
    raise KestraMagicError(f"no type of input gives `{shown[:80]}` back as it is")


def _candidates(value: object, shown: str) -> Iterator[tuple[str, Any]]:
    """The natural type first; JSON keeps what Kestra's 32-bit numbers cannot, text is what was printed."""
    match value:
        case None:
            yield "STRING", None
        case bool():
            yield "BOOLEAN", value
        case int():
            yield "INT", value
        case float() if not math.isfinite(value):
            yield "FLOAT", {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
        case float() if float(f"{value:.6g}") == value:  # what 32 bits keep
            yield "FLOAT", value
        case str():
            yield "STRING", escaped(value)
        case datetime():
            yield "DATETIME", value.isoformat()
        case date():
            yield "DATE", value.isoformat()
        case time():
            yield "TIME", value.isoformat()
        case timedelta():
            yield "DURATION", duration_text(value)
        case list() | dict() if _json(value):
            yield "JSON", _escaped_within(value)
    yield "JSON", _json(value) or escaped(shown)
    yield "STRING", escaped(shown)


def _escaped_within(value: Any) -> Any:
    if isinstance(value, dict):
        return {escaped(str(key)): _escaped_within(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped_within(item) for item in value]
    return escaped(value) if isinstance(value, str) else value


def _json(value: object) -> str:
    try:
        return escaped(json.dumps(value, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError):
        return ""


def _gives(made: Mapping[str, Any], shown: str) -> bool:
    def default(text: str, seen: Mapping[str, Any]) -> Any:
        return render_typed(text, Scope({"inputs": dict(seen)}))

    def upload(name: str, value: Any) -> str:
        raise ValueError(f"{name} is no file: {value}")

    try:
        declared = INPUT_TYPES[made["type"]].model_validate(dict(made))
        return _shown(resolve_inputs((declared,), {}, default, upload)[made["id"]]) == shown
    except (KestraMagicError, ValueError):
        return False


def _shown(value: object) -> str:
    return render("{{ x }}", Scope({"x": value}))
