"""A progress bar in what a program writes: how far it is, and how long it takes yet."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kestra_magic.show.ansi import ESCAPE

__all__ = ["Bar", "bar_of"]

TEXT_CHARS = 120


@dataclass(frozen=True, slots=True)
class Bar:
    """How far something is.

    Attributes:
        fraction: 0 to 1; None where the program does not say of how much.
        remaining: seconds; None where it does not say.
    """

    fraction: float | None
    text: str
    remaining: float | None = None


_CLOCK = r"(?:(?:\d+:)?\d+:\d\d|\d+(?:\.\d+)?\s?s|\d+m\s?\d+s|\d+h\s?\d+m|--:--|\?)"
_DRAWN = r"[█▉▊▋▌▍▎▏━╸╺░▒▓#=>\-+.*o·∙ ]"
_TQDM = re.compile(rf"^(?P<text>.*?):?\s*(?P<percent>\d+(?:\.\d+)?)%\|.*\[.*?<(?P<left>{_CLOCK})")
_PIP = re.compile(
    rf"^(?P<text>.*?)\s*[━╸╺]{{3,}}\s*(?P<done>[\d.]+)/(?P<whole>[\d.]+)\s*\w?B(?:.*?eta\s*(?P<left>{_CLOCK}))?"
)
_RICH = re.compile(rf"^(?P<text>.*?)\s*[━╸╺]{{3,}}\s*(?P<percent>\d+)%(?:\s+(?P<left>{_CLOCK}))?")
_CURL = re.compile(
    r"^\s*(?P<percent>\d{1,3})\s+[\d.]+[kMGTP]?\s+\d+\s+[\d.]+[kMGTP]?(?:\s+\d+){2}\s+\S+\s+\S+\s+"
    rf"(?:{_CLOCK}\s+){{2}}(?P<left>{_CLOCK})"
)
_CURL_BAR = re.compile(r"^#*[#=O-]*\s+(?P<percent>\d{1,3}\.\d)%$")
_WGET = re.compile(r"^(?P<text>\S+)?\s*(?P<percent>\d{1,3})%\s*\[[=> ]*\].*?(?:eta\s+(?P<left>(?:\d+[dhms]\s?)+))?\s*$")
_GIT = re.compile(r"^(?P<text>(?:remote: )?[A-Z][\w ]+):\s+(?P<percent>\d{1,3})% \((?P<done>\d+)/(?P<whole>\d+)\)")
_KERAS = re.compile(
    rf"^(?P<done>\d+)/(?P<whole>\d+)\s+(?:\[{_DRAWN}+\]|[━]{{3,}})\s*-?\s*(?:ETA:\s*)?(?P<left>{_CLOCK})?"
)
_PLAIN = re.compile(rf"^(?P<text>.*?)[\[|]?{_DRAWN}{{4,}}[\]|]?\s*(?P<percent>\d{{1,3}}(?:\.\d+)?)\s?%")
_FORMS = (_TQDM, _PIP, _RICH, _GIT, _KERAS, _WGET, _CURL, _CURL_BAR, _PLAIN)
_TQDM_OPEN = re.compile(r"^(?P<text>.*?):?\s*\d+(?:it|B|[kMG])?\w* \[\d+:\d\d(?::\d\d)?, ")


def bar_of(line: str) -> Bar | None:
    """Return the bar that *line* draws; None if it draws none.

    Known: tqdm, pip, rich, curl, wget, git, Keras, and what draws a line of blocks with a percentage.
    """
    text = ESCAPE.sub("", line).rpartition("\r")[2].rstrip() or ESCAPE.sub("", line).strip()
    for form in _FORMS:
        if found := form.match(text):
            return _bar(found)
    return Bar(None, text[:TEXT_CHARS]) if _TQDM_OPEN.match(text) else None


def _bar(found: re.Match[str]) -> Bar | None:
    said = found.groupdict()
    whole = float(said.get("whole") or 0)
    fraction = float(said["percent"]) / 100 if said.get("percent") else float(said["done"]) / whole if whole else None
    if fraction is None or fraction > 1:
        return None
    text = (said.get("text") or "").strip(" :|[-") or (f"{said['done']}/{said['whole']}" if whole else "")
    return Bar(fraction, text[:TEXT_CHARS], _seconds(said.get("left") or "") if fraction < 1 else None)


def _seconds(clock: str) -> float | None:
    """Return what `1:02:03`, `02:03`, `5s`, `1m 5s` or `2h3m` is in seconds."""
    if ":" in clock:
        parts = clock.split(":")
        return (
            sum(int(part) * 60**n for n, part in enumerate(reversed(parts))) if all(map(str.isdigit, parts)) else None
        )
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    given = re.findall(r"(\d+(?:\.\d+)?)\s?([dhms])", clock)
    return sum(units[unit] * float(amount) for amount, unit in given) if given else None
