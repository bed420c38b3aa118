"""The indentation of a flow, found again from what Kestra's properties may hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, get_args, get_origin

from kestra_magic.model.base import Model, yaml_name
from kestra_magic.model.flow import Flow
from kestra_magic.model.inputs import INPUT_TYPES, Input
from kestra_magic.model.property import Property
from kestra_magic.model.retry import ConstantRetry, ExponentialRetry, RandomRetry
from kestra_magic.model.tasks import Task
from kestra_magic.model.types import known_types, model_of

__all__ = ["indented"]

_KEY = re.compile(r"(?P<key>[A-Za-z0-9_$][\w.$/-]*|\"[^\"]+\"|'[^']+')\s*:(?:\s+(?P<value>.*))?$")
_BLOCK = re.compile(r"[|>][-+0-9]*\s*(?:#.*)?$")

Holds = Literal["text", "texts", "map", "object", "objects", "any"]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a property may hold; for objects the properties these have."""

    holds: Holds
    names: dict[str, _Kind] = field(default_factory=dict, repr=False, compare=False)
    typed: Callable[[str], dict[str, _Kind]] | None = field(default=None, repr=False, compare=False)


@dataclass(slots=True)
class _Level:
    """A map or list that is open: *indent* of its keys or dashes, and what it holds."""

    indent: int
    kind: _Kind
    is_list: bool = False


@dataclass(slots=True)
class _Outline:
    """The text so far, and what is open in it."""

    levels: list[_Level]
    waiting: tuple[int, _Kind] | None = None  # a key without a value: its indent, and what may follow it
    block: int | None = None  # the indent of the key whose block of text goes on
    lines: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        match = _KEY.fullmatch(line)
        if not line or (self.block is not None and not self._is_structure(line)):
            self._text(line)
        elif line.startswith("#"):
            self._write(line, self.levels[-1].indent)
        elif line == "-" or line.startswith("- "):
            self._item(line[2:].strip())
        elif match:
            self._key(match["key"].strip("\"'"), match["value"] or "", line)
        else:
            self._text(line)

    def _write(self, line: str, indent: int) -> None:
        self.lines.append(" " * indent + line)

    def _text(self, line: str) -> None:
        indent = self.block if self.block is not None else self.levels[-1].indent
        self.lines.append(" " * (indent + 2) + line if line else "")

    def _is_structure(self, line: str) -> bool:
        """Whether *line* ends a block of text: a property of something open, or the next item of a list of objects."""
        line = line.removeprefix("- ")
        match = _KEY.fullmatch(line)
        return match is not None and any(match["key"] in level.kind.names for level in self.levels)

    def _item(self, content: str) -> None:
        self.block = None
        match = _KEY.fullmatch(content)
        key = match["key"] if match else ""
        if self.waiting is not None and self._opens_list(key):
            indent, kind = self.waiting
            self.levels.append(_Level(indent + 2, kind, is_list=True))
        else:
            self._close_to(lambda level: level.is_list and _fits(level.kind, key))
        self.waiting = None
        level = self.levels[-1]
        if match and (level.kind.holds != "texts"):
            self.levels.append(_Level(level.indent + 2, replace(level.kind, holds="object")))
            self._property(key, match["value"] or "", f"- {content}", level.indent)
        else:
            self._write(f"- {content}".rstrip(), level.indent)
            self.block = level.indent if _BLOCK.fullmatch(content) else None

    def _opens_list(self, key: str) -> bool:
        kind = self.waiting[1] if self.waiting else None
        return kind is not None and kind.holds in ("texts", "objects", "any") and _fits(kind, key)

    def _key(self, key: str, value: str, line: str) -> None:
        self.block = None
        if self.waiting is not None and self._opens_map(key):
            indent, kind = self.waiting
            self.levels.append(_Level(indent + 2, kind))
        else:
            self._close_to(lambda level: not level.is_list and self._takes(level, key))
        self.waiting = None
        self._property(key, value, line, self.levels[-1].indent)

    def _opens_map(self, key: str) -> bool:
        kind = self.waiting[1] if self.waiting else None
        if kind is None or kind.holds not in ("map", "object", "any"):
            return False
        return key in kind.names or (kind.holds != "object" and not self._is_known(key))

    def _takes(self, level: _Level, key: str) -> bool:
        return key in level.kind.names or (level.kind.holds == "map" and not self._is_known(key))

    def _is_known(self, key: str) -> bool:
        """Whether *key* is a property of an open object."""
        return any(key in level.kind.names for level in self.levels if level.kind.holds == "object")

    def _close_to(self, fits: Callable[[_Level], bool]) -> None:
        for end in range(len(self.levels), 0, -1):
            if fits(self.levels[end - 1]):
                del self.levels[end:]
                return

    def _property(self, key: str, value: str, line: str, indent: int) -> None:
        self._write(line, indent)
        level = self.levels[-1]
        kind = level.kind.names.get(key, _Kind("any"))
        if key == "type" and level.kind.typed and value:
            level.kind = replace(level.kind, names=level.kind.typed(value.strip("\"' ")))
        if _BLOCK.fullmatch(value):
            self.block = level.indent
        elif not value or value.startswith("#"):
            self.waiting = (level.indent, kind)


