"""Runs that a cell does not wait for: each is shown in the cell that asked for it, for ever."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.magics.binding import bind_files
from kestra_magic.show.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from kestra_magic.runs.run import Run

__all__ = ["show_in_background"]


def show_in_background(shell: InteractiveShell, run: Run, options: Mapping[str, Any], *, start: bool) -> None:
    """Show *run* in the cell that runs now, also after that cell has ended; what its end binds is bound then.

    Args:
        start: it has not begun yet; one that has is shown from its beginning.
    """
    view = View(shell, run, background=True)
    view.header()

    def carry() -> None:
        try:
            run.follow(view.show, start=start, from_start=not start)
        finally:
            view.result()
        try:
            bind_files(options.get("bind", []), run, shell.user_ns)
        except KestraMagicError as error:
            view.cell.stream("stderr", f"{error}\n")

    # With the cell's context: else what it says reaches whatever cell runs then.
    threading.Thread(target=copy_context().run, args=(carry,), name=f"kestra-show-{run.name}", daemon=True).start()
