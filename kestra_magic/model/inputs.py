"""The inputs of a flow: what may be declared of each type, how a value is read, and its limits."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import Field, PlainValidator, field_validator, model_validator

from kestra_magic.errors import did_you_mean
from kestra_magic.expressions.javatime import duration_text
from kestra_magic.model import conversions
from kestra_magic.model.base import Flag, Model, Text, refused
from kestra_magic.model.property import refusal
from kestra_magic.model.scalars import as_text

__all__ = ["INPUT_TYPES", "AnyInput", "Choice", "DependsOn", "FileInput", "Input"]

_I = TypeVar("_I", bound="Input")
_ID = re.compile(r"[a-zA-Z0-9][.a-zA-Z0-9_-]*")


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
        return duration_text(conversions.to_duration(limit))


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


class Choice(Input):
    """`values`, or an `expression` that gives them; see `model.resolution`."""

    values: tuple[Text, ...] | None = None
    expression: Text | None = None
    allow_custom_value: Flag = False
    auto_select_first: Flag = False

    @model_validator(mode="after")
    def _has_values(self) -> Choice:
        if self.expression is None and not self.choices():
            raise refused("`values` or `expression` must be given")
        return self

    def choices(self) -> tuple[str, ...]:
        return self.values or ()


class SelectInput(Choice):
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
        extra = {"values": ["-"]} if issubclass(model, Choice) else {}
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


class MultiselectInput(_Items, Choice):
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
