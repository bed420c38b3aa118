"""What in a text would be read as an expression though another language meant it, and how to write it instead."""

from __future__ import annotations

from typing import TypeVar

import regex

from .errors import ExpressionError, ExpressionSyntaxError, MissingError
from .parser import parse
from .render import RAW
from .rewriting import uses
from .tree import Call, Print

__all__ = ["constant", "explained", "hazards", "literal", "swallowed"]

E = TypeVar("E", bound=ExpressionError)

_OPENERS = regex.compile(r"\{[{%#]")
_VERBATIM = regex.compile(r"\{%-?\s*verbatim\s*-?%\}.*?\{%-?\s*endverbatim\s*-?%\}", regex.DOTALL)
_LENGTH = regex.compile(r"\$\{#[^}\n]*\}?")
_F_STRING = regex.compile(r"""(?<![A-Za-z0-9_])(?:[rR]?[fF]|[fF][rR])(['"])""")
_CALL = regex.compile(r"\w\s*\(")


def hazards(text: str) -> tuple[str, ...]:
    """Return the delimiters in *text* that open an expression, a tag or a comment, each once."""
    return tuple(dict.fromkeys(_OPENERS.findall(text)))


def constant(expression: str) -> bool:
    """Whether what an expression gives is written in it: it names no variable and calls nothing."""
    try:
        statements = parse(expression)
        if uses(expression):
            return False
    except ExpressionError:
        return False
    return all(isinstance(s, Print) and not isinstance(s.value, Call) for s in statements) and not _CALL.search(
        expression
    )


def literal(opener: str, *, twice: bool = False) -> str:
    """Return what is to be written so that *opener* itself stands in the rendered text."""
    return f"""{{{{ "{{{{ '{opener}' }}}}" }}}}""" if twice else f"{{{{ '{opener}' }}}}"


def swallowed(text: str) -> list[tuple[str, int]]:
    """Return each `${#name}` that a template reads as the beginning of a comment, with its line from 1."""
    seen = _VERBATIM.sub(_blank, RAW.sub(_blank, text))
    return [(found.group(), text.count("\n", 0, found.start()) + 1) for found in _LENGTH.finditer(seen)]


def _blank(found: regex.Match[str]) -> str:
    return str(regex.sub(r"[^\n]", " ", found.group()))


def explained(error: E, text: str, *, twice: bool = False) -> E:
    """Add to *error* what the braces at its place look like, and what to write where they mean themselves.

    *twice* says that a server renders *text* two times: what shall be left must then be nested.
    """
    wrong = isinstance(error, (ExpressionSyntaxError, MissingError))
    at = _place(error, text) if wrong else -1
    if at >= 0 and (said := _looks_like(error, text, at)):
        opener = text[at : at + 2]
        error.near += f"; {said}: write `{literal(opener, twice=twice)}` for `{opener}`, or run the cell with `--raw`"
    return error


def _place(error: ExpressionError, text: str) -> int:
    """Return where the delimiter stands that *error* is about, -1 if that is not known."""
    start = sum(map(len, text.splitlines(keepends=True)[: error.line - 1]))
    source = (error.expression or "").partition("\n")[0]
    if not error.expression and isinstance(error, ExpressionSyntaxError):
        return text.find("{#", start)  # of a comment that is never closed there is no end to be told
    if not _OPENERS.match(source):
        return -1
    found = text.find(source, start)
    return found if found >= 0 else text.rfind(source, 0, start)


def _looks_like(error: ExpressionError, text: str, at: int) -> str:
    opener = text[at : at + 2]
    line = text[text.rfind("\n", 0, at) + 1 : (text + "\n").index("\n", at)]
    before = text[text.rfind("\n", 0, at) + 1 : at]
    if opener == "{#" and before.endswith("$"):
        found = _LENGTH.match(text, at - 1)
        return f"`{found.group() if found else '${#'}` is the shell's length of a variable, but `{{#` opens a comment"
    if opener == "{{" and regex.match(r"\{\{-?\s*(\.|range\b|json\b|end\b|with\b|template\b|if\b)", text[at:]):
        return f"`{_up_to(text, at)}` is a template of Go (Docker, kubectl, Helm), but `{{{{` opens an expression"
    if opener == "{{" and (_F_STRING.search(before) or text.startswith("{{{", at)):
        return f"in `{_up_to(text, at)}` the braces are those of an f-string, but `{{{{` opens an expression"
    if isinstance(error, ExpressionSyntaxError):
        kind = {"{{": "an expression", "{%": "a tag", "{#": "a comment"}[opener]
        return f"if `{opener}` in `{line.strip()[:60]}` shall stay as it is: it opens {kind}"
    return ""


def _up_to(text: str, at: int) -> str:
    end = regex.search(r"\}\}+|\n|$", text, pos=at)
    return text[at : end.end() if end else len(text)].rstrip("\n")[:60]
