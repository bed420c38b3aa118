"""What kernel, warden and guardian say to each other: one JSON object a line, so that any cut can be mended."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Frames", "pack"]


def pack(message: dict[str, Any]) -> bytes:
    """JSON escapes line ends and half characters: a message is one line of ASCII."""
    return json.dumps(message).encode() + b"\n"


class Frames:
    """Messages out of bytes that come in any pieces."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        first, *others = data.split(b"\n")
        self._rest.append(first)
        if not others:
            return []
        whole = [b"".join(self._rest), *others[:-1]]
        self._rest = [others[-1]]
        return [json.loads(line) for line in whole]
