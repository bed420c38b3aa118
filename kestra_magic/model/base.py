"""What all models share: frozen, nothing unknown, Kestra's names in YAML and Python's in Python."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from kestra_magic.model.durations import duration
from kestra_magic.model.property import Property
from kestra_magic.model.scalars import as_text

__all__ = ["Flag", "Level", "Model", "Name", "Seconds", "Text", "Whole", "refused", "yaml_name"]

_NAMES = {"target_os": "targetOS"}


def yaml_name(field: str) -> str:
    """Return Kestra's name of a *field*: ``before_commands`` is ``beforeCommands``, ``finally_`` is ``finally``."""
    if field in _NAMES:
        return _NAMES[field]
    first, *words = field.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in words)


def refused(said: str, kind: str = "kestra") -> PydanticCustomError:
    """Return the error to raise in a validator; *said* is the sentence a person reads."""
    return PydanticCustomError(kind, "{said}", {"said": said})


class Model(BaseModel):
    """A part of a flow as it was written. Unknown properties are refused, as Kestra's strict Jackson does."""

    model_config = ConfigDict(
        alias_generator=yaml_name,
        arbitrary_types_allowed=True,
        defer_build=True,
        extra="forbid",
        frozen=True,
    )

    def model_post_init(self, _: Any) -> None:
        for field, value in self.__dict__.items():
            if isinstance(value, Property) and not value.name:
                self.__dict__[field] = Property(value.raw, value.kind, yaml_name(field))


class Level(StrEnum):
    TRACE = "TRACE"
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


def _text(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise refused("must be a text, but is a " + ("map" if isinstance(value, dict) else "list"))
    return value if value is None else as_text(value)


def _flag(value: Any) -> Any:
    flag = {"true": True, "false": False}.get(as_text(value)) if not isinstance(value, dict | list) else None
    if flag is None and value is not None:
        raise refused(f"must be true or false, but is `{_shown(value)}`")
    return flag


def _whole(value: Any) -> Any:
    if isinstance(value, bool | float | dict | list):
        raise refused(f"must be a whole number, but is `{_shown(value)}`")
    try:
        return value if value is None else int(value)
    except ValueError:
        raise refused(f"must be a whole number, but is `{value}`") from None


def _seconds(value: Any) -> Any:
    try:
        return value if value is None else duration(_text(value))
    except ValueError as error:
        raise refused(str(error)) from None


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, dict | list) else as_text(value)


Text = Annotated[str, BeforeValidator(_text)]
"""A text; numbers and booleans are taken as they were written."""
Flag = Annotated[bool, BeforeValidator(_flag)]
Whole = Annotated[int, BeforeValidator(_whole)]
Seconds = Annotated[timedelta, BeforeValidator(_seconds)]
"""A timedelta that is no template."""


def _name(value: Any) -> Any:
    text = _text(value)
    if text and not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_-]*", text):
        raise refused(f"`{text}` must match `^[a-zA-Z0-9][a-zA-Z0-9_-]*`: letters, digits, `_` and `-` only")
    if text and len(text) > 256:
        raise refused("must be at most 256 characters")
    return text


Name = Annotated[str, BeforeValidator(_name)]
"""The id of a task, and of what is named like one."""
