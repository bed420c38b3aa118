"""What the parser makes of a template: small nodes, each of which knows its line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "Arguments", "Attribute", "Binary", "Block", "Call", "Const", "Expression", "Filter", "FilterTag", "For", "If",
    "Items", "Macro", "Name", "Pairs", "Print", "Set", "Statement", "Ternary", "Test", "Text", "Unary",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Arguments:
    positional: tuple[Expression, ...] = ()
    named: tuple[tuple[str, Expression | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Const:
    line: int
    value: object


@dataclass(frozen=True, slots=True)
class Name:
    line: int
    name: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """`owner.key`, `owner[key]`, `owner.key(arguments)`."""

    line: int
    owner: Expression
    key: Expression
    arguments: tuple[Expression, ...] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    line: int
    name: str
    arguments: Arguments
    block: str | None = None


@dataclass(frozen=True, slots=True)
class Items:
    line: int
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    line: int
    pairs: tuple[tuple[Expression, Expression], ...]


@dataclass(frozen=True, slots=True)
class Unary:
    line: int
    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    line: int
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Filter:
    line: int
    operand: Expression
    name: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Test:
    line: int
    operand: Expression
    name: str
    arguments: Arguments
    negated: bool


@dataclass(frozen=True, slots=True)
class Ternary:
    line: int
    test: Expression
    then: Expression
    otherwise: Expression


Expression: TypeAlias = (
    Const | Name | Attribute | Call | Items | Pairs | Unary | Binary | Filter | Test | Ternary
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Text:
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Print:
    """`source` is what was written, delimiters and all: here and in every tag below."""

    line: int
    source: str
    value: Expression


@dataclass(frozen=True, slots=True)
class If:
    line: int
    branches: tuple[tuple[str, Expression, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class For:
    line: int
    source: str
    name: str
    iterable: Expression
    body: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Set:
    line: int
    source: str
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Macro:
    line: int
    source: str
    name: str
    arguments: Arguments
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Block:
    line: int
    source: str
    name: str
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class FilterTag:
    line: int
    source: str
    filters: tuple[tuple[int, str, Arguments], ...]
    body: tuple[Statement, ...]


Statement: TypeAlias = Text | Print | If | For | Set | Macro | Block | FilterTag
