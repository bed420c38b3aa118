"""How the notebook's objects look, by the names of their types, which know nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Bundle = dict[str, Any]

__all__ = ["look"]


def look(shell: Any, thing: Any) -> Bundle:
    """Return *thing* as a card, where *shell* displays it."""
    return next(_LOOKS[kind.__name__] for kind in type(thing).__mro__ if kind.__name__ in _LOOKS)(shell, thing)


def _run(_shell: Any, run: Any) -> Bundle:
    from kestra_magic.show.card import result

    return dict(result(run))


def _history(shell: Any, runs: Any) -> Bundle:
    from kestra_magic.show.cell import frontend, takes_console
    from kestra_magic.show.history import table

    if not takes_console(frontend(shell)):
        return dict(table(runs))
    from kestra_magic.show.runstable import RunsTable

    return dict(table(runs, key=RunsTable(runs).key))


def _difference(_shell: Any, found: Any) -> Bundle:
    from kestra_magic.show.difference import bundle

    return dict(bundle(found))


def _metrics(_shell: Any, metrics: Any) -> Bundle:
    from kestra_magic.show.card import metric_rows, render

    return {"text/html": render("metrics", metrics=metric_rows(metrics)), "text/plain": repr(metrics)}


def _report(_shell: Any, report: Any) -> Bundle:
    from kestra_magic.show.report import bundle

    return dict(bundle(report))


def _file(_shell: Any, file: Any) -> Bundle:
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


_LOOKS: dict[str, Callable[[Any, Any], Bundle]] = {
    "Run": _run,
    "History": _history,
    "Difference": _difference,
    "Metrics": _metrics,
    "Report": _report,
    "OutputFile": _file,
    "OutputFiles": _files,
}
