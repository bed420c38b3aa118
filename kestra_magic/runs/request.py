"""What a process cell asks for: its `#|` lines, its options and its body, as one task."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.model.durations import short_duration
from kestra_magic.model.header import split_header
from kestra_magic.model.loadtask import load_task
from kestra_magic.model.source import Document, Problem, Source, SourceError
from kestra_magic.model.tasks import ScriptTask
from kestra_magic.runs.given import environment_given

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kestra_magic.model.source import Path as Way

__all__ = ["LANGS", "OWN_KEYS", "CellDocument", "Request", "Written", "early", "flow_lines", "given_in_python", "read"]

SHELLS = {"bash": ["/bin/bash", "-o", "pipefail", "-c"], "zsh": ["/bin/zsh", "-o", "pipefail", "-c"]}
LANGS = (
    "shell", "bash", "zsh", "python", "node", "r", "julia", "ruby", "powershell", "bun", "deno", "go", "perl", "php",
    "lua", "jbang", "dotnet", "groovy",
)  # fmt: skip
LISTS = {"file": "files", "output": "outputFiles", "input": "inputs", "env": "env", "bind": "bind"}
EARLY = ("dry-run", "server", "force")
OWN_KEYS = (
    "lang", "file", "output", "input", "env", "env-file", "bind", "python", "timeout", "here", "raw", "no-raise",
    "grace", "background", "requeue", "strict", "merge", "tty", "bg", "detach", "replace", "gpu", *EARLY,
)  # fmt: skip
_EARLY = re.compile(rf"^#\| *(?:{'|'.join(EARLY)}) *:", re.MULTILINE)
FLAGS = ("here", "raw", "no-raise", "requeue", "strict", "merge", "tty", "bg", "detach", "replace", *EARLY)
OF_FLOWS = ("grace", "background", "merge")
"""What a `#|` line above a flow may say besides the options of its magic."""
OF_A_CELL = (*EARLY, "bind", "no-raise", "bg")
BACKGROUND = ("wait", "kill", "keep")


@dataclass(frozen=True, slots=True)
class CellDocument:
    """Where each property of a process cell was written: in the body, in a `#|` line, or in an option."""

    header: Document
    body: Source

    @property
    def source(self) -> Source:
        return self.body

    def line(self, path: Way) -> int:
        return self.body.first_line if path[:1] == ("script",) else self.header.line(path)

    def at(self, path: Way) -> Any:
        return self.header.at(path)

    def text_line(self, path: Way, n: int) -> int:
        return self.body.first_line + n if path[:1] == ("script",) else self.header.text_line(path, n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A process cell as it was typed.

    Attributes:
        options: what the magic line said, by long name.
        notebook: the names that expressions and files may take values from.
        home: of a flow from a file, the folder where it lies.
    """

    source: Source
    name: str = "_run"
    options: Mapping[str, Any] = field(default_factory=dict)
    notebook: Mapping[str, object] = field(default_factory=dict)
    beside: Path
    home: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A process cell as it was understood: a valid task, and the options that are not the task's.

    Attributes:
        properties: what the task was made of, as it was written.
    """

    task: ScriptTask
    properties: dict[str, Any]
    document: CellDocument
    options: dict[str, Any]


def read(request: Request) -> Written:
    """Understand a process cell.

    Raises:
        SourceError: every problem of its `#|` lines, each with its line.
        KestraMagicError: an option that cannot be.
    """
    document = CellDocument(*split_header(request.source))
    own, properties = _divided(document.header)
    options = _merged(own, request.options)
    lang = str(options.get("lang") or "shell")
    if lang not in LANGS:
        raise KestraMagicError(
            f"there is no language `{lang}`{did_you_mean(lang, LANGS) or '; there are: ' + ', '.join(LANGS)}"
        )
    task = _task(request.name, lang, properties, options, document.body)
    if options.get("env"):
        task["env"] = {**(task.get("env") or {}), **environment_given(options["env"], request.notebook)}
    origins: dict[Way, str] = {("outputFiles",): "-o", ("timeout",): "--timeout", ("id",): "NAME"}
    given = {way: option for way, option in origins.items() if way[0] not in properties}
    loaded = load_task(task, document.header, origins=given)
    assert isinstance(loaded.task, ScriptTask)
    return Written(
        task=loaded.task,
        properties=loaded.document.value,
        document=document,
        options=options,
    )


def early(source: Source) -> dict[str, bool]:
    """Return the options in `#|` lines that say whether a cell is run here at all: `--dry-run`, `--server`, `--force`.

    Raises:
        SourceError: what the lines say cannot be.
    """
    if not _EARLY.search(source.text):
        return {}
    own, _ = _divided(split_header(source)[0])
    return {key: True for key in EARLY if own.get(key)}


def flow_lines(source: Source, options: Mapping[str, Any]) -> tuple[Source, dict[str, Any]]:
    """Take the `#|` lines off a flow: they hold options, its properties stand in its YAML.

    Raises:
        SourceError: what the lines say cannot be.
    """
    document, body = split_header(source)
    if wrong := [key for key in document.value if key not in options and key not in OF_FLOWS]:
        near = did_you_mean(wrong[0], [*options, *OF_FLOWS])
        said = f"`{wrong[0]}` is no option of a flow{near or '; its properties stand in its YAML'}"
        raise SourceError(document.source, [Problem(document.line((wrong[0],)), said)])
    return body, _merged(_checked(document.value, document), options)


def _divided(document: Document) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell our own keys (any long option, and a few more) from the task's properties."""
    value: dict[str, Any] = document.value
    for key in ("script", "id", "type"):
        if key in value:
            said = {
                "script": "is the cell's body",
                "id": "is the magic's NAME",
                "type": "is `--lang` and the magic itself",
            }
            raise SourceError(document.source, [Problem(document.line((key,)), f"`{key}` {said[key]}")])
    own = {key: value[key] for key in value if key in OWN_KEYS and key not in ("env", "timeout")}
    return _checked(own, document), {key: value[key] for key in value if key not in own}


