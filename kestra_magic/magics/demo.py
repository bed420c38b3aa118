"""A notebook executed on a real kernel, its streams in this terminal as they come."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from kestra_magic.errors import KestraMagicError

__all__ = ["demo"]


def demo(notebook: Path) -> int:
    """Execute *notebook*, show its output live, and write the executed copy and its HTML beside the results.

    Raises:
        KestraMagicError: there is no such notebook, or what executes notebooks is not installed.
    """
    try:
        nbformat: Any = import_module("nbformat")
        from nbclient.exceptions import CellExecutionError

        exporter: Any = import_module("nbconvert").HTMLExporter
    except ImportError as error:
        raise KestraMagicError(f"{error.name} is missing: pip install nbclient nbconvert") from None
    if not notebook.exists():
        raise KestraMagicError(f"there is no notebook `{notebook}`")
    book = nbformat.read(notebook, as_version=4)
    target = notebook.parent / "kestra-runs" / "demo"
    target.mkdir(parents=True, exist_ok=True)
    failed = False
    try:
        _live_client()(book, resources={"metadata": {"path": str(notebook.parent)}}).execute()
    except CellExecutionError as error:
        print(error, file=sys.stderr)
        failed = True
    executed = target / notebook.name
    nbformat.write(book, executed)
    page = executed.with_suffix(".html")
    page.write_text(exporter().from_notebook_node(book)[0], "utf-8")
    print(f"\nexecuted notebook: {executed}\nas a page:         {page}")
    return int(failed)


def _live_client() -> type[Any]:
    from nbclient import NotebookClient

    class Live(NotebookClient):
        """Prints each cell's source and what it sends, when it sends it."""

        async def async_execute_cell(self, cell: Any, cell_index: int, *args: Any, **kwargs: Any) -> Any:
            if cell.cell_type == "code":
                print("\n\x1b[2m" + "\n".join(f"│ {line}" for line in cell.source.splitlines()) + "\x1b[0m", flush=True)
            return await super().async_execute_cell(cell, cell_index, *args, **kwargs)

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            _print(msg["msg_type"], msg["content"])
            return super().process_message(msg, cell, cell_index)

    return Live


def _print(kind: str, content: Any) -> None:
    if kind == "stream":
        print(content["text"], end="", flush=True)
    elif kind in ("display_data", "execute_result"):
        print(content["data"].get("text/plain", ""), flush=True)
