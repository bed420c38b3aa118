"""What it takes to run something again: plain data, which outlives its kernel."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.scope import plain
from kestra_magic.model.source import Source
from kestra_magic.runs.request import Request

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator

__all__ = ["Names", "kept", "request_of", "with_inputs"]

MOST_CHARS = 4 << 20
"""Of what a journal keeps of one run; a larger one cannot be run again from there."""


class Names(Mapping[str, object]):
    """The notebook's names; it remembers which were asked for, because only those a run depends on."""

    def __init__(self, names: Mapping[str, object]) -> None:
        self._names = names
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> object:
        value = self._names[name]
        self.asked.add(name)
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def items(self) -> ItemsView[str, object]:
        """All of them, to look for a near one: that is no dependency."""
        return self._names.items()


def kept(request: Request, outputs: Mapping[str, Any], *, flow: bool) -> dict[str, Any]:
    """Return *request* as plain data.

    Names whose values only this kernel's memory can hold are listed as ``lost``.
    """
    values, lost = {}, []
    for name in sorted(getattr(request.notebook, "asked", ())):
        value = plain(request.notebook[name], name)
        if _survives(value) and not (_is_placed(name, request) and hasattr(request.notebook[name], "__kestra__")):
            values[name] = value
        else:
            lost.append(name)
    data: dict[str, Any] = {
        "flow": flow,
        "text": request.source.text,
        "source": request.source.name,
        "first_line": request.source.first_line,
        "name": request.name,
        "options": {key: value for key, value in request.options.items() if value not in (None, False, [], {})},
        "beside": str(request.beside),
        "home": str(request.home or ""),
        "notebook": values,
        "outputs": dict(outputs),
        "lost": lost,
    }
    large = len(json.dumps(data, default=str)) > MOST_CHARS
    return data | {"notebook": {}, "outputs": {}, "lost": [*lost, *values]} if large else data


def _survives(value: object) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError):
        return False


def _is_placed(name: str, request: Request) -> bool:
    """A run that is placed as files is more than what expressions see of it."""
    return any(str(spec).rpartition("=")[2] == name for spec in request.options.get("file") or ())


def request_of(data: Mapping[str, Any]) -> Request:
    """Return the request that `kept` made *data* of.

    Raises:
        KestraMagicError: it depends on what only its kernel's memory held, or is another version's.
    """
    if lost := data.get("lost"):
        raise KestraMagicError(f"`{lost[0]}` was only in the memory of its kernel")
    try:
        return Request(
            source=Source(data["text"], data["source"], data["first_line"]),
            name=data["name"],
            options=data["options"],
            notebook=Names(data["notebook"]),
            beside=Path(data["beside"]),
            home=Path(data["home"]) if data.get("home") else None,
        )
    except KeyError as error:
        raise KestraMagicError(f"what it was is not known any more ({error} is missing)") from None


def with_inputs(request: Request, inputs: Mapping[str, Any]) -> Request:
    """Return *request* with other values for some of its inputs."""
    given = request.options.get("inputs")
    specs = [spec for spec in request.options.get("input", []) if str(spec).partition("=")[0] not in inputs]
    more = {"input": [*specs, *inputs]} if given is None else {"inputs": {**given, **inputs}}
    names = ChainMap(dict(inputs), dict(request.notebook.items()))
    return replace(request, options={**request.options, **more}, notebook=names)
