"""Environment files: `NAME=value`, as a shell and docker compose read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError, did_you_mean_beside

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DotenvError", "parse_dotenv", "read_dotenv"]

_BLANK = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*(?:#[^\n]*)?")
_NAME = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*")
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r"[^\n]*")
_REST = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$", "`": "`", "\n": ""}


class DotenvError(KestraMagicError):
    """A line that says nothing."""

    def __init__(self, name: str, line: int, problem: str) -> None:
        self.line = line
        super().__init__(f"`{name}`, line {line}: {problem}")


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the names and values of an environment file; nothing is substituted in them.

    Raises:
        DotenvError: a line is malformed.
        KestraMagicError: there is no such file, or it is not text.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise KestraMagicError(f"`{path}` is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise KestraMagicError(f"`{path}` cannot be read: {error.strerror}{did_you_mean_beside(path)}") from None
    return parse_dotenv(text, path.name)


def parse_dotenv(text: str, name: str = ".env") -> dict[str, str]:
    """Return the names and values that *text* gives; the last of a name counts.

    ``export`` and blanks around ``=`` are allowed; ``'…'`` is taken as it stands; in ``"…"`` ``\\n``, ``\\t``, ``\\"``
    and the like are escapes; both go over several lines. Of other values blanks at the ends and `` # comments`` go.

    Raises:
        DotenvError: a line is malformed.
    """
    text = text.replace("\r\n", "\n")
    values: dict[str, str] = {}
    at = _after_blanks(text, 0)
    while at < len(text):
        named = _NAME.match(text, at)
        if named is None:
            raise _problem(text, at, name, "write `NAME=value`")
        value, at = _value(text, named.end(), name)
        if "\0" in value:
            raise _problem(text, named.start(), name, "a value cannot hold a NUL")
        values[named[1]] = value
        at = _after_blanks(text, at)
    return values


def _after_blanks(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _value(text: str, at: int, name: str) -> tuple[str, int]:
    quote = text[at : at + 1]
    if quote not in ("'", '"') or not quote:
        bare = _BARE.match(text, at)
        assert bare is not None  # it matches nothing too
        return re.split(r"(?:^|[ \t])#", bare[0], maxsplit=1)[0].strip(), bare.end()
    quoted = (_SINGLE if quote == "'" else _DOUBLE).match(text, at)
    if quoted is None:
        raise _problem(text, at, name, f"the closing {quote} is missing")
    rest = _REST.match(text, quoted.end())
    if rest is None:
        raise _problem(text, quoted.end(), name, f"only a comment may follow the closing {quote}")
    value = quoted[1] if quote == "'" else re.sub(r"\\(.)", _unescaped, quoted[1], flags=re.DOTALL)
    return value, rest.end()


def _unescaped(escape: re.Match[str]) -> str:
    return _ESCAPES.get(escape[1], escape[0])


def _problem(text: str, at: int, name: str, problem: str) -> DotenvError:
    line = text.count("\n", 0, at) + 1
    return DotenvError(name, line, problem)
