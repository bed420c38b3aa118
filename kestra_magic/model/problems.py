"""What Pydantic found, in a person's words: the line, the property, what it must be, the nearest name."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, get_args

from kestra_magic.errors import did_you_mean
from kestra_magic.model import traps
from kestra_magic.model.base import Model, yaml_name
from kestra_magic.model.inputs import INPUT_TYPES
from kestra_magic.model.property import kind_of
from kestra_magic.model.retry import KINDS
from kestra_magic.model.source import Document, Path, Problem
from kestra_magic.model.types import model_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import ValidationError

__all__ = ["choices", "located", "model_at", "names", "problems_of"]

_SAID = {
    "missing": "must not be null",
    "tuple_type": "must be a list: begin each of its lines with `- `",
    "list_type": "must be a list: begin each of its lines with `- `",
    "dict_type": "must be a map of names to values",
    "model_type": "must be a map of properties",
    "model_attributes_type": "must be a map of properties",
    "too_short": "must not be empty",
    "string_type": "must be a text",
}
_OTHER_WORDS = {
    "script": ("commands",),
    "command": ("commands", "script"),
    "commands": ("script",),
    "files": ("outputFiles",),  # up to Kestra 0.11
    "outputsFiles": ("outputFiles",),
    "dockerOptions": ("docker",),
    "image": ("containerImage",),
    "requirements": ("dependencies",),
}


def problems_of(
    error: ValidationError, document: Document, top: type[Model], origins: Mapping[Path, str] | None = None
) -> list[Problem]:
    """Return all that *error* tells of *document*, in the order of the text."""
    found = []
    for detail in error.errors(include_url=False):
        path: Path = tuple(detail["loc"])
        said = _sentence(dict(detail), path, document, top)
        found.append(located(document, path, said, origins))
    return sorted(found, key=lambda problem: problem.line or 0)


def located(document: Document, path: Path, said: str, origins: Mapping[Path, str] | None = None) -> Problem:
    """Return the problem with the line of *path*, or the option that it came from."""
    message = said if said.startswith("`io.") or not _name(path) else f"{_name(path)}: {said}"
    message = message.replace("\n", "\\n")  # a key of a map may hold any character
    for end in range(len(path), 0, -1):
        if path[:end] in document.places:
            break
        if origins and path[:end] in origins:
            return Problem(None, f"{origins[path[:end]]}: {message}")
    return Problem(document.line(path), message)


def names(model: type[Model]) -> tuple[str, ...]:
    """Return the properties of *model* as they are written in YAML."""
    return tuple(field.alias or yaml_name(name) for name, field in model.model_fields.items())


def model_at(value: Any, path: Path, top: type[Model]) -> type[Model] | None:
    """Return the model that reads what stands at *path* of *value*; None for free maps and scalars."""
    model: type[Model] | None = top
    for step in path:
        value = _step(value, step)
        if isinstance(step, str):
            model = _nested(model, step)
        kind = value.get("type") if isinstance(value, dict) else None
        if isinstance(kind, str):
            model = _typed(kind) or model
    return model


def _typed(kind: str) -> type[Model] | None:
    return model_of(kind) or KINDS.get(kind) or INPUT_TYPES.get(kind)


def _step(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _nested(model: type[Model] | None, step: str) -> type[Model] | None:
    for name, field in model.model_fields.items() if model else ():
        if (field.alias or yaml_name(name)) == step:
            return _model_in(field.annotation)
    return None


def _model_in(annotation: Any) -> type[Model] | None:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)


def _name(path: Path) -> str:
    """The property a person looks for: the keys after the last item of a list of maps."""
    keys: list[str] = []
    for step in reversed(path):
        if isinstance(step, int):
            if keys:
                break
        else:
            keys.insert(0, step)
            if len(keys) < 2 and isinstance(path[-1], int):
                break
    return ".".join(keys)


def _sentence(detail: dict[str, Any], path: Path, document: Document, top: type[Model]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return "unknown property" + _near(path, document, top)
    if kind in ("literal_error", "enum"):
        known = _expected(detail)
        said = f"must be one of {', '.join(known)}, but is `{detail['input']}`"
        return said + did_you_mean(str(detail["input"]).upper(), known)
    if kind == "string_too_long":
        return f"must be at most {detail['ctx']['max_length']} characters"
    if kind == "greater_than_equal":
        return f"must be greater than or equal to {detail['ctx']['ge']}"
    said = _SAID.get(kind) or str(detail["msg"])
    return said + (_quoting(path, document) if isinstance(detail["input"], dict | list) or kind == "kestra" else "")


def _expected(detail: dict[str, Any]) -> list[str]:
    text = str(detail["ctx"]["expected"]).replace(" or ", ", ")
    return [word.strip("'") for word in text.split(", ")]


def _near(path: Path, document: Document, top: type[Model]) -> str:
    word = str(path[-1])
    model = model_at(document.value, path[:-1], top)
    known = names(model) if model else ()
    for other in _OTHER_WORDS.get(word, ()):
        if other in known:
            return f"; did you mean `{other}`?"
    return did_you_mean(word, known)


def _quoting(path: Path, document: Document) -> str:
    """The line as it must be quoted, when a text was meant and YAML made a map of it."""
    place = document.places.get(path)
    try:
        value = document.at(path)
    except (LookupError, TypeError):
        return ""
    if place is None or not isinstance(value, dict) or len(value) != 1 or not isinstance(path[-1], int):
        return ""
    written = traps.line(document.source.text, place.first)
    hint = traps.remedy(f"- {written.split('- ', 1)[-1]}", whole=True)
    return f", because of its `: `; {hint}" if hint else ""


def choices(annotation: Any) -> tuple[str, ...]:
    """Return the words an enumeration or literal allows; nothing for other types."""
    kind = kind_of(annotation) or annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(str(member.value) for member in kind)
    if kind is bool:
        return ("true", "false")
    words = [word for arg in get_args(kind) for word in ([arg] if isinstance(arg, str) else choices(arg))]
    return tuple(dict.fromkeys(words))
