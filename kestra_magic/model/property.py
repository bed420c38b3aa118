"""A property that may be a template: kept as written, rendered and converted when the task runs.

Follows Kestra's ``Property<T>`` (core/models/property/Property.java) with the list rule of 1.x.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from enum import Enum
from types import UnionType
from typing import Any, Generic, TypeVar, Union, cast, get_args, get_origin

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.model.durations import duration
from kestra_magic.model.scalars import as_text

__all__ = ["Property", "PropertyError", "Render", "is_template", "kind_of", "refusal"]

T = TypeVar("T")
Render = Callable[[str], str]

_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    timedelta: "a duration like PT10S, or a number of seconds",
}


class PropertyError(KestraMagicError):
    """A property whose rendered value is not what it must be."""


def is_template(text: str) -> bool:
    return "{{" in text or "{%" in text or "{#" in text


class Property(Generic[T]):
    """What stands in a flow for a *T*: `raw` as it was written, `resolve` for its value."""

    __slots__ = ("kind", "name", "raw")

    def __init__(self, raw: Any, kind: Any, name: str = "") -> None:
        self.raw = raw
        self.kind = kind
        self.name = name

    def __repr__(self) -> str:
        return f"Property({self.raw!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Property) and (self.raw, self.kind) == (other.raw, other.kind)

    def __hash__(self) -> int:
        return hash(repr(self.raw))

    def resolve(self, render: Render) -> T:
        """Return the value: every text in it rendered once, then converted.

        Raises:
            PropertyError: the rendered text is no *T*; it names the property and the value.
        """
        try:
            return cast("T", _resolved(self.raw, self.kind, render))
        except ValueError as error:
            raise PropertyError(f"{self.name}: {error}" if self.name else str(error)) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        kind = get_args(source)[0] if get_args(source) else Any

        def written(value: Any) -> Property[Any]:
            if isinstance(value, Property):
                return value
            problems = list(_problems(value, kind))
            if problems:
                raise refusal(cls.__name__, value, problems)
            return Property(value, kind)

        return core_schema.no_info_plain_validator_function(
            written,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value.raw),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {}


def kind_of(annotation: Any) -> Any:
    """Return the T of ``Property[T]`` in *annotation* (which may be optional); None when it holds none."""
    if get_origin(annotation) is Property:
        return get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        return next((kind for arg in get_args(annotation) if (kind := kind_of(arg))), None)
    return None


def refusal(title: str, value: Any, problems: Iterable[tuple[tuple[str | int, ...], str]]) -> ValidationError:
    """Return the error that tells all *problems*: where within *value*, and the sentence a person reads."""
    details: list[InitErrorDetails] = [
        {"type": PydanticCustomError("kestra", "{said}", {"said": said}), "loc": where, "input": value}
        for where, said in problems
    ]
    return ValidationError.from_exception_data(title, details)


def _problems(value: Any, kind: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Tell what is wrong with *value* as it is written, and where in it; templates are left for later."""
    shape = get_origin(kind) or kind
    if value is None:
        yield (), "must not be null"
    if value is None or kind is Any or (isinstance(value, str) and is_template(value)):
        return
    if shape in (list, dict):
        yield from _items(value, kind, shape)
    elif isinstance(value, list) and kind is str:
        return  # Jackson gives a list as its JSON text, and deno runs it
    elif isinstance(value, dict | list):
        yield (), f"must be {_WORDS.get(kind, 'a text')}, but is {_shape(value)}"
    else:
        try:
            _scalar(as_text(value), kind)
        except ValueError as error:
            yield (), str(error)


def _items(value: Any, kind: Any, shape: type) -> Iterator[tuple[tuple[str | int, ...], str]]:
    written: Any = _json(value) if isinstance(value, str) else value
    if not isinstance(written, shape):
        must = "a list: begin each of its lines with `- `" if shape is list else "a map of names to values"
        yield (), f"must be {must}; it is {_shape(value)}"
        return
    item = get_args(kind)[-1] if get_args(kind) else Any
    for where, part in _parts(written):
        if item is str and isinstance(part, dict | list):
            yield (where,), f"must be a text, but is {_shape(part)}"


def _parts(written: Any) -> Iterable[tuple[str | int, Any]]:
    return written.items() if isinstance(written, dict) else enumerate(written)


def _shape(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    return f"the text `{value}`" if isinstance(value, str) else f"`{as_text(value)}`"


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _resolved(raw: Any, kind: Any, render: Render) -> Any:
    shape = get_origin(kind) or kind
    if shape is list:
        item = get_args(kind)[0] if get_args(kind) else Any
        return [_item(value, item) for value in _list(raw, render)]
    if shape is dict:
        item = get_args(kind)[1] if get_args(kind) else Any
        return {str(key): _item(value, item) for key, value in _map(raw, render).items()}
    if kind is Any:
        return _rendered(raw, render)
    if isinstance(raw, dict | list):
        raw = json.dumps(raw, ensure_ascii=False)
    text = as_text(raw)
    return _scalar(render(text) if is_template(text) else text, kind)


def _list(raw: Any, render: Render) -> list[Any]:
    """Kestra 1.x: a lone ``{{ … }}`` is rendered whole and read as JSON; else each item is rendered on its own."""
    if isinstance(raw, str):
        if raw.strip().startswith("{{") and raw.strip().endswith("}}"):
            return cast("list[Any]", _parsed(render(raw), list))
        raw = _parsed(raw, list) if isinstance(_json(raw), list) else _parsed(render(raw), list)
    return [_rendered(item, render) for item in raw]


def _map(raw: Any, render: Render) -> dict[str, Any]:
    if isinstance(raw, str):
        return cast("dict[str, Any]", _parsed(render(raw), dict))
    return cast("dict[str, Any]", _rendered(raw, render))


def _parsed(text: str, shape: type) -> Any:
    value = _json(text)
    if not isinstance(value, shape):
        word = "list" if shape is list else "map"
        raise ValueError(f"the expression must give a JSON {word}, but gave `{text}`")
    return value


def _rendered(value: Any, render: Render) -> Any:
    if isinstance(value, str):
        return render(value)
    if isinstance(value, dict):
        return {render(str(key)): _rendered(item, render) for key, item in value.items()}
    if isinstance(value, list):
        return [_rendered(item, render) for item in value]
    return value


def _item(value: Any, kind: Any) -> Any:
    if kind is Any or value is None:
        return value
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return _scalar(as_text(value), kind)


def _scalar(text: str, kind: Any) -> Any:
    """Convert the rendered *text* as Jackson's ``convertValue`` does.

    Raises:
        ValueError: it is no *kind*.
    """
    if kind in (str, Any):
        return text
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _member(text, kind)
    try:
        return _CONVERSIONS[kind](text.strip())
    except (ValueError, KeyError):
        raise ValueError(f"must be {_WORDS[kind]}, but is `{text}`") from None


_CONVERSIONS: dict[Any, Callable[[str], Any]] = {
    bool: lambda text: {"true": True, "false": False}[text.lower()],
    int: int,
    float: float,
    timedelta: duration,
}


def _member(text: str, kind: type[Enum]) -> Enum:
    names = [str(member.value) for member in kind]
    if text not in names:
        raise ValueError(f"must be one of {', '.join(names)}, but is `{text}`{did_you_mean(text.upper(), names)}")
    return kind(text)
