"""Values that a person hands over on the magic line: inputs, environment, files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.expressions.render import render_typed
from kestra_magic.expressions.scope import Scope
from kestra_magic.model.source import Source, load_yaml
from kestra_magic.workspace.inputs import from_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


__all__ = ["again_inputs", "environment_given", "files_given", "flow_values", "inputs_given"]


def inputs_given(specs: Iterable[str], notebook: Mapping[str, object]) -> dict[str, Any]:
    """Read `-i K[=V]`: V is a YAML scalar (3 is a number, '3' text) or an expression; a bare K is the notebook's K.

    Raises:
        KestraMagicError: the notebook has no such name, or the expression fails.
    """
    return dict(_input(str(spec), notebook) for spec in specs)


def _input(spec: str, notebook: Mapping[str, object]) -> tuple[str, Any]:
    name, given, text = spec.partition("=")
    if not given:
        return name, _variable(name, notebook)
    if text.strip().startswith("{{"):
        return name, render_typed(text, Scope({}, notebook))
    return name, load_yaml(Source(text, f"-i {name}")).value if text.strip() else text


def _variable(name: str, notebook: Mapping[str, object]) -> object:
    if name not in notebook:
        raise KestraMagicError(f"the notebook has no variable `{name}`{did_you_mean(name, notebook)}")
    return Scope({}, notebook)[name]


def environment_given(specs: Iterable[str], notebook: Mapping[str, object]) -> dict[str, str]:
    """Read `-e K[=V]`: V is text, in which expressions are rendered; a bare K is the notebook's K."""
    pairs = [str(spec).partition("=") for spec in specs]
    if not all(name for name, _, _ in pairs):
        raise KestraMagicError("`-e` names no variable: write `-e NAME=value`")
    return {name: text if given else str(_variable(name, notebook)) for name, given, text in pairs}


def files_given(specs: Iterable[Any], beside: Path, notebook: Mapping[str, object]) -> dict[str, object]:
    """Read `-f [DEST=]SRC`: paths, folders and globs beside the notebook, its variables, bound runs."""
    files: dict[str, object] = {}
    for spec in specs:
        files |= from_option(str(spec), beside=beside, names=notebook)
    return files


def flow_values(options: Mapping[str, Any], notebook: Mapping[str, object]) -> dict[str, Any]:
    """Return what was given for a flow's inputs, not yet converted: text is read by the declared type."""
    given = options.get("inputs")
    return dict(given) if given is not None else dict(_flow_input(str(s), notebook) for s in options.get("input", []))


def again_inputs(specs: Iterable[str], notebook: Mapping[str, object], *, cell: bool) -> dict[str, Any]:
    """Read the `K=V` of a rerun as `-i` of a cell or of a flow would.

    Raises:
        KestraMagicError: the notebook has no such name, or an expression fails.
    """
    read = _input if cell else _flow_input
    return dict(read(spec, notebook) for spec in specs)


def _flow_input(spec: str, notebook: Mapping[str, object]) -> tuple[str, Any]:
    """In a flow, K=text is read by the declared type: the text itself is given."""
    name, given, text = spec.partition("=")
    if given and not text.strip().startswith("{{"):
        return name, text
    return _input(spec, notebook)
