"""What a benchmark says: a figure, and what it must hold."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["Figure"]


@dataclass(frozen=True)
class Figure:
    """One measure. *least* or *most* is what it must hold; without either it is only told."""

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def holds(self) -> bool:
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    def __str__(self) -> str:
        limit = f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}" if self.most is not None else ""
        verdict = "" if not limit else "holds" if self.holds else f"FALLS SHORT (load {os.getloadavg()[0]:.1f})"
        return f"  {self.name:<58} {self.value:>12,.1f} {self.unit:<8} {limit:<12} {verdict}".rstrip()
