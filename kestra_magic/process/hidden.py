"""A secret has many faces: as it may be met in what a command writes."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["hidden_forms"]


def hidden_forms(values: tuple[str, ...]) -> set[bytes]:
    """Return *values* as they may be met: plain, in base64, quoted for URLs, escaped for JSON.

    In base64 also within a longer text, from four bytes on: what is certain of fewer could be anything.
    """
    found: set[bytes] = set()
    for value in values:
        plain = value.encode("utf-8", "surrogateescape")
        escaped = (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
        quoted = (quote(plain), quote(plain, safe=""), quote_plus(plain))
        found |= {plain, *(e.encode("utf-8", "surrogateescape") for e in (*escaped, *quoted)), *_in_base64(plain)}
    return found


def _in_base64(plain: bytes) -> Iterator[bytes]:
    """Three bytes become four characters: a text may hold it in three ways, less what its edges share."""
    yield base64.b64encode(plain)
    for lead in range(3):
        text = base64.b64encode(bytes(lead) + plain)
        core = text[(0, 2, 3)[lead] : (lead + len(plain)) * 8 // 6]
        if len(core) >= 4:
            yield from {core, core.replace(b"+", b"-").replace(b"/", b"_")}
