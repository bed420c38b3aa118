"""Plain data → YAML that people like to read: block texts as blocks, comments where they were, quotes where needed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kestra_magic.model.scalars import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kestra_magic.model.source import Path

__all__ = ["comments_of", "yaml_text"]

_PLAIN = re.compile(r"[A-Za-z_/][\w ./@+=-]*", re.ASCII)
_WORDS = {"yes", "no", "on", "off", "y", "n", "true", "false", "null", "none"}
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")


def yaml_text(value: Any, *, comments: Mapping[Path, str] | None = None) -> str:
    """Return *value* (maps, lists, scalars) as YAML; *comments* stand above what lies at their path."""
    return "".join(f"{line}\n" for line in _lines(value, (), comments or {}))


def comments_of(text: str, lines: Mapping[int, Path]) -> dict[Path, str]:
    """Return the comments of a YAML *text*: those on a line of a path (from 0), or above it, are that path's."""
    found: dict[Path, str] = {}
    above: list[str] = []
    for n, line in enumerate(text.split("\n")):
        if line.lstrip().startswith("#"):
            above.append(line.strip().lstrip("#").strip())
        elif n in lines:
            beside = _COMMENT.search(line) if not re.search(r"[\"'|>]", line) else None
            said = [*above, *([beside[0].lstrip("#").strip()] if beside else [])]
            found |= {lines[n]: "\n".join(said)} if said else {}
            above = []
        elif line.strip():
            above = []
    return found


def _lines(value: Any, path: Path, comments: Mapping[Path, str]) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from (f"# {line}".rstrip() for line in comments.get((*path, key), "").splitlines())
            yield from _entry(f"{_scalar(str(key))}:", item, (*path, key), comments)
    elif isinstance(value, list | tuple) and value:
        for n, item in enumerate(value):
            yield from _item(item, (*path, n), comments)
    else:
        yield _inline(value)


def _entry(head: str, item: Any, path: Path, comments: Mapping[Path, str]) -> Iterator[str]:
    if isinstance(item, dict | list | tuple) and item:
        yield head
        yield from (f"  {line}" if line else "" for line in _lines(item, path, comments))
    elif isinstance(item, str) and _is_block(item):
        yield from _block(head, item)
    else:
        yield f"{head} {_inline(item)}"


def _item(item: Any, path: Path, comments: Mapping[Path, str]) -> Iterator[str]:
    if isinstance(item, str) and _is_block(item):
        yield from _block("-", item)
        return
    lines = list(_lines(item, path, comments))
    yield f"- {lines[0]}"
    yield from (f"  {line}" if line else "" for line in lines[1:])


def _is_block(text: str) -> bool:
    return "\n" in text and bool(text.strip()) and not _HIDDEN.search(text)


def _block(head: str, text: str) -> Iterator[str]:
    """A literal block; its first line says how deep it is where that cannot be seen."""
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    first = next(line for line in body.split("\n") if line)
    depth = "2" if first.startswith((" ", "\t")) or body.startswith("\n") else ""
    yield f"{head} |{depth}{('-', '')[ends] if ends < 2 else '+'}"
    yield from (f"  {line}" if line else "" for line in body.split("\n"))
    yield from [""] * (ends - 1)


def _inline(value: Any) -> str:
    if isinstance(value, str):
        return _scalar(value)
    if isinstance(value, dict | list | tuple):
        return "{}" if isinstance(value, dict) else "[]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return re.sub(r"^(-?\d+)e", r"\1.0e", str(value))  # without a point Kestra's parser takes it for a text


def _scalar(text: str) -> str:
    plainly = _PLAIN.fullmatch(text) and text == text.strip() and plain(text) == text
    if plainly and text.lower() not in _WORDS:
        return text
    quotable = not _HIDDEN.search(text) and "\n" not in text and "\t" not in text
    if quotable and "'" not in text and ('"' in text or "\\" in text):
        return f"'{text}'"
    return _double(text)


def _double(text: str) -> str:
    said = json.dumps(text, ensure_ascii=False)
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", said)
