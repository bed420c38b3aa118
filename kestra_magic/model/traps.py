"""YAML's traps: what looks like a text and is none. Each is named, with the line as it must be written."""

from __future__ import annotations

import re

__all__ = ["cut_comment", "explain", "line", "quote", "remedy"]

_LEAD = re.compile(r"(?P<lead>\s*(?:- +)*(?:[\w.$/-]+ *: +)?)(?P<text>.*)")
_ITEM = re.compile(r"(?P<lead>\s*(?:- +)*)(?P<text>.*)")
_INDICATORS = ("{{", "{%", "*", "&", "@", "`", "%", "!", ",", "]", "}", "?", ":", "'", '"', "[")
_INSIDE = re.compile(r"(?P<before>[\[{,]\s*(?:[\w.-]+:\s+)?)(?P<text>(?:\{\{.*?\}\}|[*&@`%])[^,\]}]*)")
_COLON = re.compile(r":(?:\s|$)")


def line(text: str, number: int) -> str:
    """Return line *number* (from 0) of *text*, or nothing."""
    lines = text.split("\n")
    return lines[number].rstrip("\r") if number < len(lines) else ""


def quote(text: str) -> str:
    """Return *text* as a quoted YAML text on one line."""
    if not re.search(r"[\"\\\t]", text):
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def remedy(written: str, *, whole: bool = False) -> str:
    """Return the sentence that says how the line *written* must be quoted; nothing if it has no trap.

    *whole*: all of a list's item is the text, its ``key:`` too.
    """
    match = (_ITEM if whole else _LEAD).match(written)
    if match is None:
        return ""
    text = match["text"].strip()
    if not text:
        return ""
    if (inside := _quoted_inside(text)) != text:
        return f"quote the text: `{match['lead'].lstrip()}{inside}`"
    if not text.startswith(_INDICATORS) and not _COLON.search(text):
        return ""
    if text[0] in "\"'" and text[-1] == text[0] and text.count(text[0]) == 2:
        return ""
    return f"quote the text: `{match['lead'].lstrip()}{quote(text)}`"


def _quoted_inside(text: str) -> str:
    """Return a list or map on one line with those of its texts quoted that need it."""
    if text[0] not in "[{" or text.startswith(("{{", "{%")):
        return text
    return _INSIDE.sub(lambda found: found["before"] + quote(found["text"].rstrip()), text)


def explain(text: str, number: int, said: str, context: str) -> str:
    """Return in a person's words what the parser *said* of line *number* (from 0)."""
    written = line(text, number)
    indent = written[: len(written) - len(written.lstrip())]
    if "\t" in indent and "cannot start any token" in said:
        return "a tab indents this line; YAML wants spaces"
    if "quoted scalar" in context:
        return "the quote that opens here is never closed; double it inside the text, or quote with the other kind"
    hint = remedy(written)
    if "mapping values are not allowed" in said:
        return f"`: ` makes this a map within a text; {hint or 'check the indentation of this line'}"
    if "block mapping" in context or "block collection" in context:
        if _closed_early(written):
            return "the quote closes before the text ends; double it inside the text, or quote with the other kind"
        return "this line is indented otherwise than its neighbours in the same map or list"
    if "a flow" in context and not (hint and _quotes(written)):
        return "a `,` or the closing bracket is missing in what begins here"
    if "could not find expected ':'" in said:
        return "a `key: value` was expected here; check the indentation, or quote the text"
    if hint:
        return f"YAML gives the first character of this text a meaning; {hint}"
    return f"is no YAML: {said}" + (f" {context}" if context else "")


def _quotes(written: str) -> bool:
    """Whether quoting helps: something that YAML reads otherwise stands there, and no mere bracket is open."""
    match = _LEAD.match(written)
    text = match["text"].strip() if match else ""
    return bool(text) and (text[0] not in "[{" or text.startswith(("{{", "{%")) or _quoted_inside(text) != text)


def _closed_early(written: str) -> bool:
    """Whether a quoted text goes on behind its closing quote: ``- 'it's'``."""
    match = _LEAD.match(written)
    return bool(match and re.match(r"(?:'[^']*'(?=[^\s'#,\]}:])|\"[^\"]*\"(?=[^\s\"#,\]}:]))", match["text"]))


def cut_comment(written: str, value: str) -> str:
    """Return the sentence about a text that ` #` cut off within its quotes: ``- echo "issue #12"``; else nothing."""
    if not any(value.count(q) % 2 for q in "\"'"):
        return ""
    match = _LEAD.match(written)
    if match is None or " #" not in match["text"]:
        return ""
    quoted = match["lead"].lstrip() + quote(match["text"].strip())
    return f"` #` begins a comment and cuts the text off: quote it: `{quoted}`"
