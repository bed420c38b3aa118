"""What a flow sees as ``inputs``: given or default, converted, checked, every problem at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kestra_magic.errors import did_you_mean
from kestra_magic.expressions.render import render_typed
from kestra_magic.expressions.scope import Scope
from kestra_magic.model.resolution import MISSING, InputsError, resolve_inputs
from kestra_magic.runs.given import flow_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kestra_magic.model.flow import Flow
    from kestra_magic.model.inputs import Input
    from kestra_magic.runs.context import Context

__all__ = ["flow_inputs", "hide_secrets", "value_at"]


def flow_inputs(
    flow: Flow,
    options: Mapping[str, Any],
    context: Context,
    notebook: Mapping[str, object],
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what a flow sees as ``inputs``: given by `-i`, else *before*, else their defaults; converted and checked.

    Raises:
        KestraMagicError: every missing or wrong one at once.
    """
    values = {**(before or {}), **flow_values(options, notebook)}
    known = [declared.id for declared in flow.inputs]
    for name in values:
        if name not in known:
            context.notices.append(
                f"input `{name}` was given but is not declared in the flow{did_you_mean(name, known)}"
            )

    def render_input(text: str, seen: Mapping[str, Any]) -> Any:
        return render_typed(text, Scope({**context.flow_roots(), "inputs": dict(seen)}), context.host)

    try:
        found = resolve_inputs(flow.inputs, values, render_input, context.upload)
    except InputsError as error:
        raise InputsError([*error.problems, *_how_to_give(error)]) from None
    hide_secrets(flow.inputs, found, context)
    return found


def hide_secrets(declared: Iterable[Input], inputs: Mapping[str, Any], context: Context) -> None:
    """Take the values of SECRET inputs for secrets."""
    for each in declared:
        value = value_at(inputs, each.id)
        if each.type == "SECRET" and isinstance(value, str):
            context.secrets.hide(value)


def value_at(inputs: Mapping[str, Any], name: str) -> Any:
    """Return the value of the input *name*: names with dots are nested maps in expressions."""
    value: Any = inputs
    for key in name.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _how_to_give(error: InputsError) -> list[str]:
    missing = [text.removeprefix(MISSING) for text in error.problems if text.startswith(MISSING)]
    them = "them" if len(missing) > 1 else "it"
    return [f"give {them} with {' '.join(f'`-i {name}=…`' for name in missing)}"] if missing else []
