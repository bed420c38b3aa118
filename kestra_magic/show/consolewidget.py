"""The console's widget: its code and style as one text each, so that it needs no build, no server and no network."""

from __future__ import annotations

import uuid
from collections import deque
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ConsoleWidget"]

MOST_OPEN = 64
_open: deque[ConsoleWidget] = deque()
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
    "runs",
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
    comm_id = traitlets.Unicode().tag(sync=True)
    subshells = traitlets.Bool().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    @classmethod
    def opened(
        cls,
        key: str,
        state: Mapping[str, Any],
        asked: Callable[[Mapping[str, Any]], tuple[dict[str, Any], list[bytes]]],
    ) -> ConsoleWidget:
        """Return one that stands where *key* is in the page; *asked* answers what the page asks, in any thread."""
        comm = uuid.uuid4().hex
        widget = cls(model_id=comm, comm_id=comm, run_id=key, subshells=_subshells(), state=dict(state))
        widget._hear_beside()
        widget.on_msg(lambda _, message, __: widget._answer(message, *asked(message)))
        _open.append(widget)
        while len(_open) > MOST_OPEN:
            _open.popleft().close()  # its cell shows the static card again
        return widget

    def _answer(self, message: Mapping[str, Any], answer: Mapping[str, Any], buffers: list[bytes]) -> None:
        if "id" in message:
            self.send({"t": "reply", **answer, "id": message["id"]}, buffers)

    def _hear_beside(self) -> None:
        """Let messages of the page be read while a cell runs.

        ipykernel 7.4 sends them to the shell that wrote last, which is the busy one; JupyterLab opened a subshell.
        """
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = lambda _data, default: default


def _subshells() -> bool:
    """Whether this kernel reads the page's messages while a cell runs."""
    from IPython.core.getipython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return bool(getattr(kernel, "_supports_kernel_subshells", False))
