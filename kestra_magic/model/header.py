"""The `#|` lines at the top of a cell: YAML, taken out before the script runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kestra_magic.model.source import Document, Problem, Source, SourceError, load_yaml

if TYPE_CHECKING:
    from kestra_magic.model.source import Path

__all__ = ["FOREIGN", "Header", "split_header"]

_QUARTO = "label echo eval warning error message include output cache freeze layout panel column classes tags results"
_NBDEV = """export exporti exports export_and_show default_exp hide hide_input hide_output hide_line collapse eval_false
filter_stream exec_doc skip_showdoc skip_exec slow cuda dont_exec"""
FOREIGN = frozenset(_QUARTO.split()) | frozenset(_NBDEV.split())
"""Keys that Quarto and nbdev read; with a prefix (``fig-cap``) they are Quarto's too."""
_PREFIXES = ("fig-", "tbl-", "lst-", "code-", "layout-", "cell-", "html-")
_DIRECTIVE = re.compile(r"(?P<name>[a-z_]+)(?:\s+[\w.]+)*\s*$")
_LINE = re.compile(r"#\|(?P<yaml>.*)")


@dataclass(frozen=True, slots=True)
class Header:
    """The cell in two: *document* holds the properties of its `#|` lines, *body* the rest with its own line numbers.

    Attributes:
        foreign: the keys that belong to Quarto or nbdev; they are not in the document.
    """

    document: Document
    body: Source
    foreign: tuple[str, ...] = ()


def split_header(source: Source) -> Header:
    """Split the `#|` lines off the top of *source*.

    Raises:
        SourceError: they are no YAML, or no map of properties; an unquoted ``{{ }}`` is answered with its quoted form.
    """
    lines = source.text.split("\n")
    blank = next((n for n, line in enumerate(lines) if line.strip()), 0)
    end = blank
    while end < len(lines) and _LINE.match(lines[end]):
        end += 1
    if end == blank:
        return Header(Document(source, {}), source)
    body = Source("\n".join(lines[end:]), source.name, source.first_line + end)
    written, directives = _yaml(lines[blank:end])
    document = load_yaml(Source(written, source.name, source.first_line + blank))
    properties, foreign = _properties(document)
    return Header(Document(document.source, properties, document.places), body, (*directives, *foreign))


def _yaml(lines: list[str]) -> tuple[str, list[str]]:
    """Return the YAML of the `#|` lines, nbdev's directives (words without a colon) blanked, and these."""
    kept: list[str] = []
    directives: list[str] = []
    for line in lines:
        text = line[2:].rstrip("\r")
        text = text[1:] if text.startswith(" ") else text
        match = _DIRECTIVE.fullmatch(text)
        if match and match["name"] in FOREIGN:
            directives.append(match["name"])
            text = ""
        kept.append(text)
    return "\n".join(kept), directives


def _properties(document: Document) -> tuple[dict[str, Any], list[str]]:
    value = document.value
    if value is None:
        return {}, []
    if not isinstance(value, dict):
        path: Path = (0,) if isinstance(value, list) and value else ()
        problem = Problem(document.line(path), "`#|` lines are properties: `#| name: value`")
        raise SourceError(document.source, [problem])
    foreign = [key for key in value if _is_foreign(key, value[key])]
    return {key: value[key] for key in value if key not in foreign}, foreign


def _is_foreign(key: str, value: Any) -> bool:
    if key == "output":  # Quarto's takes false, true or asis; ours is the long form of -o
        return isinstance(value, bool) or value == "asis"
    return key in FOREIGN or key.startswith(_PREFIXES)
