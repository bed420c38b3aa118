"""Text that a person wrote: where it stands, what its YAML says on which line, and every problem at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError, did_you_mean_beside, refusal

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable, Mapping

__all__ = ["Document", "Path", "Place", "Problem", "Source", "SourceError", "load_yaml", "read_source"]

Path = tuple[str | int, ...]
"""The way to a value: keys of maps and indexes of lists."""

_TASK_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Source:
    """A text and where it was written.

    Attributes:
        name: empty for the person's own cell, else another cell's name or a file's.
        first_line: the number of the text's first line as the person counts: 2 for a cell below its magic line.
    """

    text: str
    name: str = ""
    first_line: int = 1

    def at(self, line: int) -> str:
        """Return where *line* (as the person counts) is: «line 7», «cell train, line 7», «flow.yaml, line 7»."""
        if not self.name:
            return f"line {line}"
        cell = "cell " if _TASK_ID.fullmatch(self.name) else ""
        return f"{cell}{self.name}, line {line}"

    def line(self, line: int) -> str:
        """Return the text of *line* (as the person counts); empty where there is none."""
        return dict(enumerate(self.text.split("\n"), self.first_line)).get(line, "")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; *line* as the person counts, None when it has none (it came from an option)."""

    line: int | None
    message: str


class SourceError(KestraMagicError):
    """What was written cannot be used: every problem on a line of its own, and the repaired text where there is one."""

    def __init__(self, source: Source, problems: Iterable[Problem], *, repaired: str = "") -> None:
        self.source = source
        self.problems = tuple(dict.fromkeys(problems))
        self.repaired = repaired
        lines = [p.message if p.line is None else f"{source.at(p.line)}: {p.message}" for p in self.problems]
        super().__init__("\n".join(lines) + (f"\n\n{repaired}" if repaired else ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return _source_error, (self.source, self.problems, self.repaired)


def _source_error(source: Source, problems: tuple[Problem, ...], repaired: str) -> SourceError:
    return SourceError(source, problems, repaired=repaired)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, in lines of the text from 0: its key (or item), its own first and last, its style."""

    key: int
    first: int
    last: int
    style: str = ""


@dataclass(frozen=True)
class Document:
    """The value of a YAML text (plain maps, lists and scalars, in order) and the line of each part."""

    source: Source
    value: Any
    places: Mapping[Path, Place] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """Return the line of the key or item at *path*, as the person counts; of what holds it if it has none."""
        place = self.place(path)
        last = self.source.text.count("\n")  # YAML knows line ends that no editor counts: U+0085, U+2028
        return self.source.first_line + min(place.key if place else 0, last)

    def text_line(self, path: Path, n: int) -> int:
        """Return the line on which the *n*-th line (from 0) of the text at *path* was written."""
        from kestra_magic.model.textlines import line_of

        place = self.places.get(path)
        if place is None:
            return self.line(path)
        value = self.at(path)
        return self.source.first_line + line_of(place, self.source.text, value if isinstance(value, str) else "", n)

    def place(self, path: Path) -> Place | None:
        """Return the place of the nearest thing to *path* that was written."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return None

    def at(self, path: Path) -> Any:
        """Return the value at *path*.

        Raises:
            LookupError, TypeError: there is none.
        """
        value = self.value
        for step in path:
            value = value[step]
        return value

    def within(self, *prefix: str | int) -> dict[Path, Place]:
        """Return the places as they are when this document stands at *prefix* of a larger one."""
        return {prefix + path: place for path, place in self.places.items()}


def read_source(path: pathlib.Path, name: str = "") -> Source:
    """Return the text of the file *path*; in messages it is called *name*.

    Raises:
        KestraMagicError: there is none, or it is no text.
    """
    called = name or path.name or str(path)
    try:
        return Source(path.read_text("utf-8-sig"), called)
    except FileNotFoundError:
        raise KestraMagicError(f"there is no file `{called}`{did_you_mean_beside(path)}") from None
    except OSError as error:
        raise KestraMagicError(f"`{called}` cannot be read: {refusal(error)}") from None
    except UnicodeDecodeError as error:
        raise KestraMagicError(f"`{called}` is not UTF-8 text (byte {error.start})") from None


def load_yaml(source: Source) -> Document:
    """Read YAML as Kestra does: duplicate keys are refused, dates and ``yes`` are texts.

    Raises:
        SourceError: it is no YAML; each problem with its line and, where it is known, the remedy.
    """
    from kestra_magic.model.reading import read

    return read(source)
