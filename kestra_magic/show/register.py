"""How the notebook's objects look: told to IPython by the names of their types, which know nothing of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Bundle = dict[str, Any]

__all__ = ["install", "uninstall"]


def install(shell: Any) -> None:
    """Show runs, files and metrics as cards wherever *shell* displays them; nothing else is imported until then."""
    for (module, name), look in _looks(shell).items():
        shell.display_formatter.mimebundle_formatter.for_type_by_name(module, name, look)


def uninstall(shell: Any) -> None:
    formatter = shell.display_formatter.mimebundle_formatter
    for key in _looks(shell):
        formatter.deferred_printers.pop(key, None)
        for kind in [kind for kind in formatter.type_printers if (kind.__module__, kind.__name__) == key]:
            formatter.pop(kind)


def _looks(shell: Any) -> dict[tuple[str, str], Callable[[Any], Bundle]]:
    return {
        ("kestra_magic.runs.run", "Run"): _run,
        ("kestra_magic.runs.history", "History"): partial(_history, shell),
        ("kestra_magic.runs.diff", "Difference"): _difference,
        ("kestra_magic.runs.metrics", "Metrics"): _metrics,
        ("kestra_magic.runs.report", "Report"): _report,
        ("kestra_magic.workspace.outputs", "OutputFile"): _file,
        ("kestra_magic.workspace.outputs", "OutputFiles"): partial(_files, shell),
    }


def _run(run: Any) -> Bundle:
    from kestra_magic.show.card import result

    return dict(result(run))


def _history(shell: Any, runs: Any) -> Bundle:
    from kestra_magic.show.cell import frontend, takes_console
    from kestra_magic.show.history import table

    if not takes_console(frontend(shell)):
        return dict(table(runs))
    from kestra_magic.show.runstable import RunsTable

    return dict(table(runs, key=RunsTable(runs).key))


def _difference(found: Any) -> Bundle:
    from kestra_magic.show.difference import bundle

    return dict(bundle(found))


def _metrics(metrics: Any) -> Bundle:
    from kestra_magic.show.card import metric_rows, render

    return {"text/html": render("metrics", metrics=metric_rows(metrics)), "text/plain": repr(metrics)}


def _report(report: Any) -> Bundle:
    from kestra_magic.show.report import bundle

    return dict(bundle(report))


def _file(file: Any) -> Bundle:
    from kestra_magic.show.card import file_cards, render

    (card,) = file_cards({file.name: file})
    return {"text/html": render("files", files=[card], more=0, misses=(), key=""), "text/plain": repr(file)}


def _files(shell: Any, files: Any) -> Bundle:
    """What is saved is static, and so never a widget that is not found; where someone looks now it is a browser."""
    from kestra_magic.show.card import file_cards, render

    cards = file_cards(files)
    facts = {"files": cards, "more": len(files) - len(cards), "misses": files.misses}
    html = render("files", **facts, key=_live(shell, files) if cards else "")
    return {"text/html": html, "text/plain": repr(files)}


def _live(shell: Any, files: Any) -> str:
    from kestra_magic.show.cell import frontend, takes_console

    if not takes_console(frontend(shell)):
        return ""
    from kestra_magic.show.filestable import FilesTable

    return FilesTable(files, shell.user_ns).key
