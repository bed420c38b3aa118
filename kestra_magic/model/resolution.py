"""What the values given for a flow's inputs become: typed, checked, what others depend on first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.scope import each_text
from kestra_magic.model import conversions
from kestra_magic.model.inputs import Choice, FileInput
from kestra_magic.model.property import is_template

if TYPE_CHECKING:
    from kestra_magic.model.inputs import Input

__all__ = ["MISSING", "InputsError", "RenderInput", "Upload", "resolve_inputs"]

RenderInput = Callable[[str, Mapping[str, Any]], Any]
"""The value of a template, given the inputs resolved so far; typed where it is a lone expression."""
Upload = Callable[[str, Any], str]
"""Stores what was given for the FILE input of this name; returns its URI."""

MISSING = "Missing required input:"  # Kestra 1.x's words, to which the id is put


class InputsError(KestraMagicError):
    """The given inputs do not fit: every problem on a line of its own."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def resolve_inputs(
    inputs: Iterable[Input], given: Mapping[str, Any], render: RenderInput, upload: Upload
) -> dict[str, Any]:
    """Return what expressions see as ``inputs``: converted, checked, ids with dots as nested maps.

    Dates and times are Python's (`datetime` in UTC), durations `timedelta`. Optional inputs without a value are None;
    inputs whose ``dependsOn`` does not hold are left out.

    Raises:
        InputsError: every problem, in Kestra 1.x's words.
    """
    resolver = _Resolver({declared.id: declared for declared in inputs}, given, render, upload)
    for name in resolver.declared:
        resolver.resolve(name)
    if resolver.problems:
        raise InputsError(resolver.problems)
    return resolver.nested()


class _Resolver:
    """Each input once, what it depends on first."""

    def __init__(
        self, declared: dict[str, Input], given: Mapping[str, Any], render: RenderInput, upload: Upload
    ) -> None:
        self.declared = declared
        self.problems: list[str] = []
        self._given = given
        self._render = render
        self._upload = upload
        self._values: dict[str, Any] = {}
        self._enabled: dict[str, bool] = {}

    def resolve(self, name: str) -> bool:
        """Resolve the input *name*; return whether it is enabled."""
        if name not in self._enabled:
            declared = self.declared[name]
            self._enabled[name] = False  # a cycle, refused when the flow was read, ends here
            self._enabled[name] = self._is_enabled(declared)
            if self._enabled[name]:
                self._take(declared)
        return self._enabled[name]

    def _is_enabled(self, declared: Input) -> bool:
        needs = declared.depends_on
        if needs is None:
            return True
        enabled = [self.resolve(name) for name in needs.inputs if name in self.declared]  # all, also after a False
        if not all(enabled):
            return False
        if needs.condition is None:
            return True
        try:
            return self._render(needs.condition, self.nested()) in (True, "true")
        except KestraMagicError as error:
            self._refuse(declared, f"Invalid condition: {error}")
            return False

    def _take(self, declared: Input) -> None:
        try:
            value = self._given[declared.id] if self._given.get(declared.id) is not None else self._default(declared)
            if value is None:
                if declared.required:
                    self.problems.append(f"{MISSING}{declared.id}")
                self._values[declared.id] = None
                return
            self._values[declared.id] = self._typed(self._with_choices(declared), value)
        except (ValueError, TimeoutError, KestraMagicError) as error:
            self._refuse(declared, str(error))

    def _typed(self, declared: Input, value: Any) -> Any:
        if isinstance(declared, FileInput):
            return value if declared.is_stored(value) else self._upload(declared.id, value)
        typed = declared.convert(value)
        declared.check(typed)
        return typed

    def _default(self, declared: Input) -> Any:
        return each_text(
            declared.defaults, lambda text: self._render(text, self.nested()) if is_template(text) else text
        )

    def _with_choices(self, declared: Input) -> Input:
        """Replace the `expression` of a choice by what it gives."""
        if not isinstance(declared, Choice) or declared.expression is None:
            return declared
        try:
            found = self._render(declared.expression, self.nested())
        except KestraMagicError as error:
            raise ValueError(f"Cannot render 'expression'. Cause: {error}") from None
        if isinstance(found, str):
            found = _list_in(found)
        if not isinstance(found, list):
            kind = "<null>" if found is None else type(found).__name__
            said = f"Invalid expression result. Expected a list of strings, but received {kind}"
            raise ValueError(said)
        values = tuple(conversions.to_text(item) for item in found if item is not None)
        return declared.model_copy(update={"values": values})

    def _refuse(self, declared: Input, cause: str) -> None:
        self.problems.append(f"Invalid value for input `{declared.id}`. Cause: {cause}")

    def nested(self) -> dict[str, Any]:
        """Return the values so far, ids with dots as nested maps."""
        root: dict[str, Any] = {}
        for name, value in self._values.items():
            *parents, last = name.split(".")
            level = root
            for key in parents:
                deeper = level.setdefault(key, {})
                if not isinstance(deeper, dict):
                    raise InputsError([f"Conflict at key: '{key}'. Map keys are: [{', '.join(level)}]"])
                level = deeper
            level[last] = value
        return root


def _list_in(text: str) -> Any:
    try:
        return conversions.to_json(text)
    except ValueError:
        return text
