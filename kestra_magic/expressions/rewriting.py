"""Names in a template: which it takes from outside, where each stands, and the same text with others in their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .lexer import Kind, Lines, Token, tokenize
from .parser import CONSTANTS, parse
from .render import RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Use", "escaped", "rewritten", "uses"]

_OPENERS = ("{{", "{%", "{#")
_STARTS = {Kind.PRINT_START, Kind.EXECUTE_START}


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a template asks for a variable.

    Attributes:
        key: the first step below it, where that is a plain word or a text: `lr` of `inputs.lr` and `inputs['lr']`.
        tail: that step as it was written; empty where there is none.
        line: of the template, from 1.
    """

    name: str
    key: str | None
    tail: str
    start: int
    end: int
    line: int


def uses(text: str) -> list[Use]:
    """Return every use of a variable that the template does not set itself, in order.

    Raises:
        ExpressionError: it is no template.
    """
    if "{" not in text:
        return []
    text = RAW.sub(lambda raw: " " * len(raw.group()), text)
    parse(text)
    tokens = tokenize(text)
    asked, own = _names(tokens)
    lines = Lines(text)
    return [_use(text, tokens, at, lines) for at in asked if tokens[at].value not in own]


def rewritten(text: str, rename: Callable[[Use], str | None]) -> str:
    """Return *text* with another expression wherever *rename* gives one for a use and its first step.

    Raises:
        ExpressionError: it is no template.
    """
    made, at = [], 0
    for use in uses(text):
        instead = rename(use)
        if instead is not None:
            made += [text[at : use.start], instead]
            at = use.end
    return "".join([*made, text[at:]])


def escaped(text: str, passes: int = 1) -> str:
    """Return a template that gives *text* itself after so many renderings."""
    for _ in range(passes):
        pieces, at = [], 0
        while at < len(text):
            opener = text[at : at + 2]
            pieces.append(f"{{{{ '{opener}' }}}}" if opener in _OPENERS else text[at])
            at += 2 if opener in _OPENERS else 1
        text = "".join(pieces)
    return text


def _names(tokens: list[Token]) -> tuple[list[int], set[str]]:
    """Return where variables are asked for, and the names that the template sets itself."""
    asked: list[int] = []
    own: set[str] = set()
    for start, end in _blocks(tokens):
        at = start + 1
        if tokens[start].kind is Kind.EXECUTE_START:
            at, names = _tag(tokens, at, end)
            own |= names
        asked += [n for n in range(at, end) if _asks(tokens, n)]
    return asked, own


def _blocks(tokens: list[Token]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last token of each `{{ … }}` and `{% … %}`."""
    starts = [n for n, token in enumerate(tokens) if token.kind in _STARTS]
    for start in starts:
        ends = (n for n in range(start, len(tokens)) if tokens[n].kind in (Kind.PRINT_END, Kind.EXECUTE_END))
        yield start, next(ends)


def _tag(tokens: list[Token], at: int, end: int) -> tuple[int, set[str]]:
    """Return where a tag's expression begins, and the names that it sets."""
    tag = tokens[at].value
    if tag in ("for", "set"):
        return at + 3 if tag == "for" else at + 2, {str(tokens[at + 1].value)}
    if tag == "macro":
        return end, {str(token.value) for token in tokens[at + 1 : end] if token.kind is Kind.NAME}
    if tag in ("if", "elseif"):
        return at + 1, set()
    return end if tag != "filter" else at + 2, set()


def _asks(tokens: list[Token], at: int) -> bool:
    """Whether a name is a variable: not a step, a call, a filter, a test, or the name of an argument."""
    token, before, after = tokens[at], tokens[at - 1], tokens[at + 1]
    if token.kind is not Kind.NAME or token.value in CONSTANTS or before.value in (".", "|", "is", "is not"):
        return False
    if before.value == "not" and tokens[at - 2].value == "is":
        return False
    return not (after.kind is Kind.PUNCTUATION and after.value in ("(", "="))


def _use(text: str, tokens: list[Token], at: int, lines: Lines) -> Use:
    name, *rest = tokens[at : at + 4]
    key, end = _step(rest)
    end = end or name.end
    return Use(str(name.value), key, text[name.end : end], name.start, end, lines.of(name.start))


def _step(rest: list[Token]) -> tuple[str | None, int]:
    """Read `.key` or `['key']`; a call is no step."""
    if len(rest) > 2 and rest[0].value == "." and rest[1].kind is Kind.NAME and rest[2].value != "(":
        return rest[1].value, rest[1].end
    if len(rest) > 2 and rest[0].value == "[" and rest[1].kind is Kind.STRING and rest[2].value == "]":
        return rest[1].value, rest[2].end
    return None, 0
