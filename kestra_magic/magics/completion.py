"""Tab in a cell magic: options on its line, properties and enumerations in its `#|` lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion

from kestra_magic.magics.help import VERBS
from kestra_magic.magics.options import FLOW, PROCESS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from IPython.core.completer import CompletionContext

__all__ = ["complete", "completions"]

OPTIONS = {"%%kestra_process": PROCESS, "%%kestra_flow": FLOW}
_KEY = r"(?:#\|\s*)?(?P<key>[\w-]*)$"
_VALUE = r"(?:#\|\s*)?(?P<key>[\w-]+):\s*(?P<value>[\w.-]*)$"
_ITEM = r"(?P<indent>\s*)(?P<dash>- )?\s*(?:type:\s*(?P<type>[\w.]+))?"


def complete(text: str, line: int) -> list[str]:
    """Return what may stand where the cursor is: at the end of *text*'s line number *line* (from 0)."""
    lines = text.split("\n")
    first, current = lines[0], lines[line]
    magic = first.split(maxsplit=1)[0] if first.strip() else ""
    if magic == "%kestra":
        return [verb for verb in VERBS if verb.startswith(current.split()[-1])] if current != "%kestra" else []
    if magic not in OPTIONS:
        return []
    if line == 0:
        return _options(magic, current)
    kind = _type_of(first) if magic == "%%kestra_process" else _type_around(lines, line)
    return _properties(magic, kind, current)


def _options(magic: str, current: str) -> list[str]:
    words = re.split(r"\s+", current)
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if before in ("-l", "--lang"):
        return _starting(last, _langs())
    if last.startswith("-"):
        return _starting(last, (flag for option in OPTIONS[magic] for flag in option.flags if flag.startswith("--")))
    return []


def _properties(magic: str, kind: str, current: str) -> list[str]:
    from kestra_magic.model.load import enumerations, property_names
    from kestra_magic.model.types import known_types

    if magic == "%%kestra_process" and not current.lstrip().startswith("#|"):
        return []
    if value := re.search(_VALUE, current):
        known = known_types() if value["key"] == "type" else enumerations(kind, value["key"])
        return _starting(value["value"], map(str, known))
    key = re.search(_KEY, current)
    return [f"{name}:" for name in _starting(key["key"] if key else "", property_names(kind))]


def _type_of(first: str) -> str:
    asked = re.search(r"(?:-l|--lang)[ =](\w+)", first)
    lang = asked[1] if asked and asked[1] not in ("bash", "zsh") else "shell"
    return f"io.kestra.plugin.scripts.{lang}.Script"


def _type_around(lines: list[str], line: int) -> str:
    """Return the type of the task whose property is being written; nothing for the flow's own."""
    depth = _depth(lines[line])
    for near in (*reversed(lines[1:line]), *lines[line + 1 :]):
        if _depth(near) < depth and near.strip():
            return ""
        if (item := re.match(_ITEM, near)) and item["type"] and _depth(near) == depth:
            return item["type"]
    return ""


def _depth(line: str) -> int:
    """Return where a line's key begins: behind the dash of a list item."""
    item = re.match(_ITEM, line)
    return len(item["indent"]) + (2 if item["dash"] else 0) if item else 0


def _langs() -> Iterable[str]:
    from kestra_magic.runs.request import LANGS

    return LANGS


def _starting(prefix: str, words: Iterable[str]) -> list[str]:
    return sorted(word for word in words if word.startswith(prefix))


def completions(context: CompletionContext) -> Any:
    """Return them as IPython's matchers do."""
    found = complete(context.full_text, context.cursor_line)
    return {"completions": [SimpleCompletion(word, type="keyword") for word in found], "suppress": bool(found)}
