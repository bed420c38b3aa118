"""What must not be seen is painted over: in texts, and in every text of plain data."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kestra_magic.expressions.scope import each_text
from kestra_magic.process.supervise import hidden_forms

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["forms", "painted"]


def forms(values: Iterable[str]) -> tuple[str, ...]:
    """Return the ways in which *values* may be met, the longest first."""
    return _forms(tuple(sorted({value for value in values if value})))


@lru_cache(maxsize=64)
def _forms(values: tuple[str, ...]) -> tuple[str, ...]:
    hidden = hidden_forms(values)
    return tuple(sorted((form.decode("utf-8", "surrogateescape") for form in hidden), key=len, reverse=True))


def painted(value: Any, hidden: Iterable[str]) -> Any:
    """Return *value* with each of *hidden* painted over."""

    def over(text: str) -> str:
        for each in hidden:
            text = text.replace(each, "*" * len(each))
        return text

    return each_text(value, over, keys=True)
