"""The last error of programs that are not Python: what they write behind it (frames, their version) tells nothing."""

from __future__ import annotations

import re

__all__ = ["last_error"]

FRAMES = 8
ABOVE = 8
"""Lines above an error in which JavaScript says its place."""
_NOISE = re.compile(
    r"""
    \s*                                                          # between the parts
    |\s+at\ .* | \s+\.\.\.\ \d+\ more                            # Node, Deno, Bun, Java, Groovy, .NET, Rust
    |\(Use\ `node\ .* | (?:Node\.js|Bun|Deno)\ v[\d.]+.* | Require\ stack: | -\ \S+\.[cm]?js
    |\s+from\ .* | >?\s*\d+\s+\|.* | \s+\|\s+[~^]+.*             # Ruby
    |\s*\#\d+\ .* | \s+thrown\ in\ .* | Stack\ trace:            # PHP
    |\s+(?:\[C\]|\S.*):\ in\ .* | stack\ traceback:              # Lua
    |goroutine\ \d+\ \[.*\]: | \t(?:line\ |\S+:)\d+(?:\ \+0x[0-9a-f]+)? | exit\ status\ \d+   # Go
    |Stacktrace: | \s+\[\d+\]\ .* | \s+@\ .* | in\ expression\ starting\ at\ .*   # Julia
    |Calls:\ .* | Execution\ halted                              # R
    |Execution\ of\ .*\ aborted.* | BEGIN\ failed--.*            # Perl
    |note:\ run\ with\ .*                                        # Rust
    |\s*[~^]+\s*                                                 # the mark below a line of source
    """,
    re.VERBOSE,
)
_MARK = re.compile(r"\s*[~^]+\s*")
_GO_CALL = re.compile(r"\S+\(.*\)(?: in goroutine \d+)?")
_OBJECT = re.compile(r"\s+at .* \{")
"""The last frame, when Node shows the error's own properties behind it, up to a `}`."""
_HEAD = re.compile(
    r"(?:\S+: )?(?:(?:Uncaught |Caught: |Caused by: )?[\w.$]*(?:Error|Exception)\b|(?:ERROR|panic|error): )"
)
_PLACE = re.compile(r"(?:\S+, )?\bline \d+\b")


def last_error(lines: list[str]) -> tuple[list[str], str] | None:
    """Return the lines that tell the last error, and one that says it with its place; None: no frames end *lines*."""
    end = _end(lines)
    if end in (0, len(lines)):
        return None
    head = _head(lines, end - 1)
    above = next((n for n in range(head - 1, max(-1, head - ABOVE), -1) if _PLACE.fullmatch(lines[n])), None)
    said = " ".join(line.strip() for line in lines[head : end if lines[head].rstrip().endswith(":") else head + 1])
    behind = [line for line in lines[end:] if line.strip()][:FRAMES]
    places = _PLACE.search("\n".join([said, *behind, *([] if above is None else [lines[above]])]))
    placed = said if places is None or _PLACE.search(said) else f"{places[0]}: {said}"
    return [*lines[head if above is None else above : end], *behind], placed


def _end(lines: list[str]) -> int:
    """How many lines are left without what stands behind the last error."""
    end = len(lines)
    while end and (left := _without_last(lines[:end])) < end:
        end = left
    return end


def _without_last(lines: list[str]) -> int:
    """How many are left without the last one, or without the part that it ends."""
    end, last = len(lines), lines[-1]
    if last == "}":
        return next((n for n in range(end - 1, -1, -1) if _OBJECT.fullmatch(lines[n])), end)
    if not _NOISE.fullmatch(last):
        return end
    called = last.startswith("\t") and end > 1 and _GO_CALL.fullmatch(lines[-2])
    return max(0, end - (2 if called or (last.strip() and _MARK.fullmatch(last)) else 1))


def _head(lines: list[str], last: int) -> int:
    """The line with which the error that ends at *last* begins: its message may have several."""
    for number in range(last, -1, -1):
        if _HEAD.match(lines[number]):
            return number
        if not lines[number].strip():
            break
    return last
