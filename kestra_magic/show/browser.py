"""The files of a run in a live front end: a list, what is in them, and a download."""

from __future__ import annotations

import base64
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kestra_magic.show.card import File, render, visible
from kestra_magic.show.files import preview, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kestra_magic.workspace.outputs import OutputFile

__all__ = ["browser"]

MOST_LISTED = 1_000
DOWNLOAD_BYTES = 10 << 20
"""What may pass through the kernel; for more, the path is said."""


def browser(files: Mapping[str, OutputFile]) -> Any:
    """Return an ipywidgets view of *files*: search, list, preview, download."""
    widgets: Any = import_module("ipywidgets")
    search = widgets.Text(placeholder="Search files", layout=widgets.Layout(width="auto"))
    names = widgets.Select(options=_listed(files, ""), rows=12, layout=widgets.Layout(width="auto"))
    names.tooltip = "Files of this run"
    shown = widgets.HTML()
    button = widgets.Button(description="Download", icon="download")
    link = widgets.HTML()

    def look(_: object = None) -> None:
        shown.value = _shown(files, names.value)
        link.value = ""
        button.disabled = names.value is None

    def find(change: Any) -> None:
        names.options = _listed(files, change["new"])

    def offer(_: object) -> None:
        link.value = _download(files[names.value])

    search.observe(find, "value")
    names.observe(look, "value")
    button.on_click(offer)
    look()
    left = widgets.VBox([search, names], layout=widgets.Layout(width="30%", min_width="12em"))
    right = widgets.VBox([widgets.HBox([button, link]), shown], layout=widgets.Layout(width="70%"))
    return widgets.HBox([left, right])


def _listed(files: Mapping[str, OutputFile], wanted: str) -> list[tuple[str, str]]:
    """Return the labels and names of the files whose names hold *wanted*: so many as a list bears."""
    found = [name for name in sorted(files) if wanted.lower() in name.lower()]
    return [(_label(files[name]), name) for name in found[:MOST_LISTED]]


def _label(file: OutputFile) -> str:
    return f"{visible(file.name)} · {size(file.size)}" if file.size >= 0 else visible(file.name)


def _shown(files: Mapping[str, OutputFile], name: str | None) -> str:
    if name is None:
        return ""
    file = files[name]
    return render("preview", file=File(name, size(max(file.size, 0)), "", preview(file.path)))


def _download(file: OutputFile) -> str:
    try:
        if file.path.stat().st_size > DOWNLOAD_BYTES:
            return render("download", name=str(file.path), data="")
        data = file.path.read_bytes()
    except OSError as error:
        return render("download", name=f"{file.path}: {error.strerror}", data="")
    return render("download", name=file.name, data=base64.b64encode(data).decode())