def given_in_python(options: Mapping[str, Any]) -> dict[str, Any]:
    """Read options as Python gives them: `_` for `-`, one text for a list of one.

    Raises:
        KestraMagicError: there is no such option, or it cannot have that value.
    """
    named = {key.replace("_", "-"): value for key, value in options.items()}
    for key, value in named.items():
        if key in OF_A_CELL:
            raise KestraMagicError(f"`{key}` is an option of a cell: from Python it does nothing")
        if key not in OWN_KEYS:
            raise KestraMagicError(f"there is no option `{key}`{did_you_mean(key, OWN_KEYS)}")
        if said := _amiss(key, value):
            raise KestraMagicError(f"{key}: {said}")
    return {key: _as_list(value) if key in LISTS else _meant(key, value) for key, value in named.items()}


def _checked(own: dict[str, Any], document: Document) -> dict[str, Any]:
    """Return our own keys with their values as they are meant: in YAML as Kestra reads it, `no` is a text."""
    for key, value in own.items():
        if said := _amiss(key, value):
            raise SourceError(document.source, [Problem(document.line((key,)), f"{key}: {said}")])
    return {key: _meant(key, value) for key, value in own.items()}


def _amiss(key: str, value: Any) -> str:
    if key in FLAGS and not isinstance(value, bool):
        return f"must be `true` or `false`, but is `{value}`"
    if key == "background" and value not in BACKGROUND:
        return f"must be one of {', '.join(f'`{way}`' for way in BACKGROUND)}, but is `{value}`"
    if key == "grace" and _seconds(value) is None:
        return f"must be a number of seconds, or a duration like 5s, but is `{value}`"
    return ""


def _meant(key: str, value: Any) -> Any:
    return _seconds(value) if key == "grace" else value


def _seconds(value: Any) -> float | None:
    try:
        seconds = short_duration(str(value)).total_seconds()
    except ValueError:
        return None
    return seconds if seconds >= 0 else None


def _merged(own: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options add to lists and replace what is single."""
    merged = {key: _as_list(value) if key in LISTS else value for key, value in own.items()}
    for key, value in options.items():
        if value is None or value is False or value == []:
            continue
        merged[key] = [*merged.get(key, []), *value] if isinstance(value, list) else value
    return merged


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [f"{name}={item}" for name, item in value.items()]
    return value if isinstance(value, list) else [value]


def _task(
    name: str, lang: str, properties: Mapping[str, Any], options: Mapping[str, Any], body: Source
) -> dict[str, Any]:
    kind = "shell" if lang in SHELLS else lang
    task: dict[str, Any] = {"id": name.strip("_") or "run", "type": f"io.kestra.plugin.scripts.{kind}.Script"}
    if lang in SHELLS:
        task["interpreter"] = SHELLS[lang]
    task |= properties
    if "commands" in properties:
        if body.text.strip():
            raise KestraMagicError("a cell has `commands` in its `#|` lines or a body, not both")
        task["type"] = f"io.kestra.plugin.scripts.{kind}.Commands"
    else:
        task["script"] = body.text
    if options.get("timeout"):
        task["timeout"] = str(options["timeout"])
    outputs = [*options.get("output", []), *(spec.partition("=")[2] for spec in options.get("bind", []))]
    return task | _extended(task, "outputFiles", outputs)


def _extended(task: Mapping[str, Any], key: str, more: list[Any]) -> dict[str, Any]:
    declared = task.get(key) or []
    if not more:
        return {}
    return {key: [*declared, *(m for m in more if m not in declared)]} if isinstance(declared, list) else {}
