"""Why it failed, in a person's words: what a code means, which line of the cell it was, and what helps."""

from __future__ import annotations

import re
import signal
from pathlib import PurePath
from typing import TYPE_CHECKING

from kestra_magic.process.usage import memory_limit
from kestra_magic.runs.failure.tracebacks import Failure, last_failure, mapped, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kestra_magic.runs.context import Context
    from kestra_magic.runs.result import TaskResult

__all__ = ["excerpt", "exit_meaning", "hint", "mapped_error"]

TAIL = 200
LAST = 30
HIGH = 0.75
"""Of the memory there is: from here on a kill is probably for memory."""
LONG = 500
BUILTINS = ("[[", "source", "shopt", "declare", "typeset", "pushd", "popd", "let", "mapfile", "readarray", "function")
BASHISMS = {
    rf"({'|'.join(map(re.escape, BUILTINS))}): not found": r"`\1`",
    r"Bad substitution": "`${x//a/b}`, `${x^}` or `${!x}`",
    r'Syntax error: "\(" unexpected': "an array or `<( … )`",
    r"Syntax error: redirection unexpected": "`<<<` or `<( … )`",
    r"Syntax error: Bad for loop variable": "`for (( … ))`",
    r"Illegal option -o pipefail": "`pipefail`",
}
BASH = "is bash, and this is /bin/sh: use `-l bash`, or `#| interpreter: [/bin/bash, -c]`"
_SHELL = re.compile(r"^(?:/\S+/)?(?:da|ba|z|k)?sh: (?:line )?\d+: ", re.MULTILINE)
_NOT_FOUND = re.compile(
    r"(?:sh: (?:line )?(?:\d+: )?|^|: )([^\s:'\"`]+): (?:command )?not found$|^(?:env: )['‘]([^'’]+)['’]: No such",
    re.MULTILINE,
)
_MISSING_FILES = (
    re.compile(r"can't open file '([^']+)'"),
    re.compile(r"(?:cannot open|can't open) '?([^'\n:]+?)'?(?:: No such file)?$", re.MULTILINE),
    re.compile(r"No such file or directory: '([^']+)'"),
    re.compile(r"([^\s:'\"`‘’]+)['’]?: No such file or directory$", re.MULTILINE),
    re.compile(r"Cannot find module '([^']+)'"),
    re.compile(r"(\S*/\S+): (?:command )?not found$", re.MULTILINE),
)
_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_DENIED = re.compile(r"([^\s:'\"`]+): Permission denied$", re.MULTILINE)


def exit_meaning(code: int | None, *, peak_bytes: int = 0, limit_bytes: int = 0) -> str:
    """Say what an exit code means beyond its number; nothing for those a program chooses itself.

    Args:
        peak_bytes: most memory that the tree held, told where memory is the likely reason; 0 if unknown.
        limit_bytes: what it could hold at most.
    """
    if code == 126:
        return "the command was found but could not be run: is the file executable?"
    if code == 127:
        return "the command was not found"
    if code is None or not 128 < code < 192:
        return ""
    try:
        name = signal.Signals(code - 128).name
    except ValueError:
        return ""
    if name == "SIGKILL" and peak_bytes > HIGH * limit_bytes:
        of = f" of {limit_bytes / 1e9:.3g}" if limit_bytes else ""
        return f"killed by signal 9; peak memory {peak_bytes / 1e9:.3g}{of} GB: probably out of memory"
    return f"ended by {name}" + (", from outside or because memory ran out" if name == "SIGKILL" else "")


def hint(text: str, *, beside: Callable[[str], bool]) -> str:
    """Say what helps against the last error in *text*; nothing if nothing is known.

    Args:
        text: the end of what the process wrote to stderr.
        beside: whether a relative name lies beside the notebook.
    """
    text = "\n".join(line[-LONG:] for line in plain(text).split("\n"))
    return _bashism(text) or _missing_file(text, beside) or _not_executable(text) or _not_found(text)


def mapped_error(result: TaskResult, context: Context) -> str:
    """Say in one line why the task failed: its last error, at its line of the cell; what the code means; what helps."""
    tail = result.log.tail("stderr", LAST)
    stopped = result.exit is None or bool(result.exit.reason or result.exit.error)
    helps = hint(tail, beside=lambda name: (context.beside / name).exists())
    said = stopped or (helps and result.exit_code in (126, 127))
    peak = result.exit.rss_bytes if result.exit else 0
    meaning = "" if said else exit_meaning(result.exit_code, peak_bytes=peak, limit_bytes=memory_limit())
    parts = [_failure(result, context).sentence, meaning, helps]
    return "; ".join(part for part in parts if part)


def excerpt(result: TaskResult, context: Context) -> str:
    """Return the lines of stderr that tell the last error: a traceback, or the very last ones; places in the cell."""
    return _failure(result, context).text


def _failure(result: TaskResult, context: Context) -> Failure:
    text = result.log.tail("stderr", TAIL)
    if result.prepared is None:
        return last_failure(text)
    lines, task = result.prepared.lines, context.task_paths.get(result.task_id, ())
    roots = (result.prepared.job.root, result.prepared.job.log_dir)
    written: dict[str, str] = {}

    def where(number: int) -> str:
        origin = lines[number - 1] if 0 < number <= len(lines) else None
        if origin is None:
            return ""
        document = context.document
        line = document.text_line((*task, *origin[0]), origin[1])
        place = document.source.at(line)
        written[place] = context.masked(document.source.line(line).strip())
        return place

    return _with_source(last_failure(mapped(text, result.prepared.script, where, roots=roots)), written)


def _with_source(failure: Failure, written: Mapping[str, str]) -> Failure:
    """Show the line of the cell that the sentence names, where the program itself did not."""
    named = [line for place, line in written.items() if re.search(rf"{re.escape(place)}(?!\d)", failure.sentence)]
    if not named or not named[0] or named[0] in failure.text:
        return failure
    return Failure(f"{failure.text}\n    {named[0]}", failure.sentence)


def _bashism(text: str) -> str:
    if not _SHELL.search(text):
        return ""
    for pattern, what in BASHISMS.items():
        if match := re.search(pattern, text):
            return f"{match.expand(what)} {BASH}"
    return ""


def _missing_file(text: str, beside: Callable[[str], bool]) -> str:
    names = [match[1] for pattern in _MISSING_FILES for match in pattern.finditer(text)]
    modules = [match[1].partition(".")[0] for match in _NO_MODULE.finditer(text)]
    for name in (*names, *(f"{module}.py" for module in modules), *modules):
        for candidate in dict.fromkeys((name.removeprefix("./"), PurePath(name).name)):
            if _is_below(candidate) and beside(candidate):
                return f"`{candidate}` lies beside the notebook: add `-f {candidate}`, or `--here`"
    return ""


def _is_below(name: str) -> bool:
    path = PurePath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _not_executable(text: str) -> str:
    match = _DENIED.search(text) if _SHELL.search(text) else None
    return f"input files are not executable: `sh {match[1]}`, or `chmod +x {match[1]}` before it" if match else ""


def _not_found(text: str) -> str:
    match = _NOT_FOUND.search(text)
    name = (match and (match[1] or match[2])) or ""
    if "/" in name:
        return f"there is no `{name}` in the working directory: place it with `-f`, or use `--here`"
    return f"`{name}` is not installed here, or not on PATH (`%kestra doctor` lists what is)" if name else ""
