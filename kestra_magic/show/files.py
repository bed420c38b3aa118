"""What is in a file, at a glance: never more than a glance costs, and a sentence where there is nothing to see."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from kestra_magic.show.images import IMAGES, look
from kestra_magic.show.tables import TABLES, Glance, Limits, NoTable, counted, glance

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Limits", "Preview", "preview", "size", "why"]

LANGUAGES = {
    ".py": "python", ".js": "javascript", ".ts": "typescript", ".sh": "shell", ".r": "r", ".jl": "julia", ".sql": "sql",
    ".yml": "yaml", ".yaml": "yaml", ".toml": "toml", ".html": "html", ".svg": "xml", ".xml": "xml", ".md": "markdown",
    ".css": "css", ".rb": "ruby", ".go": "go", ".rs": "rust", ".java": "java", ".c": "c", ".ipynb": "json",
}  # fmt: skip
JSON_BYTES = 1 << 20
LOOK_BYTES = 256 << 10
_HEX_BYTES = 256
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What is shown of one file; *said* tells how much of it that is, or why there is nothing.

    Attributes:
        text: of the kinds text, json and hex; *language* is for highlighting.
        table: of the kind table.
        data, mime: of the kind image; no data if there are more than the limit.
    """

    kind: Literal["text", "json", "hex", "table", "image", "none"] = "none"
    said: str = ""
    text: str = ""
    language: str = ""
    table: Glance | None = None
    data: bytes = b""
    mime: str = ""


def preview(path: Path, limits: Limits = Limits()) -> Preview:
    """Return what can be seen of *path*; whatever is wrong with it is said in the preview.

    Memory is bounded by *limits*, whatever the size of the file.
    """
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for its writer
            return Preview(said="a folder" if stat.S_ISDIR(mode) else "not a regular file")
        return _preview(path, limits)
    except (OSError, ValueError) as error:  # ValueError: a name that holds a null
        return Preview(said=why(error))


def size(count: int) -> str:
    """Return a number of bytes as a person reads it: 512 bytes, 1.2 KB, 3.4 GB."""
    from humanize import naturalsize  # when the first file is shown

    return naturalsize(count).replace("kB", "KB").replace("Byte", "byte")


def why(error: Exception) -> str:
    """Return why a file cannot be read: «it …»."""
    if isinstance(error, FileNotFoundError):
        return "it is no longer there"
    if isinstance(error, PermissionError):
        return "it may not be read"
    return f"it cannot be read: {getattr(error, 'strerror', None) or error}"


def _preview(path: Path, limits: Limits) -> Preview:
    suffix = path.suffix.lower()
    whole = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(JSON_BYTES + 1 if suffix == ".json" else LOOK_BYTES)
    if not start:
        return Preview(said="empty")
    if suffix in TABLES:
        return _table(path, start, whole, limits)
    if suffix in IMAGES:
        return _image(path, start, whole, limits)
    return _json(start, limits) if suffix == ".json" and whole <= JSON_BYTES else _plain(path, start, whole, limits)


def _table(path: Path, start: bytes, whole: int, limits: Limits) -> Preview:
    try:
        table = glance(path, limits)
    except NoTable as error:
        return _with(str(error), _plain(path, start, whole, limits))
    return Preview(kind="table", said=table.said, table=table)


def _image(path: Path, start: bytes, whole: int, limits: Limits) -> Preview:
    picture = look(start)
    if picture is None:
        return _with("it is no image, or a broken one", _plain(path, start, whole, limits))
    if picture.bomb:
        return Preview(said=f"{picture.said}: too large to be shown")
    if whole > limits.image_bytes:
        return Preview(kind="image", said=picture.said, mime=picture.mime)
    with open(path, "rb") as file:
        return Preview(kind="image", said=picture.said, data=file.read(whole), mime=picture.mime)


def _json(start: bytes, limits: Limits) -> Preview:
    text = _decoded(start) or start.decode("utf-8", "replace")
    try:
        value = json.loads(text)
        pretty = json.dumps(value, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError) as error:
        why = error.args[0] if isinstance(error, ValueError) else "too many levels"
        return _with(f"it is not JSON: {why}", _text(text, True, limits, "json"))
    laid_out = _text(pretty, True, limits, "json")
    cut = f"; {laid_out.said}" if len(laid_out.text) < len(pretty) else ""
    return replace(laid_out, kind="json", said=f"{_kind(value)}{cut}")


def _kind(value: object) -> str:
    if isinstance(value, (dict, list)):
        return counted(len(value), "key" if isinstance(value, dict) else "item")
    return "one value"


def _plain(path: Path, start: bytes, whole: int, limits: Limits) -> Preview:
    text = _decoded(start)
    if text is None:
        said = "all of it" if whole <= _HEX_BYTES else f"first {_HEX_BYTES} of {whole:,} bytes"
        return Preview(kind="hex", said=said, text=_hex(start[:_HEX_BYTES]))
    return _text(text, len(start) >= whole, limits, LANGUAGES.get(path.suffix.lower(), ""))


def _text(text: str, complete: bool, limits: Limits, language: str) -> Preview:
    shown = text[: limits.text_chars]
    if complete and len(shown) == len(text):
        lines = text.count("\n") + (not text.endswith("\n"))
        return Preview(kind="text", said=counted(lines, "line"), text=text, language=language)
    shown = shown[: shown.rfind("\n") + 1] or shown
    said = f"first {counted(max(1, shown.count(chr(10))), 'line')}"
    return Preview(kind="text", said=said, text=shown, language=language)


def _with(why: str, rest: Preview) -> Preview:
    return replace(rest, said=f"{why}; {rest.said}" if rest.said else why)


def _decoded(start: bytes) -> str | None:
    """Return the beginning of a text; None if these are no characters."""
    encoding = next((name for bom, name in _BOMS.items() if start.startswith(bom)), "utf-8")
    if encoding != "utf-16" and b"\0" in start:
        return None
    try:
        return start.decode(encoding)
    except UnicodeDecodeError as error:
        cut = error.start >= len(start) - 3  # a character that the window cuts
        return start[: error.start].decode(encoding) if cut and error.start else None


def _hex(data: bytes) -> str:
    rows = (data[at : at + 16] for at in range(0, len(data), 16))
    return "\n".join(f"{16 * n:06x}  {row.hex(' '):<47}  {_printable(row)}" for n, row in enumerate(rows))


def _printable(row: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in row)
