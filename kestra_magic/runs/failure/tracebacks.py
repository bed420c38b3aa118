"""The last error in what a program wrote, and its places said as lines of the cell."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from kestra_magic.runs.failure.backtraces import last_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Failure", "last_failure", "mapped", "plain"]

FRAMES = 12
LAST = 8
GROUP = 40
LONG = 500
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
_BAR = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)
_FRAME = re.compile(r"^  (?:\S.*, )?line \d+(?:, in .*)?$")
_GROUP = re.compile(r"^  \| (?P<error>\w*(?:\.\w+)*: .* \(\d+ sub-exceptions?\))$", re.MULTILINE)
_GROUP_BEGINS = "  + Exception Group Traceback (most recent call last):"
_DETECTED = re.compile(
    r"(?P<before>^  line \d+\n(?:    .*\n){0,2}\w+Error: .*(?:on|at) )line (\d+)(?=\)?$)", re.MULTILINE
)
_SYSTEM = re.compile(
    rf": (?:{'|'.join(sorted({re.escape(os.strerror(code)) for code in errno.errorcode}))}|not found)$"
)
"""How a command says what the system refused: of one that follows a traceback, that was not the last error."""
_SHELL_LINE = re.compile(r"^(?:/\S+/)?(?:da|ba|z|k)?sh: (?:line )?(\d+): ", re.MULTILINE)
_LIBRARY = re.compile(r'(?<=File ")[^"\n]*/(?:site-packages|dist-packages|lib/python3\.\d+)/')
_FOREIGN = re.compile(r'(?<=File ")/[^"\n]*/(?=[^"/\n]+")')


@dataclass(frozen=True, slots=True)
class Failure:
    """The last error: the lines that tell it, and one line that says it with its place."""

    text: str = ""
    sentence: str = ""


def plain(text: str) -> str:
    """Return *text* without colours, and bars as they stood last."""
    return _BAR.sub("", _ANSI.sub("", text).replace("\r\n", "\n"))


def mapped(text: str, script: str, where: Callable[[int], str], *, roots: Iterable[str] = ()) -> str:
    """Return *text* without ANSI; lines of *script* are said as *where* says them, and no path is absolute.

    Args:
        script: the script file's name; empty when the shell got the text as its argument.
        where: from a line's number (from 1) to its place in the cell, or to nothing.
        roots: folders that are known to all: they are left out.
    """
    text = plain(text)
    if script:
        text = _in_script(text, script, where)
    else:
        text = _SHELL_LINE.sub(lambda match: _said(where(int(match[1])), match, ": "), text)
    for root in roots:
        text = text.replace(f"{root}/", "")
    return _FOREIGN.sub("", _LIBRARY.sub("", text))


def _in_script(text: str, script: str, where: Callable[[int], str]) -> str:
    name = re.escape(script)
    python = re.compile(rf'File "[^"\n]*{name}", line (\d+)')
    # Tried at the beginning of a word only: a line of a million letters costs no more than reading it.
    others = re.compile(rf"(?<![^\s\"'(])[^\s\"'(]*{name}(?::|,? (?:on )?line )(\d+)(?::\d+)?")
    php = re.compile(rf"(?<=\s)\S*{name}\((\d+)\)")
    for pattern in (python, others, php):
        text = pattern.sub(lambda match: _said(where(int(match[1])), match), text)
    return _DETECTED.sub(lambda match: _said(f"{match['before']}{where(int(match[2]))}", match), text)


def _said(place: str, match: re.Match[str], end: str = "") -> str:
    return f"{place}{end}" if place else match[0]


def last_failure(text: str) -> Failure:
    """Return Python's last traceback in *text*, else what another language says before its frames, else the end."""
    if group := _last_group(text):
        return group
    lines = [_cut(line) for line in text.rstrip().split("\n")]
    frames = [number for number, line in enumerate(lines) if _FRAME.match(line)]
    end = _error_line(lines, frames[-1]) if frames else None
    if end is not None and not (end < len(lines) - 1 and _SYSTEM.search(lines[-1])):
        start = _first_line(lines, frames[-1])
        place = _place(lines[frames[-1]])
        return Failure(_shortened(lines[start : end + 1]), f"{place}{lines[end].strip()}")
    if other := last_error(lines):
        return Failure("\n".join(other[0]), other[1])
    last = [line for line in lines if line.strip()][-LAST:]
    return Failure("\n".join(last), last[-1].strip() if last else "")


def _last_group(text: str) -> Failure | None:
    """Python's errors that are several: told if nothing follows them."""
    start, errors = text.rfind(_GROUP_BEGINS), list(_GROUP.finditer(text))
    lines = [_cut(line) for line in text[max(0, start) :].rstrip().split("\n")]
    if start < 0 or not errors or not lines[-1].lstrip().startswith("+--"):
        return None
    frames = [line for line in (line.removeprefix("  | ") for line in lines) if _FRAME.match(line)]
    place = _place(frames[-1]) if frames else ""
    return Failure("\n".join(lines[:GROUP]), f"{place}{errors[-1]['error']}")


def _error_line(lines: list[str], frame: int) -> int | None:
    """The first line behind the last frame that is not indented; nothing else may follow it but its own notes."""
    return next((n for n in range(frame + 1, len(lines)) if lines[n][:1] not in ("", " ")), None)


def _first_line(lines: list[str], frame: int) -> int:
    while frame > 0 and lines[frame - 1].startswith(" "):
        frame -= 1
    return frame - 1 if frame > 0 and lines[frame - 1].startswith("Traceback ") else frame


def _shortened(lines: list[str]) -> str:
    """A deep recursion tells its beginning and its end."""
    starts = [number for number, line in enumerate(lines) if _FRAME.match(line)]
    if len(starts) <= FRAMES:
        return "\n".join(lines)
    first, last = starts[FRAMES // 2], starts[-FRAMES // 2]
    return "\n".join([*lines[:first], f"  … {len(starts) - FRAMES} more …", *lines[last:]])


def _cut(line: str) -> str:
    return line if len(line) <= LONG else f"{line[:LONG]}…"


def _place(frame: str) -> str:
    """«line 7: » of ``line 7, in main``; «train.py, line 7: » of a frame in another file."""
    told = frame.strip().partition(", in ")[0]
    match = re.fullmatch(r'File "(.*)", (line \d+)', told)
    return f"{PurePath(match[1]).name}, {match[2]}: " if match else f"{told}: "
