"""The `#|` lines at the top of a cell: YAML, taken out before the script runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kestra_magic.model.source import Document, Problem, Source, SourceError, load_yaml

if TYPE_CHECKING:
    from kestra_magic.model.source import Path

__all__ = ["FOREIGN", "split_header"]

_QUARTO = "label echo eval warning error message include output cache freeze layout panel column classes tags results"
_NBDEV = """export exporti exports export_and_show default_exp hide hide_input hide_output hide_line collapse eval_false
filter_stream exec_doc skip_showdoc skip_exec slow cuda dont_exec"""
FOREIGN = frozenset(_QUARTO.split()) | frozenset(_NBDEV.split())
"""Keys that Quarto and nbdev read; with a prefix (``fig-cap``) they are Quarto's too."""
_PREFIXES = ("fig-", "tbl-", "lst-", "code-", "layout-", "cell-", "html-")
_DIRECTIVE = re.compile(r"(?P<name>[a-z_]+)(?:\s+[\w.]+)*\s*$")
_LINE = re.compile(r"#\|(?P<yaml>.*)")


def split_header(source: Source) -> tuple[Document, Source]:
    """Return the properties in the `#|` lines at the top of *source*, without others' keys, and what is below them.

    Raises:
        SourceError: they are no YAML, or no map of properties; an unquoted ``{{ }}`` is answered with its quoted form.
    """
    lines = source.text.split("\n")
    blank = next((n for n, line in enumerate(lines) if line.strip()), 0)
    end = blank
    while end < len(lines) and _LINE.match(lines[end]):
        end += 1
    if end == blank:
        return Document(source, {}), source
    body = Source("\n".join(lines[end:]), source.name, source.first_line + end)
    written = "\n".join(map(_yaml, lines[blank:end]))
    document = load_yaml(Source(written, source.name, source.first_line + blank))
    return Document(document.source, _properties(document), document.places), body


def _yaml(line: str) -> str:
    """Return the YAML of a `#|` line; a directive of nbdev (words without a colon) is none."""
    text = line[2:].rstrip("\r").removeprefix(" ")
    match = _DIRECTIVE.fullmatch(text)
    return "" if match and match["name"] in FOREIGN else text


def _properties(document: Document) -> dict[str, Any]:
    value = document.value
    if value is None:
        return {}
    if not isinstance(value, dict):
        path: Path = (0,) if isinstance(value, list) and value else ()
        problem = Problem(document.line(path), "`#|` lines are properties: `#| name: value`")
        raise SourceError(document.source, [problem])
    return {key: value[key] for key in value if not _is_foreign(key, value[key])}


def _is_foreign(key: str, value: Any) -> bool:
    if key == "output":  # Quarto's takes false, true or asis; ours is the long form of -o
        return isinstance(value, bool) or value == "asis"
    return key in FOREIGN or key.startswith(_PREFIXES)
