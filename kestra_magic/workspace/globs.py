"""Java's globs: what `outputFiles` and `namespaceFiles` mean by `*`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Matches = Callable[[str], bool]

__all__ = ["GlobError", "Matches", "chosen", "java_glob", "path_matcher"]

_LINE_END = "\\n\\r\\x85\\u2028\\u2029"  # what `.` does not match in Java


class GlobError(KestraMagicError):
    """A pattern that Java refuses (``PatternSyntaxException``)."""

    def __init__(self, pattern: str, problem: str) -> None:
        self.pattern = pattern
        super().__init__(f"pattern `{pattern}`: {problem}")


def java_glob(pattern: str) -> Matches:
    """Return whether a relative name (``/`` between folders) matches.

    ``*`` stays within one folder and also matches a leading dot; ``**`` crosses folders, ``**/x`` needs at least one;
    ``?``, ``[ab]``, ``[!a]``, ``{txt,csv}``; upper and lower case differ.
    Source: ``sun.nio.fs.Globs`` as ``LocalWorkingDir.findAllFilesMatching`` uses it.

    Raises:
        GlobError: it is malformed.
    """
    return _full(pattern, _Translation(pattern.removeprefix("/")).regex())


def path_matcher(pattern: str, base: str | None = None) -> Matches:
    """Return whether an absolute path matches; ``glob:`` and ``regex:`` patterns are taken as they are.

    Any other is below *base*; without one, it may lie in any folder if it begins with a word character.
    Source: ``PathMatcherPredicate``.
    """
    if pattern.startswith("regex:"):
        return _full(pattern, pattern.removeprefix("regex:"))
    if pattern.startswith("glob:"):
        return _full(pattern, _Translation(pattern.removeprefix("glob:")).regex())
    if base is not None:
        return _full(pattern, re.escape(base + "/") + _Translation(pattern.removeprefix("/")).regex())
    return _full(pattern, _Translation(f"**/{pattern}" if re.match(r"[A-Za-z0-9_]", pattern) else pattern).regex())


def chosen(include: Iterable[str], exclude: Iterable[str]) -> Matches:
    """Return whether a path matches one of *include* (if there are any) and none of *exclude*."""
    wanted = [path_matcher(pattern) for pattern in include]
    unwanted = [path_matcher(pattern) for pattern in exclude]
    return lambda path: (not wanted or any(m(path) for m in wanted)) and not any(m(path) for m in unwanted)


def _full(pattern: str, regex: str) -> Matches:
    try:
        compiled = re.compile(regex)
    except re.error as error:
        raise GlobError(pattern, f"{error.msg} near position {error.pos}") from None
    return lambda name: compiled.fullmatch(name) is not None


class _Translation:
    """One glob on its way to a regular expression."""

    def __init__(self, glob: str) -> None:
        self.glob = glob
        self.at = 0
        self.in_group = False

    def regex(self) -> str:
        pieces = []
        while self.at < len(self.glob):
            pieces.append(self._piece(self._take()))
        if self.in_group:
            raise GlobError(self.glob, "`}` is missing")
        return "".join(pieces)

    def _take(self) -> str:
        """Return the next character; nothing at the end."""
        self.at += 1
        return self.glob[self.at - 1 : self.at]

    def _peek(self) -> str:
        return self.glob[self.at : self.at + 1]

    def _piece(self, char: str) -> str:
        match char:
            case "*" if self._peek() == "*":
                self.at += 1
                return f"[^{_LINE_END}]*"
            case "*":
                return "[^/]*"
            case "?":
                return "[^/]"
            case "[":
                return self._class()
            case "\\":
                return re.escape(self._escaped())
            case "{" | "}" | ",":
                return self._group(char)
        return re.escape(char)

    def _escaped(self) -> str:
        char = self._take()
        if not char:
            raise GlobError(self.glob, "no character to escape at its end")
        return char

    def _group(self, char: str) -> str:
        if char == "{" and self.in_group:
            raise GlobError(self.glob, "groups cannot be nested")
        if char != "{" and not self.in_group:
            return char
        self.in_group = char != "}"
        return {"{": "(?:(?:", ",": ")|(?:", "}": "))"}[char]

    def _class(self) -> str:
        """Java: ``[[^/]&&[…]]``; a ``^`` at its beginning stands for itself."""
        negated = self._skip("!")
        members = "" if negated or not self._skip("^") else r"\^"
        members += r"\-" if members == "" and self._skip("-") else ""
        while (char := self._take()) != "]":
            if not char:
                raise GlobError(self.glob, "`]` is missing")
            members += self._member(char)
        if not members:
            raise GlobError(self.glob, "empty `[]`")
        return f"(?!/)[{'^' if negated else ''}{members}]"

    def _skip(self, char: str) -> bool:
        if self._peek() != char:
            return False
        self.at += 1
        return True

    def _member(self, char: str) -> str:
        if char == "/":
            raise GlobError(self.glob, "`/` inside `[]`")
        if char == "-":
            raise GlobError(self.glob, "a range inside `[]` has no beginning")
        if self._peek() != "-":
            return _literal(char)
        self.at += 1
        end = self._peek()
        if end in ("]", ""):
            return _literal(char) + r"\-"
        self.at += 1
        if end < char or end in "[\\":
            raise GlobError(self.glob, f"`{char}-{end}` is no range")
        return f"{_literal(char)}-{_literal(end)}"


def _literal(char: str) -> str:
    return f"\\{char}" if char in "\\[]^-&~|" else char
