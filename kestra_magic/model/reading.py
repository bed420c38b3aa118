"""YAML text → plain values with their lines. Every way of being no YAML is one SourceError."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from kestra_magic.model import traps
from kestra_magic.model.scalars import as_text, plain
from kestra_magic.model.source import Document, Path, Place, Problem, Source, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read"]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, ten times faster, where the wheel has it
_ODD = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # not printable for YAML
_DEEPEST = 64  # levels; real flows have about ten
_MOST = 200_000  # values once aliases are expanded
_BEGUN = {
    "while scanning a quoted scalar",
    "while scanning a simple key",
    "while parsing a flow sequence",
    "while parsing a flow mapping",
    "while scanning an alias",
    "while scanning an anchor",
}


def read(source: Source) -> Document:
    """Read the one YAML document of *source*.

    Raises:
        SourceError: every problem found.
    """
    unreadable = _unreadable(source)
    if unreadable:
        raise SourceError(source, [unreadable])
    builder = _Builder(source)
    try:
        value = builder.document(yaml.parse(source.text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise SourceError(source, [*builder.problems, _problem(source, error)]) from None
    if builder.problems:
        raise SourceError(source, builder.problems)
    return Document(source, value, builder.places)


def _unreadable(source: Source) -> Problem | None:
    odd = _ODD.search(source.text)
    if odd is None:
        return None
    number = source.first_line + source.text.count("\n", 0, odd.start())
    return Problem(number, f"the character U+{ord(odd[0]):04X} cannot stand in YAML; remove it")


class _Builder:
    """Values from YAML events, with the place of each; what is wrong is collected, and reading goes on."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.places: dict[Path, Place] = {}
        self._anchors: dict[str, Any] = {}
        self._made = 0

    def document(self, events: Iterator[Any]) -> Any:
        self._events = events
        value: Any = None
        seen = False
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if seen:
                    raise _refused(event, "a second document begins here; keep one, without `---` between")
                seen = True
                value = self._value(next(events), (), _mark(event).line)
        return value

    def _value(self, event: Any, path: Path, key: int) -> Any:
        if len(path) > _DEEPEST:
            raise _refused(event, f"nested deeper than {_DEEPEST} levels")
        self._count(event)
        last = event.end_mark.line - (getattr(event, "style", "") in ("|", ">"))
        style = event.style if isinstance(event, yaml.ScalarEvent) else ""
        self.places[path] = Place(key, event.start_mark.line, max(last, event.start_mark.line), style or "")
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(path)
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(path)
        else:
            return self._alias(event)
        if event.anchor:
            self._anchors[event.anchor] = value
        return value

    def _count(self, event: Any, more: int = 1) -> None:
        self._made += more
        if self._made > _MOST:
            raise _refused(event, f"more than {_MOST} values")

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, (*path, len(items)), event.start_mark.line))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event)
            known = (*path, key) in self.places
            first = self.places[(*path, key)].key if known else 0
            value = self._value(next(self._events), (*path, key), event.start_mark.line)
            if known:
                line = self.source.first_line
                self._say(event, f"`{key}` stands twice in this map, first in line {first + line}")
            if key == "<<" and not getattr(event, "style", None):  # in quotes it is a name like any other
                merged |= self._merge(event, value)
            else:
                values[key] = value
        return merged | values

    def _key(self, event: Any) -> str:
        if isinstance(event, yaml.ScalarEvent):
            return str(event.value)
        if isinstance(event, yaml.AliasEvent):
            return as_text(self._alias(event))
        message = "a map or a list cannot be a key"
        hint = traps.remedy(traps.line(self.source.text, event.start_mark.line))
        raise _refused(event, hint or message)

    def _merge(self, event: Any, value: Any) -> dict[str, Any]:
        """YAML 1.1's ``<<``: the keys of other maps, which this map's own beat."""
        found: dict[str, Any] = {}
        for part in reversed(value if isinstance(value, list) else [value]):
            if isinstance(part, dict):
                found |= part
            else:
                self._say(event, "`<<` merges maps only")
        return found

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            hint = traps.remedy(traps.line(self.source.text, event.start_mark.line))
            raise _refused(event, hint or f"`*{event.anchor}` names no anchor (`&{event.anchor}`)")
        value = self._anchors[event.anchor]
        self._count(event, _size(value))
        return value

    def _say(self, event: Any, message: str) -> None:
        self.problems.append(Problem(self.source.first_line + event.start_mark.line, message))


def _size(value: Any) -> int:
    """How many values there are in *value*; a bomb is met while it is built, so none is counted that is too large."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, children))


def _scalar(event: Any) -> Any:
    tag = event.tag or ""
    if tag in ("", "!") or not tag.startswith("tag:yaml.org,2002:"):
        return plain(event.value) if not event.style and tag != "!" else event.value
    kind = tag.removeprefix("tag:yaml.org,2002:")
    return plain(event.value) if kind in {"int", "float", "bool", "null"} else event.value


def _refused(event: Any, message: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=message, problem_mark=event.start_mark, note="ours")


def _problem(source: Source, error: yaml.YAMLError) -> Problem:
    """Translate what the parser says: the line where the cause stands, and how to write it."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem(source.first_line, f"is no YAML: {error}")
    begun: Any = error.context_mark if error.context in _BEGUN else None
    mark: Any = begun or error.problem_mark
    number = min(int(mark.line), source.text.rstrip("\n").count("\n"))
    said = error.problem or "is no YAML"
    if error.note != "ours":
        said = traps.explain(source.text, number, said, error.context or "")
    return Problem(source.first_line + number, said)


def _mark(event: Any) -> Any:
    return event.start_mark
