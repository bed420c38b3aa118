"""Waits during which no interrupt stays unheard.

Python hears a signal between two steps of its main thread. One that comes when such a wait is about to begin, or that
the system gives to another thread, does not end it: whoever waits without end would never hear of it.
"""

from __future__ import annotations

import math
import time
from threading import current_thread, main_thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Event

__all__ = ["awaited", "step_seconds"]

STEP_SECONDS = 0.1
"""How long an interrupt may stay unheard."""


def step_seconds() -> float | None:
    """Return how long one wait may last in this thread; None: as long as it takes, for no signal is heard in it."""
    return STEP_SECONDS if current_thread() is main_thread() else None


def awaited(event: Event, seconds: float | None = None) -> bool:
    """Wait for *event*, at most so long; return whether it came."""
    step = step_seconds()
    if step is None:
        return event.wait(seconds)
    until = math.inf if seconds is None else time.monotonic() + seconds
    while not event.wait(max(0.0, min(step, until - time.monotonic()))):
        if time.monotonic() >= until:
            return False
    return True
