"""When a failed attempt is tried again (``io.kestra.core.models.tasks.retrys``)."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kestra_magic.model.retry import Retry

__all__ = ["next_delay"]


def next_delay(retry: Retry, *, attempts: int, elapsed: float) -> float | None:
    """Return the seconds to wait before the next attempt; None when there is none.

    Args:
        attempts: how many have ended, the first included.
        elapsed: seconds since the first one started.
    """
    if retry.max_attempts is not None and attempts >= retry.max_attempts:
        return None
    delay = _interval(retry, attempts)
    limit = retry.max_duration
    return None if limit is not None and elapsed + delay > limit.total_seconds() else delay


def _interval(retry: Retry, attempts: int) -> float:
    """Kestra's «exponential» grows in a straight line, and its first retry comes at once (0.21 to 1.3)."""
    match retry.type:
        case "constant":
            return retry.interval.total_seconds()
        case "exponential":
            factor = math.floor(retry.delay_factor or 2)
            return min(retry.interval.total_seconds() * factor * (attempts - 1), retry.max_interval.total_seconds())
        case _:
            return random.uniform(retry.min_interval.total_seconds(), retry.max_interval.total_seconds())  # noqa: S311