def indented(lines: list[str]) -> str:
    """Return the text of *lines* with the indentation that a flow, a task or a list of tasks must have."""
    flow = _kind_of_model(Flow)
    first = next((line for line in lines if line and not line.startswith("#")), "")
    if first.startswith("- "):
        levels = [_Level(0, _task(), is_list=True)]
    elif any(line.startswith("tasks:") for line in lines) and not _begins_with_type(lines):
        levels = [_Level(0, flow)]
    else:
        levels = [_Level(0, replace(_task(), holds="object"))]
    outline = _Outline(levels)
    for line in lines:
        outline.add(line.strip())
    return "\n".join(outline.lines)


def _begins_with_type(lines: list[str]) -> bool:
    """Whether this is one task: its ``type`` comes before any list."""
    for line in lines:
        if line.startswith("- "):
            return False
        if line.startswith("type:"):
            return True
    return False


def _fits(kind: _Kind, key: str) -> bool:
    """Whether an item that begins with *key* (nothing: a text) may be in a list of this kind."""
    if kind.holds == "texts":
        return key not in ("id", "type")
    return not key if not kind.names else key in kind.names


@cache
def _kind_of_model(model: type[Model]) -> _Kind:
    return _Kind("object", _names(model))


@cache
def _names(model: type[Model]) -> dict[str, _Kind]:
    return {field.alias or yaml_name(name): _kind(field.annotation) for name, field in model.model_fields.items()}


@cache
def _task() -> _Kind:
    """A task whose type is not known yet may have any property of any task."""
    every = [_names(model) for kind in known_types() if (model := model_of(kind))]
    return _Kind("objects", {name: kind for names in every for name, kind in names.items()}, _task_names)


def _task_names(written: str) -> dict[str, _Kind]:
    model = model_of(written)
    return _names(model) if model else _task().names


@cache
def _input() -> _Kind:
    every = [_names(model) for model in INPUT_TYPES.values()]
    return _Kind("objects", {name: kind for names in every for name, kind in names.items()}, _input_names)


def _input_names(written: str) -> dict[str, _Kind]:
    return _names(INPUT_TYPES[written]) if written in INPUT_TYPES else _input().names


def _kind(annotation: Any) -> _Kind:
    """Classify what a field may hold."""
    models = _models_in(annotation)
    many = _has(annotation, (tuple, list))
    if Task in models:
        return _lazy(_task, many, cases=_has(annotation, (dict,)))
    if Input in models:
        return _lazy(_input, many)
    if ConstantRetry in models:
        return _Kind("object", {**_names(ConstantRetry), **_names(ExponentialRetry), **_names(RandomRetry)})
    if models:
        return _Kind("objects" if many else "object", {n: k for model in models for n, k in _names(model).items()})
    if many:
        return _Kind("texts")
    if _has(annotation, (dict,)):
        return _Kind("map")
    return _Kind("any" if annotation is Any else "text")


def _lazy(kind: Callable[[], _Kind], many: bool, *, cases: bool = False) -> _Kind:
    """A kind that holds itself (tasks within tasks): its names are looked up when it is opened."""
    names = _Names(kind)
    if cases:
        return _Kind("map", _Cases(kind))
    return _Kind("objects" if many else "object", names, lambda written: (kind().typed or (lambda _: {}))(written))


class _Names(dict[str, _Kind]):
    """The names of a kind, read when first asked for."""

    def __init__(self, kind: Callable[[], _Kind]) -> None:
        super().__init__()
        self._kind = kind

    def __contains__(self, key: object) -> bool:
        return key in self._kind().names

    def get(self, key: str, default: Any = None) -> Any:
        return self._kind().names.get(key, default)

    def __bool__(self) -> bool:
        return True


class _Cases(dict[str, _Kind]):
    """The cases of a Switch: any name, each a list of tasks."""

    def __init__(self, kind: Callable[[], _Kind]) -> None:
        super().__init__()
        self._kind = kind

    def get(self, _: str, _default: Any = None) -> Any:
        return _lazy(self._kind, many=True)


def _models_in(annotation: Any) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for arg in get_args(annotation) for model in _models_in(arg)]


def _has(annotation: Any, shapes: tuple[type, ...]) -> bool:
    if (get_origin(annotation) or annotation) in shapes:
        return True
    if get_origin(annotation) is Property or get_args(annotation):
        return any(_has(arg, shapes) for arg in get_args(annotation))
    return False
