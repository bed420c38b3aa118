"""A process cell as the flow of one task that a server runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kestra_magic.expressions.scope import ROOTS, plain
from kestra_magic.model.source import Problem, Source, SourceError
from kestra_magic.model.writing import yaml_text
from kestra_magic.runs.given import files_given, inputs_given
from kestra_magic.workspace.inputs import placed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kestra_magic.runs.request import Request, Written
    from kestra_magic.workspace.inputs import PlacedFile
    from kestra_magic.workspace.storage import Storage

__all__ = ["OneFlow", "one_flow"]

STAYS_HERE = ("here", "raw", "env-file", "python")
_INPUT = re.compile(r"\binputs\.(\w+)")
_BARE = re.compile(r"\{\{-?\s*(\w+)\b(?!\s*\()")
_TYPES = ((bool, "BOOL"), (int, "INT"), (float, "FLOAT"), (str, "STRING"), (list, "JSON"), (dict, "JSON"))


@dataclass(frozen=True, slots=True)
class OneFlow:
    """The flow's text, and what it is started with."""

    text: str
    flow: dict[str, Any]
    inputs: dict[str, Any] = field(default_factory=dict)
    files: dict[str, PlacedFile] = field(default_factory=dict)


def one_flow(request: Request, written: Written, *, namespace: str, storage: Storage) -> OneFlow:
    """Make the flow: the cell's inputs become inputs, its files inputs of type FILE; the Process runner runs it.

    Raises:
        SourceError: what only a notebook can do.
    """
    _refuse(request, written)
    task = written.task.model_dump(by_alias=True, exclude_unset=True, mode="json")
    task.setdefault("taskRunner", {"type": "io.kestra.plugin.core.runner.Process"})
    given = files_given(written.options.get("file", []), request.beside, request.notebook)
    files = {f"file_{n}": file for n, file in enumerate(placed(given, storage, namespace=namespace), 1)}
    if files:
        own = task.get("inputFiles") or {}
        task["inputFiles"] = {**own, **{file.name: f"{{{{ inputs.{name} }}}}" for name, file in files.items()}}
    inputs = _inputs(request, written, task)
    declared = [{"id": name, "type": _type(value)} for name, value in inputs.items()]
    declared += [{"id": name, "type": "FILE"} for name in files]
    flow = {"id": task["id"], "namespace": namespace, **({"inputs": declared} if declared else {}), "tasks": [task]}
    return OneFlow(yaml_text(flow), flow, inputs, files)


def _inputs(request: Request, written: Written, task: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `-i`, and what ``inputs.x`` takes from the notebook here."""
    inputs = inputs_given(written.options.get("input", []), request.notebook)
    asked = _INPUT.findall(yaml_text(task))
    return inputs | {name: plain(request.notebook[name], name) for name in asked if name in request.notebook}


def _refuse(request: Request, written: Written) -> None:
    problems = [Problem(None, f"`--{name}` is of this machine: it can not go to a server") for name in _here(written)]
    body = written.document.body
    for n, line in enumerate(body.text.splitlines()):
        for name in _BARE.findall(line):
            if name not in ROOTS and name in request.notebook:
                said = f"`{name}` is the notebook's variable: on a server write `{{{{ inputs.{name} }}}}`"
                problems.append(Problem(body.first_line + n, said))
    if problems:
        raise SourceError(Source(request.source.text, request.source.name, request.source.first_line), problems)


def _here(written: Written) -> Iterator[str]:
    yield from (name for name in STAYS_HERE if written.options.get(name))


def _type(value: Any) -> str:
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "STRING")
