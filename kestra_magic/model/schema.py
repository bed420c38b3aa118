"""JSON schema of a flow, for editors: made from the models, so that both say the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from kestra_magic.model import base, inputs, tasks
from kestra_magic.model.flow import Flow
from kestra_magic.model.property import Property
from kestra_magic.model.types import known_types, model_of

__all__ = ["schema"]

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
TEMPLATE: Schema = {"type": "string", "pattern": r"\{[{%#]"}
TEXT_OF_IT: Schema = {"type": "string", "pattern": r"\{[{%#]|^\s*[\[{]"}
"""A collection may be a template, or its JSON as a text."""
SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_FILLED_IN = ("namespace",)
"""What a notebook adds itself where it is missing."""
_PLAIN: dict[Any, Schema] = {
    str: SCALAR,
    bool: {"enum": [True, False, "true", "false"]},
    int: {"type": "integer"},
    float: {"type": "number"},
    timedelta: {"type": ["string", "number"], "description": "ISO-8601, as PT10S, or seconds"},
    NoneType: {"type": "null"},
    tasks.TaskRunner: {"type": "object", "required": ["type"]},
    Any: {},
}


def schema() -> Schema:
    """Return the schema of flows: with every task type that runs here, its properties and their words.

    A type that needs a server is allowed, with any properties: the flow is valid there.
    """
    definitions: dict[str, Schema] = {}
    root = _Writer(definitions).model(Flow)
    root["properties"]["extend"] = {"description": "of kestra.io's own pages: dropped here"}
    return {"$schema": DRAFT, "title": "A Kestra flow", **root, "$defs": dict(sorted(definitions.items()))}


class _Writer:
    """Writes models, each once, into *definitions*."""

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self.definitions = definitions

    def model(self, model: type[BaseModel], kind: str = "") -> Schema:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        properties = {name: self.kind(field.annotation, field.metadata) for name, field in fields.items()}
        made: Schema = {
            "type": "object",
            "properties": properties | ({"type": {"const": kind}} if kind else {}) | _also(model),
            "required": [name for name, field in fields.items() if field.is_required() and name not in _FILLED_IN],
            "additionalProperties": model.model_config.get("extra") != "forbid",
        }
        said = (model.__doc__ or "").partition("\n")[0]
        return made | ({"description": said} if said else {})

    def kind(self, kind: Any, metadata: Sequence[Any] = ()) -> Schema:
        """Return the schema of an annotation; *metadata* tells which validator reads it first."""
        origin, args = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return self.kind(args[0], args[1:])
        if origin is Property:
            return {"anyOf": [self.kind(args[0]), TEXT_OF_IT if get_origin(args[0]) else TEMPLATE]}
        if origin in (Union, UnionType):
            return {"anyOf": [self.kind(each) for each in args]}
        if origin is Literal:
            return {"enum": list(args)}
        if origin is dict:
            inner = self.kind(args[1])
            return {"type": ["object", "array"] if metadata else "object", "additionalProperties": inner}
        if origin in (list, tuple):
            items = {"type": "array", "items": self.kind(args[0])}
            return {"anyOf": [items, SCALAR]} if args[0] in (str, base.Text) and metadata else items
        return self._class(kind)

    def _class(self, kind: Any) -> Schema:
        if kind in _PLAIN:
            return _PLAIN[kind]
        if issubclass(kind, Enum):
            return {"enum": [member.value for member in kind]}
        if issubclass(kind, BaseModel):
            return self._reference(kind)
        return {}

    def _reference(self, model: type[BaseModel]) -> Schema:
        name = {tasks.Task: "task", inputs.Input: "input"}.get(model, model.__name__)
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = self._choice(name) if name in ("task", "input") else self.model(model)
        return {"$ref": f"#/$defs/{name}"}

    def _choice(self, name: str) -> Schema:
        """Whose properties these are, `type` says."""
        models = inputs.INPUT_TYPES if name == "input" else {kind: model_of(kind) for kind in known_types()}
        for kind, model in models.items():
            assert model is not None
            self.definitions[kind] = self.model(model, kind)
        word: Schema = {"enum": list(models)}
        return {
            "type": "object",
            "required": ["type"],
            "properties": {"type": word if name == "input" else {"anyOf": [word, {"type": "string"}]}},
            "allOf": [
                {
                    "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
                    "then": {"$ref": f"#/$defs/{kind}"},
                }
                for kind in models
            ],
        }


def _also(model: type[BaseModel]) -> Schema:
    """What is read under an older name."""
    return {"maxAttempt": {"type": "integer"}} if "max_attempts" in model.model_fields else {}
