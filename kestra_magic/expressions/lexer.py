"""A template's text cut into tokens, by the rules of Pebble's `LexerImpl`."""

from __future__ import annotations

from bisect import bisect_right
from enum import Enum, auto
from typing import NamedTuple

import regex

from .errors import ExpressionSyntaxError

__all__ = ["BINARY", "SPACE", "UNARY", "Kind", "Lines", "Token", "tokenize", "unclosed"]

UNARY = {"not": 500, "+": 500, "-": 500}
BINARY = {
    "or": 10, "and": 15, "is": 20, "is not": 20, "contains": 20,
    "==": 30, "equals": 30, "!=": 30, ">": 30, "<": 30, ">=": 30, "<=": 30,
    "+": 40, "-": 40, "*": 60, "/": 60, "%": 60,
    "|": 100, "~": 110, "..": 120, "??": 120, "isIn": 120, "???": 120,
}  # fmt: skip

# What Java's Character.isWhitespace takes for white; its regular expressions know the first six alone.
SPACE = (
    "\t\n\x0b\f\r\x1c\x1d\x1e\x1f \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2008\u2009\u200a\u2028\u2029\u205f\u3000"
)
_S = r"[ \t\n\x0b\f\r]*"
_OPERATORS = "|".join(
    regex.escape(symbol) + (r"(?![a-zA-Z0-9_])" if symbol[-1].isalpha() else "")
    for symbol in sorted({*UNARY, *BINARY}, key=len, reverse=True)
)
_OPEN = regex.compile(r"\{\{|\{%|\{#")
_TRIM_BEFORE = regex.compile(r"-[ \t\n\x0b\f\r]+")
_TRIM_AFTER = regex.compile(_S + r"-(?:\}\}|%\}|#\})")
_VERBATIM = regex.compile(_S + "verbatim" + _S + r"-?%\}")
_END_VERBATIM = regex.compile(r"\{%(-)?" + _S + "endverbatim" + _S + r"(-)?%\}")
_CLOSE = {"{{": regex.compile(_S + r"-?\}\}"), "{%": regex.compile(_S + r"-?%\}")}
_END_INTERPOLATION = regex.compile(_S + r"\}")
_WHITE = regex.compile(f"[{SPACE}]*")
_STRING_PART = regex.compile(r'[^#"\\]*(?:(?:\\.|#(?!\{))[^#"\\]*)*', regex.DOTALL)
_NEWLINE = regex.compile("(?:\r\n|\n\r|[\r\n\x85\u2028\u2029])?")
_LINE_END = regex.compile(r"\r\n|\n|\r")
_WORD = regex.compile(
    rf"(?P<OPERATOR>{_OPERATORS})"
    r"|(?P<NAME>[\p{L}_][\p{L}\p{Nd}_]*)"
    r"|(?P<LONG>[0-9]+L)"
    r"|(?P<NUMBER>[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<PUNCTUATION>[()\[\]{}?:.,|=])"
    r"""|(?P<STRING>"[^#"\\]*(?:\\.[^#"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')"""
    r'|(?P<QUOTE>")',
    regex.DOTALL,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}


class Kind(Enum):
    TEXT = auto()
    PRINT_START = auto()
    PRINT_END = auto()
    EXECUTE_START = auto()
    EXECUTE_END = auto()
    OPERATOR = auto()
    NAME = auto()
    LONG = auto()
    NUMBER = auto()
    PUNCTUATION = auto()
    STRING = auto()
    INTERPOLATION_START = auto()
    INTERPOLATION_END = auto()
    EOF = auto()


class Token(NamedTuple):
    kind: Kind
    value: str | None
    start: int
    end: int


