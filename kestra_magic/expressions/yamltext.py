"""Values as YAML and back, as Jackson reads and writes it over SnakeYAML."""

from __future__ import annotations

import io
import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import regex
import yaml
from yaml.emitter import Emitter

from .errors import ExpressionError
from .operators import is_number
from .registry import REGISTRY
from .values import Array, Group, bounded, text, to_json

if TYPE_CHECKING:
    from .evaluation import Evaluation

__all__: list[str] = []

filter_, function = REGISTRY.filter, REGISTRY.function
DEEPEST = 200


# reading


class _Loader(yaml.SafeLoader):
    """Jackson's YAML: dates stay text, only `true` and `false` are truth values, an alias gives its anchor's name."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event: Any = self.get_event()  # type: ignore[no-untyped-call]
            return yaml.ScalarNode("tag:yaml.org,2002:str", event.anchor, event.start_mark, event.end_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, _deep: bool = False) -> Any:
        return {text(self.construct_object(k, True)): self.construct_object(v, True) for k, v in node.value}


def _number(_: Any, node: Any) -> object:
    said = node.value.replace("_", "")
    sign, digits = (said[:1], said[1:]) if said[:1] in "+-" else ("", said)
    for start, base in (("0b", 2), ("0x", 16)):
        if digits.startswith(start):
            return int(sign + digits[2:], base)
    return int(said, 8) if len(digits) > 1 and digits[0] == "0" else int(said)


def _real(_: Any, node: Any) -> float:
    said = node.value.replace("_", "").lower()
    if "n" in said:
        raise ValueError(f"Malformed numeric value '{said}'")
    return float(said)


_TYPES: list[tuple[str, str, str, Any]] = [
    ("bool", r"true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF", "tTfFyYnNoO",
     lambda _, node: node.value.lower() in ("true", "yes", "on")),
    ("int", r"[-+]?(?:0b[01_]+|0[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)", "-+0123456789", _number),
    ("float", r"[-+]?(?:[0-9][0-9_]*)?\.[0-9_]+(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?\d[0-9_]*\."
     r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+0123456789.", _real),
    ("null", r"~|null|Null|NULL|", "~nN", lambda *_: None),
]  # fmt: skip
for _tag, _pattern, _first, _read in _TYPES:
    _starts = [*_first, ""] if _tag == "null" else [*_first]
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", regex.compile(f"(?:{_pattern})$"), _starts)
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _read)
_Loader.add_constructor("tag:yaml.org,2002:map", lambda loader, node: loader.construct_mapping(node))  # type: ignore[arg-type]


@function("yaml", "yaml")
def yaml_function(_: Evaluation, value: object) -> object:
    if value.__class__ is not str:
        raise ExpressionError("The 'yaml' function expects an argument 'yaml' with type string.")
    try:
        loader: Any = _Loader(value)
        try:
            if not loader.check_data():
                raise ValueError("No content to map due to end-of-input")
            return loader.get_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, TypeError) as error:
        raise ExpressionError(f"Invalid yaml: {' '.join(str(error).split())}") from None


# writing


@filter_("yaml")
def yaml_filter(value: object) -> object:
    """Write YAML with few quotes: lists are indented by one, what is nested in a list begins on its own line."""
    if value is None:
        return "null"
    if isinstance(value, str) and not value:
        return '--- ""\n'
    nested = _nested(value, 0)
    said = nested if nested else f"{_scalar(value, 0)}\n"
    bounded(len(said))
    return said


def _nested(value: object, indent: int) -> str:
    """Return the lines of a map or a list that is not empty; nothing for anything else."""
    if indent > 2 * DEEPEST:
        raise ExpressionError("The value is nested too deeply for YAML")
    if isinstance(value, dict):
        pad = " " * indent
        return "".join(f"{pad}{_key(key)}:{_below(inner, indent, in_map=True)}" for key, inner in value.items())
    if isinstance(value, (list, Group, Array)):
        pad = " " * (indent + 1)
        return "".join(f"{pad}-{_below(inner, indent, in_map=False)}" for inner in value)
    return ""


def _below(value: object, indent: int, *, in_map: bool) -> str:
    deeper = indent if in_map and isinstance(value, (list, Group, Array)) else indent + 2
    nested = _nested(value, deeper)
    return f"\n{nested}" if nested else f" {_scalar(value, indent)}\n"


_RESERVED = {
    "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE", "yes", "Yes", "YES", "no", "No",
    "NO", "on", "On", "ON", "off", "Off", "OFF", "y", "Y", "n", "N",
}  # fmt: skip
_QUOTABLE = regex.compile(r"[\[\]{},]|(?:^|\s)#|:(?:\s|$)")


def _key(key: object) -> str:
    said = text(key)
    if not said:
        return '? ""\n'
    quoted = said in _RESERVED or said[0] in "0123456789+-."
    return json.dumps(said, ensure_ascii=False) if quoted else _styled(said, 0, name=True)


def _scalar(value: object, indent: int) -> str:
    if value is None or isinstance(value, bool):
        return text(value)
    if is_number(value):
        return str(value) if value.__class__ is Decimal else text(value)
    if isinstance(value, (dict, list, tuple)):
        return "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, (datetime, date, time, timedelta)):
        return to_json(value)[1:-1]
    said = text(value)
    if not said or said in _RESERVED or _QUOTABLE.search(said):
        return json.dumps(said, ensure_ascii=False)
    return _styled(said, indent)


def _styled(said: str, indent: int, *, name: bool = False) -> str:
    """Write a text plainly, as a block, or in quotes: the first of these that can hold it."""
    analysis = Emitter(io.StringIO()).analyze_scalar(said)
    if "\n" not in said and analysis.allow_block_plain:
        return said
    if "\n" in said and analysis.allow_block and not name:
        return _block(said, indent)
    if analysis.allow_single_quoted and not analysis.multiline:
        return "'" + said.replace("'", "''") + "'"
    return json.dumps(said, ensure_ascii=False)


def _block(said: str, indent: int) -> str:
    pad = " " * (indent + 2)
    tail = "-" if not said.endswith("\n") else "+" if said == "\n" or said.endswith("\n\n") else ""
    hint = "2" if said[0] in " \n" else ""
    lines = said.removesuffix("\n").split("\n")
    return f"|{hint}{tail}\n" + "\n".join(pad + line if line else "" for line in lines)
