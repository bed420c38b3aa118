"""Java's regular expressions: patterns that a template gives run for a second at most."""

from __future__ import annotations

from functools import lru_cache

import regex

from .errors import ExpressionError
from .values import Array, bounded

__all__ = ["SECONDS", "matcher", "replace_all", "split"]

SECONDS = 1
LONGEST = 10_000
_POSIX = {
    "Lower": "[a-z]", "Upper": "[A-Z]", "ASCII": r"[\x00-\x7f]", "Alpha": "[A-Za-z]", "Digit": "[0-9]",
    "Alnum": "[A-Za-z0-9]", "Punct": r"[!-/:-@\[-`{-~]", "Graph": "[!-~]", "Print": "[ -~]", "Blank": r"[ \t]",
    "Cntrl": r"[\x00-\x1f\x7f]", "XDigit": "[0-9A-Fa-f]", "Space": r"[ \t\n\x0b\f\r]",
    "IsAlphabetic": r"\p{Alphabetic}", "IsLetter": r"\p{L}", "IsDigit": r"\p{Nd}", "IsUppercase": r"\p{Uppercase}",
    "IsLowercase": r"\p{Lowercase}", "IsPunctuation": r"\p{P}", "IsWhite_Space": r"\s",
}  # fmt: skip
_SPECIAL = regex.compile(r"\\Q(.*?)(?:\\E|$)|\\[pP]\{(\w+)\}|\\([hRZ])|\\.", regex.DOTALL)
_OTHERS = {
    "h": r"[ \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000]",
    "R": r"(?:\r\n|[\n-\r\x85\u2028\u2029])",
    "Z": r"(?=\n?\Z)",
}


@lru_cache(maxsize=200)
def matcher(pattern: str) -> regex.Pattern[str]:
    """Return Java's *pattern* compiled: `\\w \\d \\s \\b` are ASCII, `\\Q…\\E` and `\\p{Alpha}` are known."""
    if len(pattern) > LONGEST:
        raise ExpressionError(f"A regular expression of more than {LONGEST:,} characters is refused")
    try:
        return regex.compile(_SPECIAL.sub(_translated, pattern), regex.ASCII | regex.VERSION1)
    except (regex.error, RecursionError, OverflowError) as error:
        raise ExpressionError(f"`{pattern}` is no regular expression: {error}") from None


def _translated(found: regex.Match[str]) -> str:
    quoted, name, other = found.groups()
    if quoted is not None:
        return regex.escape(quoted)
    if name in _POSIX:
        inner = _POSIX[name]
        return inner if found.group()[1] == "p" else f"(?:(?!{inner})[\\s\\S])"
    return _OTHERS[other] if other else found.group()


def split(value: str, pattern: str, limit: int = 0) -> Array:
    """Java's `String.split`: no empty text of an empty match at the start, none at the end without a limit."""
    parts: list[str] = []
    start = 0
    for found in matcher(pattern).finditer(value, timeout=SECONDS):
        if 0 < limit <= len(parts) + 1:
            break
        if found.end() == 0 or (found.start() == found.end() == len(value)):
            continue
        parts.append(value[start : found.start()])
        start = found.end()
    parts.append(value[start:])
    while limit == 0 and len(parts) > 1 and not parts[-1]:
        parts.pop()
    return Array(parts if limit or len(parts) > 1 or parts[0] or not value else [])


_REFERENCE = regex.compile(r"\\(.)|\$\{(\w+)\}|\$(\d)|\$|\\", regex.DOTALL)


def replace_all(value: str, pattern: str, replacement: str) -> str:
    """Java's `String.replaceAll`: `$1` and `${name}` are groups, a backslash takes the next character as it is."""
    compiled = matcher(pattern)

    def expand(found: regex.Match[str]) -> str:
        return _REFERENCE.sub(lambda reference: _referred(found, reference), replacement)

    if len(replacement) * len(value) > 100_000:
        bounded(len(value) + len(replacement) * sum(1 for _ in compiled.finditer(value, timeout=SECONDS)))
    return compiled.sub(expand, value, timeout=SECONDS)


def _referred(found: regex.Match[str], reference: regex.Match[str]) -> str:
    plain, name, digit = reference.groups()
    if plain is not None:
        return plain
    if name is None and digit is None:
        raise ExpressionError(
            "Illegal group reference in the replacement: `$` needs a number, or a backslash before it"
        )
    try:
        return found.group(name or int(digit)) or ""
    except IndexError:
        raise ExpressionError(f"No group {name or digit} in the regular expression") from None
