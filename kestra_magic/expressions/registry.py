"""The filters, tests and functions by the names that Kestra gives them and their arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["REGISTRY", "Registered", "Registry"]

F = TypeVar("F", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True)
class Registered:
    """A Python function and the names of its arguments in Kestra, in order, after its first parameter.

    Without names Pebble takes any arguments and looks at none of them, unless it is variadic.
    """

    function: Callable[..., Any]
    kind: str
    names: tuple[str, ...] | None
    variadic: bool = False

    @property
    def required(self) -> int:
        code = self.function.__code__
        return code.co_argcount - len(self.function.__defaults__ or ())

    def parameter(self, name: str) -> str:
        names = self.names or ()
        return str(self.function.__code__.co_varnames[1 + names.index(name)])


@dataclass(slots=True)
class Registry:
    filters: dict[str, Registered] = field(default_factory=dict)
    tests: dict[str, Registered] = field(default_factory=dict)
    functions: dict[str, Registered] = field(default_factory=dict)

    def filter(self, name: str, arguments: str | None = None, *, variadic: bool = False) -> Callable[[F], F]:
        """Register `value | name(arguments)`; *arguments* are Kestra's names, with blanks between."""
        return self._into(self.filters, "filter", name, arguments, variadic)

    def test(self, name: str) -> Callable[[F], F]:
        """Register `value is name`."""
        return self._into(self.tests, "test", name, None, False)

    def function(self, name: str, arguments: str | None = None, *, variadic: bool = False) -> Callable[[F], F]:
        """Register `name(arguments)`; the function's first parameter is the Evaluation."""
        return self._into(self.functions, "function", name, arguments, variadic)

    @staticmethod
    def _into(
        table: dict[str, Registered], kind: str, name: str, arguments: str | None, variadic: bool
    ) -> Callable[[F], F]:
        names = tuple(arguments.split()) if arguments else None

        def register(function: F) -> F:
            table[name] = Registered(function, kind, names, variadic)
            return function

        return register

    def unknown(self, what: str, name: str) -> tuple[str, str]:
        """Return Kestra's sentence for a name that is not there, and the nearest one that is."""
        known = {"Filter": self.filters, "Test": self.tests}.get(what, self.functions)
        return f"{what} [{name}] does not exist", _JINJA.get((what, name)) or did_you_mean(name, known)


REGISTRY = Registry()

_JINJA = {
    ("Filter", "tojson"): "; did you mean `toJson`?",
    ("Filter", "round"): "; use `numberFormat('#')`",
    ("Filter", "int"): "; use `number('INT')`",
    ("Filter", "float"): "; use `number('DOUBLE')`",
    ("Filter", "list"): "; it is Jinja2's, Kestra does not have it",
    ("Filter", "map"): "; it is Jinja2's: use `jq('.[].name')`",
    ("Filter", "items"): "; loop over the map itself: each entry has `.key` and `.value`",
    ("Test", "mapping"): "; did you mean `map`?",
    ("Test", "none"): "; did you mean `null`?",
}
