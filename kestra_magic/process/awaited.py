"""Waits during which no interrupt stays unheard.

Python hears a signal between two steps of its main thread. One that comes when such a wait is about to begin, or that
the system gives to another thread, does not end it: whoever waits without end would never hear of it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Event

__all__ = ["STEP_SECONDS", "awaited"]

STEP_SECONDS = 0.1
"""How long an interrupt may stay unheard."""


def awaited(event: Event, seconds: float | None = None) -> bool:
    """Wait for *event*, at most so long; return whether it came."""
    if seconds is None:
        while not event.wait(STEP_SECONDS):
            pass
        return True
    until = time.monotonic() + seconds
    while not event.wait(max(0.0, min(STEP_SECONDS, until - time.monotonic()))):
        if time.monotonic() >= until:
            return False
    return True
