"""What a benchmark says: a figure, and what it must hold."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["Figure"]


@dataclass(frozen=True)
class Figure:
    """One measure. *least* or *most* is what it must hold; without either it is only told.

    What was given up after *value* is marked `>`, what was compared with that `<`.
    """

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None
    mark: str = ""

    @property
    def holds(self) -> bool:
        if self.most is not None and (self.value > self.most or self.mark == ">"):
            return False
        return self.least is None or self.value >= self.least

    @property
    def digits(self) -> int:
        """Seconds and ratios are told to the hundredth."""
        return 2 if self.unit in ("s", "×") else 1

    def __str__(self) -> str:
        limit = f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}" if self.most is not None else ""
        verdict = "" if not limit else "holds" if self.holds else f"FALLS SHORT (load {os.getloadavg()[0]:.1f})"
        value = f"{self.mark} {self.value:,.{self.digits}f}".lstrip()
        return f"  {self.name:<58} {value:>12} {self.unit:<8} {limit:<12} {verdict}".rstrip()
