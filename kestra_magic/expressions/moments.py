"""Filters and functions of moments."""

from __future__ import annotations

__all__: list[str] = []
