"""The inputs of a flow: what may be declared, and what the given values become (§6 of the contract)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import Field, PlainValidator, field_validator, model_validator

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.model import conversions
from kestra_magic.model.base import Flag, Model, Text, refused
from kestra_magic.model.durations import iso
from kestra_magic.model.property import is_template, refusal
from kestra_magic.model.scalars import as_text

__all__ = [
    "INPUT_TYPES",
    "MISSING",
    "AnyInput",
    "DependsOn",
    "FileInput",
    "Input",
    "InputsError",
    "RenderInput",
    "Upload",
    "resolve_inputs",
    "undeclared",
]

RenderInput = Callable[[str, Mapping[str, Any]], Any]
"""The value of a template, given the inputs resolved so far; typed where it is a lone expression."""
Upload = Callable[[str, Any], str]
"""Stores what was given for the FILE input of this name; returns its URI."""

MISSING = "Missing required input:"  # Kestra 1.x's words, to which the id is put

_I = TypeVar("_I", bound="Input")
_ID = re.compile(r"[a-zA-Z0-9][.a-zA-Z0-9_-]*")


class InputsError(KestraMagicError):
    """The given inputs do not fit: every problem on a line of its own."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class DependsOn(Model):
    inputs: tuple[Text, ...] = ()
    condition: Text | None = None


class Input(Model):
    """What every input has. Subclasses say how a value is converted (`convert`) and what it must hold (`check`)."""

    id: Text
    type: Text
    name: Text | None = None
    description: Text | None = None
    required: Flag = True
    defaults: Any = None
    prefill: Any = None
    display_name: Annotated[Text, Field(max_length=64)] | None = None
    depends_on: DependsOn | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """``name`` is the old word for ``id``."""
        if isinstance(value, dict) and value.get("id") is None and value.get("name") is not None:
            return {**value, "id": value["name"]}
        return value

    @field_validator("id")
    @classmethod
    def _pattern(cls, value: str) -> str:
        if not _ID.fullmatch(value):
            raise refused(f"`{value}` must match `^[a-zA-Z0-9][.a-zA-Z0-9_-]*`")
        return value

    def convert(self, value: Any) -> Any:
        """Return the typed value.

        Raises:
            ValueError: the value is none of this type.
        """
        return conversions.to_text(value)

    def check(self, value: Any) -> None:
        """Check the typed value.

        Raises:
            ValueError: it is outside of what is declared.
        """


class StringInput(Input):
    validator: Text | None = None

    @field_validator("validator")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        import regex  # Java's syntax is nearer to it than to re

        try:
            regex.compile(value or "")
        except regex.error as error:
            raise refused(f"`{value}` is no regular expression: {error}") from None
        return value

    def check(self, value: Any) -> None:
        import regex

        if self.validator is not None and not regex.fullmatch(self.validator, value, timeout=5):
            raise ValueError(f"it must match the pattern `{self.validator}`")


class SecretInput(StringInput):
    pass


class EmailInput(Input):
    _EMAIL: ClassVar[re.Pattern[str]] = re.compile(r"|[a-zA-Z0-9_!#$%&’*+/=?`{|}~^.-]+@[a-zA-Z0-9.-]+")

    def check(self, value: Any) -> None:
        if not self._EMAIL.fullmatch(value):
            raise ValueError("The input must be a valid email")


def _readable(declared: _I, **limits: Any) -> _I:
    """Return *declared* if its *limits* are values of its own type."""
    wrong = []
    for name, limit in limits.items():
        try:
            limit is None or declared.convert(limit)
        except ValueError as error:
            wrong.append(((name,), str(error)))
    if wrong:
        raise refusal("Input", declared, wrong)
    return declared


class _Bounded(Input):
    """`min` and `max` are inclusive."""

    min: Any = None
    max: Any = None

    def check(self, value: Any) -> None:
        it = "It" if isinstance(self, DurationInput) else "it"  # Kestra's own capital
        if self.min is not None and value < self.convert(self.min):
            raise ValueError(f"{it} must be more than `{self._shown(self.min)}`")
        if self.max is not None and value > self.convert(self.max):
            raise ValueError(f"{it} must be less than `{self._shown(self.max)}`")

    def _shown(self, limit: Any) -> str:
        return as_text(limit)

    @model_validator(mode="after")
    def _limits(self) -> _Bounded:
        return _readable(self, min=self.min, max=self.max)


class IntInput(_Bounded):
    def convert(self, value: Any) -> int:
        return conversions.to_int(value)


class FloatInput(_Bounded):
    def convert(self, value: Any) -> float:
        return conversions.to_float(value)


class DurationInput(_Bounded):
    def convert(self, value: Any) -> Any:
        return conversions.to_duration(value)

    def _shown(self, limit: Any) -> str:
        return iso(conversions.to_duration(limit))


class BooleanInput(Input):
    def convert(self, value: Any) -> bool:
        return conversions.to_boolean(value)


