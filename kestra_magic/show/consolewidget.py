"""The console's widget: its code and style as one text each, so that it needs no build, no server and no network."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import anywidget
import traitlets

__all__ = ["ConsoleWidget"]

WEB = Path(__file__).parent / "web"
SCRIPTS = (
    "dom",
    "ansi",
    "roll",
    "download",
    "log",
    "files",
    "preview",
    "values",
    "charts",
    "header",
    "tasks",
    "takeover",
    "console",
)


@cache
def script() -> str:
    return "\n".join((WEB / f"{name}.js").read_text("utf-8") for name in SCRIPTS)


class ConsoleWidget(anywidget.AnyWidget):
    """A model without a view: in the page it stands where the header of its run stands."""

    _esm = script()
    _css = (WEB / "console.css").read_text("utf-8")
    run_id = traitlets.Unicode().tag(sync=True)
    subshells = traitlets.Bool().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def hear_beside(self) -> None:
        """Let messages of the page be read while a cell runs.

        ipykernel 7.4 sends them to the shell that wrote last, which is the busy one; JupyterLab opened a subshell.
        """
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = lambda _data, default: default
