"""Tokens to a tree: precedence climbing and tags, by the rules of Pebble's `ParserImpl` and `ExpressionParser`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from . import tree
from .errors import ExpressionSyntaxError
from .lexer import BINARY, UNARY, Kind, Lines, Token, tokenize, unclosed
from .values import Long

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONSTANTS", "parse"]

T = TypeVar("T")

DEEPEST = 60
CONSTANTS = {"true": True, "TRUE": True, "false": False, "FALSE": False} | dict.fromkeys(
    ("null", "NULL", "none", "NONE")
)
RESERVED = {"true", "false", "null", "none"}


def parse(text: str, *, trim_newline: bool = False) -> tuple[tree.Statement, ...]:
    """Return the statements of *text*; raise ExpressionSyntaxError with its line."""
    return _Parser(text, tokenize(text, trim_newline=trim_newline)).run()


class _Parser:
    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text, self.tokens, self.at = text, tokens, 0
        self.lines = Lines(text)
        self.opened = 0
        self.depth = 0
        self.blocks: list[str] = []
        self.tags: dict[str, Callable[[Token], tree.Statement]] = {
            "if": self._if, "for": self._for, "set": self._set,
            "macro": self._macro, "block": self._block, "filter": self._filter_tag,
        }  # fmt: skip

    def run(self) -> tuple[tree.Statement, ...]:
        return self._body()

    # the stream

    @property
    def current(self) -> Token:
        return self.tokens[self.at]

    def _is(self, kind: Kind, *values: str) -> bool:
        token = self.tokens[self.at]
        return token.kind is kind and (not values or token.value in values)

    def _take(self, kind: Kind, value: str | None = None) -> Token:
        token = self.current
        if not self._is(kind, *([value] if value else [])):
            raise self._unexpected(token, value or kind.name.replace("_", " ").lower())
        self.at += 1
        return token

    def _accept(self, kind: Kind, value: str) -> bool:
        if self._is(kind, value):
            self.at += 1
            return True
        return False

    def _line(self, token: Token | None = None) -> int:
        return self.lines.of((token or self.current).start)

    def _source(self) -> str:
        """Return what was written from the last opening delimiter up to the token before this one."""
        return self.text[self.opened : self.tokens[self.at - 1].end]

    def _unexpected(self, token: Token, wanted: str = "") -> ExpressionSyntaxError:
        if token.kind is Kind.EOF:
            return self._fail("Unexpected end of the template", token)
        said = token.value or self.text[token.start : token.end]
        return self._fail(f"Unexpected `{said}`" + (f" where `{wanted}` should stand" if wanted else ""), token)

    def _fail(self, what: str, token: Token, near: str = "") -> ExpressionSyntaxError:
        line, start = self._line(token), self.opened
        if self.text.startswith(("{{", "{%"), start) and unclosed(self.text, start):
            what, line = f"`{self.text[start : start + 2]}` is opened and never closed", self.lines.of(start)
        end = max(self.text.find("}", token.start), token.end)
        source = self.text[start : end + 2] if token.kind is not Kind.EOF else self.text[start:]
        error = ExpressionSyntaxError(what, expression=source, line=line)
        error.near = near
        return error

    # statements

    def _body(self, *ends: str) -> tuple[tree.Statement, ...]:
        """Read statements up to the tag that is one of *ends*, whose name is then the current token."""
        self._deeper()
        found: list[tree.Statement] = []
        while not self._is(Kind.EOF):
            token = self.current
            self.at += 1
            if token.kind is Kind.TEXT:
                found.append(tree.Text(self._line(token), token.value or ""))
                continue
            self.opened = token.start
            if token.kind is Kind.PRINT_START:
                line, value = self._line(token), self._expression()
                self._take(Kind.PRINT_END)
                found.append(tree.Print(line, self._source(), value))
                continue
            if not self._is(Kind.NAME):
                raise self._fail("A block must start with a tag name", self.current)
            if self._is(Kind.NAME, *ends) and ends:
                break
            found.append(self._tag())
        self.depth -= 1
        return tuple(found)

    def _tag(self) -> tree.Statement:
        name = self.current
        tag = self.tags.get(name.value or "")
        if tag is None:
            raise self._fail(f'Unexpected tag name "{name.value}"', name, _TAG_HINTS.get(name.value or "", ""))
        self.at += 1
        return tag(name)

    def _end(self, tag: Token, *names: str) -> str:
        """Take the tag that ends a body, or say which one is missing, at the line of the tag that opened it."""
        if not self._is(Kind.NAME, *names):
            looked = " or ".join(f'"{name}"' for name in names)
            raise self._fail(f"Unexpected end of template: `{{% {tag.value} %}}` needs the tag {looked}", tag)
        return self._take(Kind.NAME).value or ""

    def _if(self, tag: Token) -> tree.If:
        line, branches = self._line(tag), []
        otherwise: tuple[tree.Statement, ...] = ()
        end = "elseif"
        while end == "elseif":
            condition = self._expression()
            self._take(Kind.EXECUTE_END)
            source = self._source()
            branches.append((source, condition, self._body("elseif", "else", "endif")))
            end = self._end(tag, "elseif", "else", "endif")
        if end == "else":
            self._take(Kind.EXECUTE_END)
            otherwise = self._body("endif")
            self._end(tag, "endif")
        self._take(Kind.EXECUTE_END)
        return tree.If(line, tuple(branches), otherwise)

    def _for(self, tag: Token) -> tree.For:
        name = self._new_name()
        self._take(Kind.NAME, "in")
        iterable = self._expression()
        self._take(Kind.EXECUTE_END)
        source, body = self._source(), self._body("else", "endfor")
        otherwise: tuple[tree.Statement, ...] = ()
        if self._end(tag, "else", "endfor") == "else":
            self._take(Kind.EXECUTE_END)
            otherwise = self._body("endfor")
            self._end(tag, "endfor")
        self._take(Kind.EXECUTE_END)
        return tree.For(self._line(tag), source, name, iterable, body, otherwise)

    def _set(self, tag: Token) -> tree.Set:
        name = self._new_name()
        self._take(Kind.PUNCTUATION, "=")
        value = self._expression()
        self._take(Kind.EXECUTE_END)
        return tree.Set(self._line(tag), self._source(), name, value)

    def _macro(self, tag: Token) -> tree.Macro:
        name = self._take(Kind.NAME).value or ""
        arguments = self._arguments(defining=True)
        self._take(Kind.EXECUTE_END)
        source, body = self._source(), self._body("endmacro")
        self._end(tag, "endmacro")
        self._take(Kind.EXECUTE_END)
        return tree.Macro(self._line(tag), source, name, arguments, body)

    def _block(self, tag: Token) -> tree.Block:
        name = self._take(Kind.STRING if self._is(Kind.STRING) else Kind.NAME).value or ""
        self._take(Kind.EXECUTE_END)
        self.blocks.append(name)
        source, body = self._source(), self._body("endblock")
        self.blocks.pop()
        self._end(tag, "endblock")
        if self._is(Kind.NAME, name) or self._is(Kind.STRING, name):
            self.at += 1
        self._take(Kind.EXECUTE_END)
        return tree.Block(self._line(tag), source, name, body)

    def _filter_tag(self, tag: Token) -> tree.FilterTag:
        filters = [self._invocation()]
        while self._accept(Kind.OPERATOR, "|"):
            filters.append(self._invocation())
        self._take(Kind.EXECUTE_END)
        source, body = self._source(), self._body("endfilter")
        self._end(tag, "endfilter")
        self._take(Kind.EXECUTE_END)
        return tree.FilterTag(self._line(tag), source, tuple(filters), body)

    # expressions

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self._fail(f"The template is nested deeper than {DEEPEST} levels", self.current)

    def _expression(self, lowest: int = 0) -> tree.Expression:
        self._deeper()
        left = self._operand()
        while (operator := self.current).kind is Kind.OPERATOR and BINARY.get(operator.value or "", -1) >= lowest:
            self.at += 1
            left = self._binary(operator.value or "", left, self._line(operator))
        if lowest == 0 and self._accept(Kind.PUNCTUATION, "?"):
            line, then = self._line(), self._expression()
            self._take(Kind.PUNCTUATION, ":")
            left = tree.Ternary(line, left, then, self._expression())
        self.depth -= 1
        return left

    def _binary(self, operator: str, left: tree.Expression, line: int) -> tree.Expression:
        if operator == "|":
            return tree.Filter(self._line(), left, *self._invocation()[1:])
        if operator in ("is", "is not"):
            return tree.Test(self._line(), left, *self._invocation()[1:], negated=operator == "is not")
        return tree.Binary(line, operator, left, self._expression(BINARY[operator] + 1))

    def _invocation(self) -> tuple[int, str, tree.Arguments]:
        name = self._take(Kind.NAME)
        arguments = self._arguments() if self._is(Kind.PUNCTUATION, "(") else tree.Arguments()
        return self._line(name), name.value or "", arguments

    def _operand(self) -> tree.Expression:
        token, line = self.current, self._line()
        if token.kind is Kind.OPERATOR and token.value in UNARY:
            self.at += 1
            return tree.Unary(line, token.value, self._expression(UNARY[token.value]))
        if self._accept(Kind.PUNCTUATION, "("):
            inner = self._expression()
            self._take(Kind.PUNCTUATION, ")")
            return self._postfix(inner)
        if self._accept(Kind.PUNCTUATION, "["):
            return tree.Items(line, tuple(self._listed("]", self._expression)))
        if self._accept(Kind.PUNCTUATION, "{"):
            return tree.Pairs(line, tuple(self._listed("}", self._pair)))
        return self._postfix(self._atom(token, line))

    def _listed(self, end: str, item: Callable[[], T]) -> list[T]:
        items: list[T] = []
        while not self._accept(Kind.PUNCTUATION, end):
            if items:
                self._take(Kind.PUNCTUATION, ",")
            items.append(item())
        return items

    def _pair(self) -> tuple[tree.Expression, tree.Expression]:
        key = self._expression()
        self._take(Kind.PUNCTUATION, ":")
        return key, self._expression()

    def _atom(self, token: Token, line: int) -> tree.Expression:
        value = token.value or ""
        match token.kind:
            case Kind.NAME:
                self.at += 1
                if value in CONSTANTS:
                    return tree.Const(line, CONSTANTS[value])
                if self._is(Kind.PUNCTUATION, "("):
                    return self._call(value, line)
                return tree.Name(line, value)
            case Kind.LONG:
                self.at += 1
                return self._whole(token, value, line)
            case Kind.NUMBER:
                self.at += 1
                return tree.Const(line, float(value)) if "." in value else self._whole(token, value, line)
            case Kind.STRING | Kind.INTERPOLATION_START:
                return self._text(line)
        raise self._unexpected(token)

    def _whole(self, token: Token, digits: str, line: int) -> tree.Const:
        if len(digits.lstrip("0")) > 19 or int(digits) >= 2**63:
            raise self._fail(f"The number {digits[:40]} is beyond 64 bits", token)
        return tree.Const(line, Long(digits))

    def _call(self, name: str, line: int) -> tree.Expression:
        block = self.blocks[-1] if self.blocks else None
        return tree.Call(line, name, self._arguments(), block)

    def _text(self, line: int) -> tree.Expression:
        """Read a text, or one with `#{…}`: literal parts and expressions in turn, joined."""
        parts: list[tree.Expression] = []
        literal = False
        while True:
            if self._is(Kind.STRING) and not literal:
                parts.append(tree.Const(self._line(), self._take(Kind.STRING).value))
                literal = True
            elif self._is(Kind.INTERPOLATION_START):
                self.at += 1
                parts.append(self._expression())
                self._take(Kind.INTERPOLATION_END)
                literal = False
            else:
                break
        joined = parts[0]
        for part in parts[1:]:
            joined = tree.Binary(line, "~", joined, part)
        return joined

    def _postfix(self, node: tree.Expression) -> tree.Expression:
        while True:
            line = self._line()
            if self._accept(Kind.PUNCTUATION, "."):
                key = self._take(Kind.NAME)
                arguments = self._arguments() if self._is(Kind.PUNCTUATION, "(") else None
                if arguments and arguments.named:
                    raise self._fail("Can not use named arguments when calling a bean method", key)
                name = tree.Const(self._line(key), key.value)
                node = tree.Attribute(self._line(key), node, name, arguments.positional if arguments else None)
            elif self._accept(Kind.PUNCTUATION, "["):
                node = tree.Attribute(line, node, self._expression())
                self._take(Kind.PUNCTUATION, "]")
            elif self._is(Kind.PUNCTUATION, "("):
                raise self._unexpected(self.current)
            else:
                return node

    def _arguments(self, *, defining: bool = False) -> tree.Arguments:
        self._take(Kind.PUNCTUATION, "(")
        positional: list[tree.Expression] = []
        named: list[tuple[str, tree.Expression | None]] = []
        while not self._is(Kind.PUNCTUATION, ")"):
            if positional or named:
                self._take(Kind.PUNCTUATION, ",")
            following = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
            if defining:
                name = self._new_name()
                named.append((name, self._expression() if self._accept(Kind.PUNCTUATION, "=") else None))
            elif following.kind is Kind.PUNCTUATION and following.value == "=":
                name = self._new_name()
                self.at += 1
                named.append((name, self._expression()))
            elif named:
                raise self._fail("Positional arguments must be declared before any named arguments", self.current)
            else:
                positional.append(self._expression())
        self.at += 1
        return tree.Arguments(tuple(positional), tuple(named))

    def _new_name(self) -> str:
        name = self._take(Kind.NAME)
        if name.value in RESERVED:
            raise self._fail(f"Can not assign a value to {name.value}", name)
        return name.value or ""


_TAG_HINTS = (
    {
        "elif": "; in Kestra it is written `elseif`",
        "raw": "; in Kestra `{% raw %}…{% endraw %}` works on one line only, `{% verbatim %}` on several",
    }
    | dict.fromkeys(
        ("include", "import", "from", "extends", "embed", "cache", "flush", "parallel", "autoescape"),
        "; Kestra switches this tag off",
    )
    | dict.fromkeys(("with", "do", "call", "trans", "continue", "break"), "; it is Jinja2's, Pebble does not have it")
)