class _Dated(Input):
    """`after` and `before` are inclusive."""

    after: Text | None = None
    before: Text | None = None

    def check(self, value: Any) -> None:
        if self.after is not None and value < self.convert(self.after):
            raise ValueError(f"it must be after `{self.after}`")
        if self.before is not None and value > self.convert(self.before):
            raise ValueError(f"it must be before `{self.before}`")

    @model_validator(mode="after")
    def _limits(self) -> _Dated:
        return _readable(self, after=self.after, before=self.before)


class DateTimeInput(_Dated):
    def convert(self, value: Any) -> Any:
        return conversions.to_datetime(value)


class DateInput(_Dated):
    def convert(self, value: Any) -> Any:
        return conversions.to_date(value)


class TimeInput(_Dated):
    def convert(self, value: Any) -> Any:
        return conversions.to_time(value)


class FileInput(Input):
    """Its value is a URI; anything else given is uploaded. `accept` belongs to the server's form."""

    extension: Text | None = None
    allowed_file_extensions: tuple[Text, ...] | None = None
    accept: Any = None

    SCHEMES: ClassVar[tuple[str, ...]] = ("kestra://", "file://", "nsfile://")

    def convert(self, value: Any) -> Any:
        return value

    def is_stored(self, value: Any) -> bool:
        return isinstance(value, str) and value.startswith(self.SCHEMES)


class JsonInput(Input):
    def convert(self, value: Any) -> Any:
        return conversions.to_json(value)


class YamlInput(Input):
    def convert(self, value: Any) -> Any:
        return conversions.to_yaml(value)


class UriInput(Input):
    def convert(self, value: Any) -> str:
        return conversions.to_uri(value)


class _Choice(Input):
    """`values`, or an `expression` that gives them; see `resolve_inputs`."""

    values: tuple[Text, ...] | None = None
    expression: Text | None = None
    allow_custom_value: Flag = False
    auto_select_first: Flag = False

    @model_validator(mode="after")
    def _has_values(self) -> _Choice:
        if self.expression is None and not self.choices():
            raise refused("`values` or `expression` must be given")
        return self

    def choices(self) -> tuple[str, ...]:
        return self.values or ()


class SelectInput(_Choice):
    is_radio: Flag = False

    def check(self, value: Any) -> None:
        if self.required and not self.allow_custom_value and value not in self.choices():
            raise ValueError(f"it must match the values `[{', '.join(self.choices())}]`")


class EnumInput(SelectInput):
    pass


class _Items(Input):
    item_type: Text

    def convert(self, value: Any) -> list[Any]:
        return [self._item(item) for item in conversions.to_array(value)]

    def _item(self, item: Any) -> Any:
        model = INPUT_TYPES[self.item_type]
        extra = {"values": ["-"]} if issubclass(model, _Choice) else {}
        try:
            return model.model_validate({"id": "item", "type": self.item_type, **extra}).convert(item)
        except ValueError:
            said = f"Unable to parse array element as `{self.item_type}` on `{conversions.to_text(item)}`"
            raise ValueError(said) from None

    @field_validator("item_type")
    @classmethod
    def _no_array(cls, value: str) -> str:
        if value == "ARRAY":
            raise refused("`itemType` cannot be `ARRAY`")
        if value not in INPUT_TYPES:
            raise refused(f"`{value}` is no type of input{did_you_mean(value.upper(), INPUT_TYPES)}")
        return value


class ArrayInput(_Items):
    pass


class MultiselectInput(_Items, _Choice):
    item_type: Text = "STRING"
    options: tuple[Text, ...] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> MultiselectInput:
        if self.values is not None and self.options is not None:
            raise refused("you can't define both `values` and `options`")
        return self

    def choices(self) -> tuple[str, ...]:
        return self.values or self.options or ()

    def check(self, value: Any) -> None:
        texts = [conversions.to_text(item) for item in value]
        if not self.allow_custom_value and not set(texts) <= set(self.choices()):
            raise ValueError(f"it must match the values `[{', '.join(self.choices())}]`")


INPUT_TYPES: dict[str, type[Input]] = {
    "STRING": StringInput,
    "ENUM": EnumInput,
    "SELECT": SelectInput,
    "INT": IntInput,
    "FLOAT": FloatInput,
    "BOOLEAN": BooleanInput,
    "BOOL": BooleanInput,
    "DATETIME": DateTimeInput,
    "DATE": DateInput,
    "TIME": TimeInput,
    "DURATION": DurationInput,
    "FILE": FileInput,
    "JSON": JsonInput,
    "URI": UriInput,
    "SECRET": SecretInput,
    "ARRAY": ArrayInput,
    "MULTISELECT": MultiselectInput,
    "YAML": YamlInput,
    "EMAIL": EmailInput,
}


def _read_input(value: Any) -> Any:
    if isinstance(value, Input):
        return value
    if not isinstance(value, dict):
        raise refused("must be an input: a map with `id` and `type`")
    kind = value.get("type")
    if kind is None:
        raise refusal("Input", value, [(("type",), "must not be null")])
    if not isinstance(kind, str) or kind not in INPUT_TYPES:
        said = f"`{kind}` is no type of input{did_you_mean(str(kind).upper(), INPUT_TYPES)}"
        raise refusal("Input", value, [(("type",), said)])
    return INPUT_TYPES[kind].model_validate(value)


