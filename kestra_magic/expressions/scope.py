"""What an expression may see: Kestra's variables, the notebook's names behind them, and only plain data of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import FunctionType, ModuleType
from typing import Any

import regex

from .errors import MissingError
from .values import Array, Char, Entry, Float, Group, Instant, Long, Macroed, Refused

__all__ = ["ROOTS", "Inputs", "Scope", "bare_name", "each_text", "plain"]

ROOTS = frozenset({
    "inputs", "outputs", "vars", "flow", "execution", "task", "taskrun", "tasks", "trigger", "labels", "envs",
    "globals", "kestra", "namespace", "parent", "parents", "secret", "workingDir", "outputDir", "outputFiles", "item",
    "loop",
})  # fmt: skip
"""Kestra's own variables, wherever they are known."""
DEEPEST = 100
_AS_THEY_ARE = frozenset({
    str, int, float, bool, type(None), Decimal, datetime, date, time, timedelta,
    Array, Char, Entry, Float, Group, Instant, Long, Macroed, Refused,
})  # fmt: skip
_BARE = regex.compile(r"\s*\{\{-?\s*(?:inputs\.)?([^\W\d]\w*)\s*-?\}\}\s*")
_KEYS = (str, int, float, type(None), date, time, Enum, PurePath)


class Scope(Mapping[str, object]):
    """The names of one rendering.

    Attributes:
        roots: Kestra's own variables (`inputs`, `outputs`, `flow` …).
        fixed: the names that no template can set: those of Kestra's variables.
    """

    def __init__(
        self,
        roots: Mapping[str, object],
        notebook: Mapping[str, object] | None = None,
        *,
        inputs_fall_back: bool = False,
        fixed: bool = True,
    ) -> None:
        self.roots = roots
        self.fixed = frozenset(roots if fixed else ())
        self._notebook = notebook or {}
        self._falls_back = inputs_fall_back
        self._seen: dict[str, object] = {}

    def __getitem__(self, name: str) -> object:
        """Return a plain copy of a variable.

        Raises:
            KeyError: there is none of that name.
            ExpressionError: it is no plain data.
        """
        if name not in self._seen:
            self._seen[name] = self._plain(name)
        found = self._seen[name]
        if found.__class__ is Refused:
            raise found.error()
        return found

    def _plain(self, name: str) -> object:
        if name == "inputs" and self._falls_back:
            given = self.roots.get("inputs", {})
            return Inputs(plain(given, name), self._notebook)  # type: ignore[arg-type]
        if name in self.roots:
            return plain(self.roots[name], name)
        if name.startswith("_"):
            raise KeyError(name)
        return plain(self._notebook[name], name)

    def __iter__(self) -> Iterator[str]:
        yield from self.roots
        yield from (name for name in _data(self._notebook) if name not in self.roots)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in self.roots or (name in self._notebook and not str(name).startswith("_"))


class Inputs(dict[str, object]):
    """`inputs` of a process cell: what was given, and behind it the notebook's own names."""

    def __init__(self, given: Mapping[str, object], notebook: Mapping[str, object]) -> None:
        super().__init__(given)
        self._notebook = notebook

    def __missing__(self, name: str) -> object:
        if name not in self:
            raise MissingError(name, lambda: [*self, *_data(self._notebook)])
        found = plain(self._notebook[name], name)
        if isinstance(found, Refused):
            raise found.error()
        return found

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (name in self._notebook and not str(name).startswith("_"))


def _data(notebook: Mapping[str, object]) -> list[str]:
    """Return the names of a notebook that a person would mean: no module, no function, nothing hidden."""
    kinds = (ModuleType, FunctionType, type)
    return [name for name, value in [*notebook.items()] if not name.startswith("_") and not isinstance(value, kinds)]


def bare_name(text: str) -> str | None:
    """Return the name that *text* is an expression of and nothing else: `df` of `{{ df }}` and `{{ inputs.df }}`."""
    found = _BARE.fullmatch(text)
    return found.group(1) if found else None


Way = str | tuple[Any, object]
"""A variable's name, or the way to what it lies in and its key there; it is told only where something is refused."""


