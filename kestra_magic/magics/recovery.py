"""What a dead kernel left is told in the cell that loads the extension; what begins again is shown there."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError
from kestra_magic.magics.background import show_in_background
from kestra_magic.magics.binding import bind
from kestra_magic.magics.cell import beside
from kestra_magic.runs.kernels.recovery import recover as recovered
from kestra_magic.runs.session import session

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["recover"]


def recover(shell: InteractiveShell) -> None:
    """Deal with what dead kernels left: say so in one line, bind what had ended, begin again what asked for it."""
    beside(shell)
    found = recovered(session())
    if found.sentence:
        print(found.sentence)
    for run in (*found.finished, *found.again):
        with suppress(KestraMagicError):  # the notebook uses that name otherwise: `%kestra attach` says so
            bind(run.name, run, shell.user_ns)
    for run in found.again:
        show_in_background(shell, run, run.context.options, start=True)
