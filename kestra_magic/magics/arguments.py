"""The magic line: split as a shell splits words, then read as options."""

from __future__ import annotations

import argparse
import re
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from kestra_magic.errors import KestraMagicError, did_you_mean

if TYPE_CHECKING:
    from kestra_magic.magics.options import Option

__all__ = ["Parser", "UsageError", "first_word", "parse", "parser", "words"]

_PIECE = re.compile(
    r"""(?P<expression>\{\{.*?\}\})|'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)"|\\(?P<escaped>.)|(?P<plain>[^\s'"\\])"""
)
_OPEN = {
    "'": "a single quote is not closed",
    '"': "a double quote is not closed",
    "\\": "nothing follows the last backslash",
}


class UsageError(KestraMagicError):
    """What was typed on the magic line cannot be."""


def words(line: str) -> list[str]:
    """Split *line* as a shell does: quotes are removed, ``{{ … }}`` is one piece, `` # …`` is a comment.

    Raises:
        UsageError: a quote is not closed.
    """
    found: list[str] = []
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
        elif line[at] == "#":
            break
        else:
            word, at = _word(line, at)
            found.append(word)
    return found


def first_word(line: str) -> tuple[str, str]:
    """Split *line* into its first word, without its quotes, and the rest.

    Raises:
        UsageError: a quote is not closed.
    """
    line = line.strip()
    word, at = _word(line, 0)
    return word, line[at:].strip()


def _word(line: str, at: int) -> tuple[str, int]:
    word = ""
    while at < len(line) and not line[at].isspace():
        piece = _PIECE.match(line, at)
        if piece is None:
            raise UsageError(f"{_OPEN[line[at]]}: `{line[at:]}`")
        word += _text(piece)
        at = piece.end()
    return word, at


def _text(piece: re.Match[str]) -> str:
    if piece["double"] is not None:
        return re.sub(r'\\(["\\$`])', r"\1", piece["double"])
    return next(text for text in (*piece.groups(),) if text is not None)


class Parser(argparse.ArgumentParser):
    """No abbreviations, no exit; an unknown option is answered with the nearest."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


@cache
def parser(magic: str, options: tuple[Option, ...]) -> Parser:
    made = Parser(prog=magic, allow_abbrev=False, add_help=False, usage=f"{magic} [NAME] [options]")
    made.add_argument("name", nargs="?", metavar="NAME")
    for option in options:
        if not option.metavar:
            made.add_argument(*option.flags, action="store_true", help=option.help)
        elif option.repeats:
            made.add_argument(*option.flags, action="append", default=[], metavar=option.metavar, help=option.help)
        else:
            made.add_argument(*option.flags, metavar=option.metavar, help=option.help)
    return made


def parse(magic: str, options: tuple[Option, ...], line: str) -> tuple[str | None, dict[str, Any]]:
    """Return NAME (None if it was not given) and the options by their long names.

    Raises:
        UsageError: an unknown option, or one without its value.
    """
    line = line.strip()
    if line and not line.isidentifier():
        return _read(magic, options, line)
    given = _nothing(magic, options)  # what most cells say
    return line or None, {key: [] if value == [] else value for key, value in given.items()}


@cache
def _nothing(magic: str, options: tuple[Option, ...]) -> dict[str, Any]:
    return _read(magic, options, "")[1]


def _read(magic: str, options: tuple[Option, ...], line: str) -> tuple[str | None, dict[str, Any]]:
    known = [flag for option in options for flag in option.flags]
    found, rest = parser(magic, options).parse_known_args(_joined(words(line), options))
    if rest:
        word = rest[0].partition("=")[0]
        near = did_you_mean(word, known) if word.startswith("-") else ""
        said = f"there is no option `{word}`" if word.startswith("-") else f"`{word}` is one name too many"
        where = "%kestra help" if magic.startswith("%kestra ") else f"{magic}?"
        raise UsageError(f"{said}{near or f'; `{where}` lists the options'}")
    given = vars(found)
    name = given.pop("name")
    return name, {key.replace("_", "-"): value for key, value in given.items()}


def _joined(typed: list[str], options: tuple[Option, ...]) -> list[str]:
    """Bind each value to its option: a value may begin with a dash, as a shell's user would expect of ``-e X=-1``."""
    takes = {flag: option for option in options if option.metavar for flag in option.flags}
    joined: list[str] = []
    rest = iter(typed)
    for word in rest:
        if word not in takes:
            joined.append(word)
            continue
        value = next(rest, None)
        if value is None:
            raise UsageError(f"`{word}` needs a value: {takes[word].metavar}")
        joined.append(f"--{takes[word].long}={value}")
    return joined
