"""Images, by the first bytes of their files: what they are and how large they would be when drawn."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["IMAGES", "Picture", "look"]

IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")
MOST_PIXELS = 40_000_000
"""Of one image. A few kilobytes of PNG can unpack to gigabytes in the browser."""
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))  # JPEG: start of frame


@dataclass(frozen=True, slots=True)
class Picture:
    mime: str
    width: int
    height: int

    @property
    def bomb(self) -> bool:
        return self.width * self.height > MOST_PIXELS

    @property
    def said(self) -> str:
        return f"{self.width:,} × {self.height:,} pixels"


def look(start: bytes) -> Picture | None:
    """Return what the beginning of a file says about its image; None if it is none of those a browser draws."""
    for magic, read in _READERS.items():
        if start.startswith(magic):
            try:
                picture = read(start)
            except struct.error:
                return None
            return picture if picture and picture.width > 0 and picture.height > 0 else None
    return None


def _png(start: bytes) -> Picture | None:
    return Picture("image/png", *struct.unpack_from(">II", start, 16)) if start[12:16] == b"IHDR" else None


def _gif(start: bytes) -> Picture:
    return Picture("image/gif", *struct.unpack_from("<HH", start, 6))


def _bmp(start: bytes) -> Picture:
    width, height = struct.unpack_from("<ii", start, 18)
    return Picture("image/bmp", width, abs(height))


def _webp(start: bytes) -> Picture | None:
    kind = start[12:16]
    if start[8:12] != b"WEBP":
        return None
    if kind == b"VP8X":
        width, height = (int.from_bytes(start[at : at + 3], "little") + 1 for at in (24, 27))
        return Picture("image/webp", width, height)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", start, 21)
        return Picture("image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    width, height = struct.unpack_from("<HH", start, 26)
    return Picture("image/webp", width & 0x3FFF, height & 0x3FFF)


def _jpeg(start: bytes) -> Picture | None:
    at = 2
    while at + 9 <= len(start) and start[at] == 0xFF:
        marker, length = start[at + 1], int.from_bytes(start[at + 2 : at + 4], "big")
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", start, at + 5)
            return Picture("image/jpeg", width, height)
        at += 2 + max(length, 2)
    return None


_READERS = {b"\x89PNG\r\n\x1a\n": _png, b"GIF8": _gif, b"BM": _bmp, b"RIFF": _webp, b"\xff\xd8": _jpeg}