class Lines:
    """Which line an offset of a text is in, counted from 1."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    def of(self, offset: int) -> int:
        return bisect_right(self._starts, offset)


def tokenize(text: str, *, trim_newline: bool = False) -> list[Token]:
    """Return the tokens of *text*; raise ExpressionSyntaxError with the line where reading stopped."""
    return _Lexer(text, trim_newline).run()


def unclosed(text: str, start: int) -> bool:
    """Whether the `{{` or `{%` at *start* is followed by another one, or by the end, before it is closed."""
    close = text.find("}}" if text.startswith("{{", start) else "%}", start)
    opens = _OPEN.search(text, start + 2)
    return close < 0 or (opens is not None and opens.start() < close)


class _Lexer:
    def __init__(self, text: str, trim_newline: bool) -> None:
        self.text, self.at, self.trim_newline = text, 0, trim_newline
        self.tokens: list[Token] = []
        self.brackets: list[tuple[str, int]] = []
        self.opened = 0
        self.trim_next = False

    def run(self) -> list[Token]:
        while self.at < len(self.text):
            self._data()
        self._push(Kind.EOF, None, self.at)
        return self.tokens

    def _push(self, kind: Kind, value: str | None, start: int) -> None:
        self.tokens.append(Token(kind, value, start, self.at))

    def _fail(self, what: str, at: int) -> ExpressionSyntaxError:
        if unclosed(self.text, self.opened):
            what, at = f"`{self.text[self.opened : self.opened + 2]}` is opened and never closed", self.opened
        end = self.text.find("\n", at)
        source = self.text[self.opened : len(self.text) if end < 0 else end]
        return ExpressionSyntaxError(what, expression=source, line=Lines(self.text).of(at))

    # text between the delimiters

    def _data(self) -> None:
        start, found = self.at, _OPEN.search(self.text, self.at)
        text = self.text[start : found.start() if found else len(self.text)]
        self.at = found.end() if found else len(self.text)
        if self.trim_next:
            start += len(text) - len(text.lstrip(SPACE))
            text, self.trim_next = text.lstrip(SPACE), False
        if found is None:
            self._text(text, start)
            return
        if trim := _TRIM_BEFORE.match(self.text, self.at):
            text, self.at = text.rstrip(SPACE), trim.end()
        self._text(text, start)
        self.opened = found.start()
        if found.group() == "{#":
            self._comment()
        elif found.group() == "{%" and (verbatim := _VERBATIM.match(self.text, self.at)):
            self._verbatim(verbatim.end())
        else:
            self._code(found.group())

    def _text(self, text: str, start: int) -> None:
        if text:
            self.tokens.append(Token(Kind.TEXT, text, start, start + len(text)))

    def _comment(self) -> None:
        close = self.text.find("#}", self.at)
        if close < 0:
            line = Lines(self.text).of(self.opened)
            raise ExpressionSyntaxError("The comment that `{#` opens is never closed", line=line)
        comment = self.text[self.at : close]
        self.trim_next = comment.endswith("-") and comment[:-1].endswith(tuple(" \t\n\x0b\f\r"))
        self.at = self._after(close + 2)

    def _verbatim(self, start: int) -> None:
        start = self._after(start)
        end = _END_VERBATIM.search(self.text, start)
        if end is None:
            raise ExpressionSyntaxError("Unclosed verbatim tag", line=Lines(self.text).of(self.opened))
        text = self.text[start : end.start()]
        start += len(text) - len(text.lstrip(SPACE))
        text = text.strip(SPACE) if end.group(1) else text.lstrip(SPACE)
        self.trim_next = end.group(2) is not None
        self.at = self._after(end.end())
        self._text(text, start)

    def _after(self, end: int) -> int:
        newline = _NEWLINE.match(self.text, end) if self.trim_newline else None
        return newline.end() if newline else end

    # code between the delimiters

    def _code(self, opening: str) -> None:
        start, end = (Kind.PRINT_START, Kind.PRINT_END) if opening == "{{" else (Kind.EXECUTE_START, Kind.EXECUTE_END)
        self._push(start, None, self.opened)
        close = _CLOSE[opening]
        while self.at < len(self.text):
            if _TRIM_AFTER.match(self.text, self.at):
                self.trim_next = True
            if not self.brackets and (found := close.match(self.text, self.at)):
                at, self.at = self.at, found.end()
                self._push(end, self.text[self.at - 2 : self.at], at)
                self.at = self._after(self.at)
                return
            self._word()
        if self.brackets:
            bracket, at = self.brackets[-1]
            raise self._fail(f'Unclosed "{bracket}"', at)
        raise self._fail(f"`{opening}` is opened and never closed", self.opened)

    def _word(self) -> None:
        white = _WHITE.match(self.text, self.at)
        start = white.end() if white else self.at
        found = _WORD.match(self.text, start)
        if found is None:
            what = f"Unexpected character [{self.text[start]}]" if start < len(self.text) else "Unexpected end"
            raise self._fail(what, start)
        self.at = found.end()
        name, value = found.lastgroup, found.group()
        if name == "QUOTE":
            self._string(start)
            return
        if name == "PUNCTUATION":
            self._bracket(value, start)
        elif name == "STRING":
            value = value[1:-1].replace("\\" + value[0], value[0])
        elif name == "LONG":
            value = value[:-1]
        self._push(Kind[name or ""], value, start)

    def _bracket(self, character: str, at: int) -> None:
        if character in "([{":
            self.brackets.append((character, at))
        elif character in ")]}":
            if not self.brackets:
                raise self._fail(f'Unexpected "{character}"', at)
            opening, opened = self.brackets.pop()
            if _PAIRS[character] != opening:
                raise self._fail(f'Unclosed "{opening}"', opened)

    def _string(self, start: int) -> None:
        """Read a text in double quotes that holds `#{…}`."""
        self.brackets.append(('"', start))
        while self.at < len(self.text):
            at = self.at
            part = _STRING_PART.match(self.text, at)
            if self.text.startswith("#{", at):
                self.at += 2
                self._push(Kind.INTERPOLATION_START, None, at)
                self._interpolation(at)
            elif part and part.end() > at:
                self.at = part.end()
                self._push(Kind.STRING, part.group(), at)
            elif self.text[at] == '"':
                self.at += 1
                self.brackets.pop()
                return
            else:
                break
        raise self._fail("A text in double quotes is opened and never closed", start)

    def _interpolation(self, start: int) -> None:
        self.brackets.append(("#{", start))
        while self.at < len(self.text):
            end = _END_INTERPOLATION.match(self.text, self.at)
            if end and self.brackets[-1][0] == "#{":
                at, self.at = self.at, end.end()
                self.brackets.pop()
                self._push(Kind.INTERPOLATION_END, None, at)
                return
            self._word()
        raise self._fail('Unclosed "#{"', start)
