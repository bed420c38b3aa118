"""A notebook without a kernel: cells are typed, run and bound, and what they left can be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kestra_magic.magics.arguments import parse
from kestra_magic.magics.binding import bind, bind_files
from kestra_magic.magics.options import FLOW, PROCESS
from kestra_magic.model.source import Source
from kestra_magic.runs.export.notebook import export
from kestra_magic.runs.request import Request
from kestra_magic.runs.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from kestra_magic.runs.export.notebook import Exported
    from kestra_magic.runs.flow.execution import FlowRun
    from kestra_magic.runs.run import Run

__all__ = ["Book"]

LIMIT = 120.0
"""Seconds after which a test gives up; no test asserts a time."""


class Book:
    """One notebook in *folder*; `names` are its variables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.session = Session(folder)
        self.names: dict[str, Any] = {}

    def cell(self, line: str, body: str) -> Run:
        """Run `%%kestra_process LINE`; a failed run is returned like any other."""
        name, options = parse("%%kestra_process", PROCESS, line)
        source = Source(body, first_line=2)
        request = Request(
            source=source, name=name or "_run", options=options, notebook=dict(self.names), beside=self.folder
        )
        run = self.session.cell(request).start().wait(LIMIT)
        bind(run.name, run, self.names)
        bind_files(run.context.options.get("bind", []), run, self.names)
        return run

    def flow(self, text: str, line: str = "") -> FlowRun:
        """Run `%%kestra_flow LINE`."""
        name, options = parse("%%kestra_flow", FLOW, line)
        made = self.session.flow(Source(text), options, name=name or "", beside=self.folder, notebook=self.names)
        return made.start().wait(LIMIT)

    def export(self, *names: str, target: Any = "1.3") -> Exported:
        space = self.folder / "_files"
        return export(
            self.session.runs, names, flow_id="book", namespace="company.team", namespace_files=space, target=target
        )

    def exported(self, line: str = "", target: str = "1.3") -> FlowRun:
        """Run what `export` gives, its namespace files placed where it says."""
        made = self.export(target=target)
        for name, what in made.files.items():
            path = self.folder / "_files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(what, bytes):
                path.write_bytes(what)
            elif what.resolve() != path.resolve():
                path.write_bytes(what.read_bytes())
        return self.flow(made.text, line)

    def outcomes(self) -> dict[str, Any]:
        """What the cells gave, the latest of each name, in a form that another run's can be compared with."""
        return {run.name: outcome(run) for run in self.session.runs if run.context.cell}


def outcome(run: Any) -> dict[str, Any]:
    files = {name: file.read_bytes() for name, file in run.files.items()}
    return {"vars": run.vars, "exit": run.exit_code, "out": run.stdout, "files": files}
