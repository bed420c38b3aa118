"""What can go wrong in an expression: one sentence, its line, and the expression itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import KestraMagicError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

__all__ = ["ExpressionError", "ExpressionSyntaxError", "MissingError", "shorten"]


class ExpressionError(KestraMagicError):
    """Something in a template can not be evaluated.

    `sentence` says what, without its place; `line` is the line of the template, counted from 1; `expression` is
    the text between (and with) its delimiters, or None where no single one is to blame; `near` is the end of the
    sentence that offers something better, or nothing.
    """

    def __init__(self, what: str, *, expression: str | None = None, line: int = 1, near: str = "") -> None:
        self.what, self.expression, self.line, self.near = what, expression, line, near
        self._where: str | None = None
        super().__init__(what)

    @property
    def sentence(self) -> str:
        used = f" in the expression `{shorten(self.expression)}`" if self.expression else ""
        return f"{self.what}{used}{self.near}"

    @property
    def located(self) -> bool:
        return self.expression is not None

    def placed(self, expression: str | None, line: int) -> Self:
        """Say where it happened; what an inner text said of its own expression stands."""
        if not self.located:
            self.expression = expression
        self.line = line
        return self

    def at(self, where: str) -> Self:
        """Put *where* («line 7», «cell train, line 7») in front of the sentence, instead of the template's line."""
        self._where = where
        return self

    def __str__(self) -> str:
        return f"{self._where or f'line {self.line}'}: {self.sentence}"


class ExpressionSyntaxError(ExpressionError):
    """The template can not be read at all."""


class MissingError(ExpressionError):
    """A name that is not there: the one error that `??`, `???`, `default` and `is defined` catch.

    Kestra's `AttributeNotFoundException`.
    """

    _near: str | None

    def __init__(
        self, name: str, known: Iterable[object] | Callable[[], Iterable[object]] = (), note: str = ""
    ) -> None:
        self.name, self._known = name, known
        super().__init__(f"Unable to find `{name}` used")
        self._near = note or None

    @property
    def near(self) -> str:
        """Found when it is told: most of these errors are caught."""
        if self._near is None:
            known = self._known() if callable(self._known) else self._known
            self._near = did_you_mean(self.name, map(str, known))
        return self._near

    @near.setter
    def near(self, said: str) -> None:
        self._near = said


def shorten(text: str) -> str:
    """Return *text* on one line of at most 80 characters."""
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:79] + "…"
