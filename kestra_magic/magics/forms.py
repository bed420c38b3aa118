"""`%%kestra_flow --form`: a form made from the flow's inputs; Run checks what was filled in and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kestra_magic.magics.cell import beside, carry, names_of
from kestra_magic.model.resolution import InputsError
from kestra_magic.runs.given import flow_values
from kestra_magic.runs.session import session
from kestra_magic.settings import current
from kestra_magic.show.cell import frontend
from kestra_magic.show.form import InputForm

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

    from kestra_magic.model.source import Source

__all__ = ["show_form"]


def show_form(
    shell: InteractiveShell, source: Source, options: Mapping[str, Any], name: str, home: Path | None = None
) -> None:
    """Show the form of a flow, filled in with what `-i` says; *home*: where its file lies.

    Raises:
        SourceError: the flow cannot be: every problem with its line.
    """
    flow = session().load(source, strict=bool(options.get("strict", current().strict)), name=name).flow
    rest = {key: value for key, value in options.items() if key not in ("form", "input")}

    def go(values: dict[str, Any]) -> None:
        here = beside(shell)
        try:
            given = {**rest, "inputs": values, "replace": True}
            run = session().flow(source, given, name=name, beside=here, notebook=names_of(shell), home=home)
        except InputsError as error:
            form.problems(error.problems)
            return
        carry(shell, run, rest)

    form = InputForm(flow.inputs, go, flow_values(options, names_of(shell)))
    shell.display_pub.publish(data=form.bundle(flow.id, frontend(shell)), metadata={})
