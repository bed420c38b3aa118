"""What in a text would be read as an expression."""

from __future__ import annotations

import regex

__all__ = ["hazards"]

_OPENERS = regex.compile(r"\{[{%#]")


def hazards(text: str) -> tuple[str, ...]:
    """Return the delimiters in *text* that open an expression, a tag or a comment, each once."""
    return tuple(dict.fromkeys(_OPENERS.findall(text)))