def plain(value: Any, way: Way, depth: int = 0) -> object:
    """Return a copy of *value* made of plain data; a `Refused` stands where something is none."""
    kind = value.__class__
    if kind in _AS_THEY_ARE:
        return value
    if depth > DEEPEST:
        return Refused(f"`{_said(way)}` is nested more than {DEEPEST} deep, or holds itself")
    if kind is list or kind is tuple:
        return [
            item if item.__class__ in _AS_THEY_ARE else plain(item, (way, index), depth + 1)
            for index, item in enumerate(value)
        ]
    if kind is dict:
        return _plain_dict(value, way, depth)
    seen = getattr(kind, "__kestra__", None)
    if seen is not None:
        return plain(seen(value), way, depth + 1)
    return _narrowed(value, way, depth)


def each_text(value: Any, change: Callable[[str], Any], *, keys: bool = False) -> Any:
    """Return *value* with all texts in it as *change* gives them: items of lists, values of maps, and their *keys*."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {
            change(key) if keys and isinstance(key, str) else key: each_text(item, change, keys=keys)
            for key, item in value.items()
        }
    return [each_text(item, change, keys=keys) for item in value] if isinstance(value, list | tuple) else value


def _said(way: Way) -> str:
    if isinstance(way, str):
        return way
    before, key = way
    return f"{_said(before)}[{key}]" if isinstance(key, int) else f"{_said(before)}.{key}"


def _plain_dict(value: Mapping[Any, Any], way: Way, depth: int) -> object:
    found: dict[object, object] = {}
    for key, inner in [*value.items()]:
        if key.__class__ is not str:
            if not isinstance(key, _KEYS) and not _is_scalar(key):
                return Refused(f"`{_said(way)}` has a key of type `{type(key).__name__}`: keys are texts or numbers")
            key = plain(key, way, depth + 1)
        found[key] = inner if inner.__class__ in _AS_THEY_ARE else plain(inner, (way, key), depth + 1)
    return found


def _narrowed(value: Any, way: Way, depth: int) -> object:
    """Make plain data of a subclass of it, of a path and of a NumPy scalar."""
    if _module(value) == "pandas" and type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, Enum):
        return plain(value.value, way, depth + 1)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.time(), value.tzinfo)
    if isinstance(value, timedelta):
        return timedelta(value.days, value.seconds, value.microseconds)
    if _is_scalar(value):
        return _scalar(value, _said(way))
    for own in (bool, str, int, float):
        if isinstance(value, own):
            return own(value)
    if isinstance(value, (list, tuple)):
        return plain([*value], way, depth)
    if isinstance(value, Mapping):
        return _plain_dict(value, way, depth)
    return Refused(_refusal(value, _said(way)))


def _module(value: object) -> str:
    return type(value).__module__.partition(".")[0]


def _is_scalar(value: object) -> bool:
    return _module(value) == "numpy" and hasattr(type(value), "item") and getattr(value, "shape", None) == ()


def _scalar(value: Any, name: str) -> object:
    if type(value).__name__ in ("datetime64", "timedelta64"):
        value = value.astype(f"{type(value).__name__}[us]")
    found = value.item()
    known = found.__class__ in _AS_THEY_ARE
    return found if known else Refused(_refusal(found, name))


def _refusal(value: object, name: str) -> str:
    kind = type(value).__name__
    if kind in ("DataFrame", "LazyFrame", "Series"):
        file = f"{name.rpartition('.')[2]}.csv"
        return (
            f"`{name}` is a {kind}, and expressions take plain data only: give it as an input file, "
            f'`-f {file}={name}` or `inputFiles: {{{file}: "{{{{ {name} }}}}"}}`'
        )
    return f"`{name}` is of type `{kind}`, and expressions take plain data only: {_instead(value, name)}"


def _instead(value: object, name: str) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"give it as an input file, `-f {name}.bin={name}`, or as text, `{name}.decode()`"
    if isinstance(value, (set, frozenset)):
        return f"give `sorted({name})`"
    if hasattr(type(value), "tolist"):
        return f"give `{name}.tolist()`, or write it to a file and give that with `-f`"
    if callable(value) or isinstance(value, ModuleType):
        return "call it in Python and give what it returns"
    return "put what is needed of it into a text, a number, a list or a dict"
