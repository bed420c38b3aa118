"""What the parser makes of a template: small nodes, each of which knows its line."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

__all__ = [
    "Arguments", "Attribute", "Binary", "Block", "Call", "Const", "Expression", "Filter", "FilterTag", "For", "If",
    "Items", "Macro", "Name", "Pairs", "Print", "Set", "Statement", "Ternary", "Test", "Text", "Unary",
]  # fmt: skip


class Arguments(NamedTuple):
    positional: tuple[Expression, ...] = ()
    named: tuple[tuple[str, Expression | None], ...] = ()


class Const(NamedTuple):
    line: int
    value: object


class Name(NamedTuple):
    line: int
    name: str


class Attribute(NamedTuple):
    """`owner.key`, `owner[key]`, `owner.key(arguments)`."""

    line: int
    owner: Expression
    key: Expression
    arguments: tuple[Expression, ...] | None = None


class Call(NamedTuple):
    line: int
    name: str
    arguments: Arguments
    block: str | None = None


class Items(NamedTuple):
    line: int
    items: tuple[Expression, ...]


class Pairs(NamedTuple):
    line: int
    pairs: tuple[tuple[Expression, Expression], ...]


class Unary(NamedTuple):
    line: int
    operator: str
    operand: Expression


class Binary(NamedTuple):
    line: int
    operator: str
    left: Expression
    right: Expression


class Filter(NamedTuple):
    line: int
    operand: Expression
    name: str
    arguments: Arguments


class Test(NamedTuple):
    line: int
    operand: Expression
    name: str
    arguments: Arguments
    negated: bool


class Ternary(NamedTuple):
    line: int
    test: Expression
    then: Expression
    otherwise: Expression


Expression: TypeAlias = (
    Const | Name | Attribute | Call | Items | Pairs | Unary | Binary | Filter | Test | Ternary
)  # fmt: skip


class Text(NamedTuple):
    line: int
    text: str


class Print(NamedTuple):
    """`source` is what was written, delimiters and all: here and in every tag below."""

    line: int
    source: str
    value: Expression


class If(NamedTuple):
    line: int
    branches: tuple[tuple[str, Expression, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]


class For(NamedTuple):
    line: int
    source: str
    name: str
    iterable: Expression
    body: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]


class Set(NamedTuple):
    line: int
    source: str
    name: str
    value: Expression


class Macro(NamedTuple):
    line: int
    source: str
    name: str
    arguments: Arguments
    body: tuple[Statement, ...]


class Block(NamedTuple):
    line: int
    source: str
    name: str
    body: tuple[Statement, ...]


class FilterTag(NamedTuple):
    line: int
    source: str
    filters: tuple[tuple[int, str, Arguments], ...]
    body: tuple[Statement, ...]


Statement: TypeAlias = Text | Print | If | For | Set | Macro | Block | FilterTag