AnyInput = Annotated[Input, PlainValidator(_read_input)]


def undeclared(inputs: Iterable[Input], given: Iterable[str], flow: str) -> tuple[str, ...]:
    """Return Kestra's warning for each given name that *flow* (``namespace.id``) does not declare."""
    known = [declared.id for declared in inputs]
    return tuple(
        f"Input {name} was provided for workflow {flow} but isn't declared in the workflow inputs"
        + did_you_mean(name, known)
        for name in given
        if name not in known
    )


def resolve_inputs(
    inputs: Iterable[Input], given: Mapping[str, Any], render: RenderInput, upload: Upload
) -> dict[str, Any]:
    """Return what expressions see as ``inputs``: converted, checked, ids with dots as nested maps.

    Dates and times are Python's (`datetime` in UTC), durations `timedelta`. Optional inputs without a value are None;
    inputs whose ``dependsOn`` does not hold are left out.

    Raises:
        InputsError: every problem, in Kestra 1.x's words.
    """
    resolver = _Resolver({declared.id: declared for declared in inputs}, given, render, upload)
    for name in resolver.declared:
        resolver.resolve(name)
    if resolver.problems:
        raise InputsError(resolver.problems)
    return resolver.nested()


class _Resolver:
    """Each input once, what it depends on first."""

    def __init__(
        self, declared: dict[str, Input], given: Mapping[str, Any], render: RenderInput, upload: Upload
    ) -> None:
        self.declared = declared
        self.problems: list[str] = []
        self._given = given
        self._render = render
        self._upload = upload
        self._values: dict[str, Any] = {}
        self._enabled: dict[str, bool] = {}

    def resolve(self, name: str) -> bool:
        """Resolve the input *name*; return whether it is enabled."""
        if name not in self._enabled:
            declared = self.declared[name]
            self._enabled[name] = False  # a cycle, refused when the flow was read, ends here
            self._enabled[name] = self._is_enabled(declared)
            if self._enabled[name]:
                self._take(declared)
        return self._enabled[name]

    def _is_enabled(self, declared: Input) -> bool:
        needs = declared.depends_on
        if needs is None:
            return True
        enabled = [self.resolve(name) for name in needs.inputs if name in self.declared]  # all, also after a False
        if not all(enabled):
            return False
        if needs.condition is None:
            return True
        try:
            return self._render(needs.condition, self.nested()) in (True, "true")
        except KestraMagicError as error:
            self._refuse(declared, f"Invalid condition: {error}")
            return False

    def _take(self, declared: Input) -> None:
        try:
            value = self._given[declared.id] if self._given.get(declared.id) is not None else self._default(declared)
            if value is None:
                if declared.required:
                    self.problems.append(f"{MISSING}{declared.id}")
                self._values[declared.id] = None
                return
            self._values[declared.id] = self._typed(self._with_choices(declared), value)
        except (ValueError, TimeoutError, KestraMagicError) as error:
            self._refuse(declared, str(error))

    def _typed(self, declared: Input, value: Any) -> Any:
        if isinstance(declared, FileInput):
            return value if declared.is_stored(value) else self._upload(declared.id, value)
        typed = declared.convert(value)
        declared.check(typed)
        return typed

    def _default(self, declared: Input) -> Any:
        return self._rendered(declared.defaults)

    def _rendered(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._render(value, self.nested()) if is_template(value) else value
        if isinstance(value, list):
            return [self._rendered(item) for item in value]
        if isinstance(value, dict):
            return {key: self._rendered(item) for key, item in value.items()}
        return value

    def _with_choices(self, declared: Input) -> Input:
        """Replace the `expression` of a choice by what it gives."""
        if not isinstance(declared, _Choice) or declared.expression is None:
            return declared
        try:
            found = self._render(declared.expression, self.nested())
        except KestraMagicError as error:
            raise ValueError(f"Cannot render 'expression'. Cause: {error}") from None
        if isinstance(found, str):
            found = _list_in(found)
        if not isinstance(found, list):
            kind = "<null>" if found is None else type(found).__name__
            said = f"Invalid expression result. Expected a list of strings, but received {kind}"
            raise ValueError(said)
        values = tuple(conversions.to_text(item) for item in found if item is not None)
        return declared.model_copy(update={"values": values})

    def _refuse(self, declared: Input, cause: str) -> None:
        self.problems.append(f"Invalid value for input `{declared.id}`. Cause: {cause}")

    def nested(self) -> dict[str, Any]:
        """Return the values so far, ids with dots as nested maps."""
        root: dict[str, Any] = {}
        for name, value in self._values.items():
            *parents, last = name.split(".")
            level = root
            for key in parents:
                deeper = level.setdefault(key, {})
                if not isinstance(deeper, dict):
                    raise InputsError([f"Conflict at key: '{key}'. Map keys are: [{', '.join(level)}]"])
                level = deeper
            level[last] = value
        return root


def _list_in(text: str) -> Any:
    try:
        return conversions.to_json(text)
    except ValueError:
        return text
