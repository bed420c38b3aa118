"""This kernel's helper processes. `%load_ext` warms them with nothing else of this room imported."""

from __future__ import annotations

import sys
from contextlib import suppress

if sys.platform == "win32":
    from kestra_magic.process.windows import Helpers
else:
    from kestra_magic.process.posix import Helpers

__all__ = ["helpers", "warm"]

helpers = Helpers()


def warm() -> None:
    """Begin to prepare for the first run, in the background; once is enough."""
    with suppress(OSError):  # whoever starts a run is told
        helpers.warm()
