"""Out of the notebook: its process cells, in order, as one flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.model.load import load_flow
from kestra_magic.model.source import Source
from kestra_magic.model.writing import yaml_text
from kestra_magic.runs.export.cell import CellExport, Shared
from kestra_magic.runs.export.declared import Inputs
from kestra_magic.runs.export.handed import Files
from kestra_magic.runs.masking import forms, painted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kestra_magic.model.source import Path as Way
    from kestra_magic.runs.run import Run

__all__ = ["Exported", "export"]

Target = Literal["1.3", "2.0"]
NOT_SHOWN = "a value that must not be seen is left out: give it to the flow as a secret, `{{ secret('NAME') }}`"


@dataclass(frozen=True, slots=True)
class Exported:
    """A flow as text.

    Attributes:
        files: what belongs into ``_files/`` beside it, by name: a file, or its bytes.
        told: what was written otherwise than in the notebook, and what a flow cannot say; each with its cell and line.
    """

    text: str
    files: Mapping[str, Path | bytes]
    told: tuple[str, ...]


def export(
    runs: Iterable[Run],
    names: Iterable[str] = (),
    *,
    flow_id: str,
    namespace: str,
    namespace_files: Path,
    target: Target = "1.3",
) -> Exported:
    """Write the cells that *runs* came from as one flow: the latest of each name, in the order of their first run.

    Args:
        names: only these, and what they read from others.
        namespace_files: the folder with the notebook's namespace files.
        target: the Kestra whose spelling is used.

    Raises:
        KestraMagicError: there is no such cell, or none at all.
    """
    known = list(runs)
    cells = {run.name: run for run in known if run.context.cell and run.context.request is not None}
    ids = {name: name.strip("_") or "run" for name in cells}
    shared = Shared(Inputs(), Files(namespace_files.resolve()), ids, target)
    for run in cells.values():
        shared.files.know(run, ids[run.name])
    made: dict[str, CellExport] = {}
    for name in _chosen(cells, names):
        _take(name, cells, shared, made)
    left = _left_out(known, names)
    text, comments = _flow(flow_id, namespace, shared.inputs, [made[name] for name in made])
    said = [*(sentence for cell in made.values() for sentence in cell.told), *left]
    shown = painted(text, forms(value for run in cells.values() for value in run.context.masked_values()))
    hidden = [NOT_SHOWN] if shown != text else []
    written = yaml_text(shown, comments=comments)
    load_flow(Source(written), strict=True)  # what is written here is valid, or it is our mistake
    return Exported(written, dict(shared.files.beside), tuple(dict.fromkeys((*said, *hidden))))


def _chosen(cells: Mapping[str, Run], names: Iterable[str]) -> list[str]:
    asked = [_known(name, cells) for name in names]
    named = [name for name in cells if name != "_run"]
    if not (asked or named):
        raise KestraMagicError("no `%%kestra_process NAME` cell ran in this kernel: run the cells, then export them")
    return [name for name in named if name in asked] if asked else named


def _known(name: str, cells: Mapping[str, Run]) -> str:
    found = next((each for each in cells if name in (each, each.replace("-", "_"))), None)
    if found is None:
        raise KestraMagicError(f"no `%%kestra_process {name}` ran in this kernel{did_you_mean(name, cells)}")
    return found


def _take(name: str, cells: Mapping[str, Run], shared: Shared, made: dict[str, CellExport]) -> None:
    """Write one cell after those that it reads from."""
    cell = CellExport(cells[name], shared)
    for other in cell.needs:
        if other not in made and other != name:
            _take(other, cells, shared, made)
    made[name] = cell


def _left_out(runs: Iterable[Run], names: Iterable[str]) -> list[str]:
    if list(names):
        return []
    nameless = any(run.name == "_run" for run in runs)
    flows = dict.fromkeys(run.name for run in runs if not run.context.cell)
    return [
        *(["cells without a NAME are left out: a task needs an id"] if nameless else []),
        *(f"`{name}` is a flow itself: left out" for name in flows),
    ]


def _flow(
    flow_id: str, namespace: str, inputs: Inputs, cells: list[CellExport]
) -> tuple[dict[str, Any], dict[Way, str]]:
    flow: dict[str, Any] = {"id": flow_id, "namespace": namespace}
    if inputs.declared:
        flow["inputs"] = list(inputs.declared.values())
    flow["tasks"] = [cell.task for cell in cells]
    comments = {("tasks", n, *path): said for n, cell in enumerate(cells) for path, said in cell.comments.items()}
    return flow, comments
