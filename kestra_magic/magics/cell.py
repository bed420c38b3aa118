"""A cell, from what was typed to a bound result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kestra_magic.magics.arguments import UsageError, first_word, parse
from kestra_magic.magics.background import show_in_background
from kestra_magic.magics.binding import bind, bind_files, read_binds
from kestra_magic.magics.options import FLOW, PROCESS
from kestra_magic.model.source import Source, read_source
from kestra_magic.runs.request import Request, early, flow_lines
from kestra_magic.runs.session import notebook_folder, session
from kestra_magic.show.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

    from kestra_magic.runs.run import Run
    from kestra_magic.runs.server.send import ToSend

__all__ = ["beside", "carry", "names_of", "run_file", "run_flow", "run_process"]


def run_process(shell: InteractiveShell, line: str, cell: str) -> None:
    """`%%kestra_process`."""
    name, options = parse("%%kestra_process", PROCESS, line)
    here = beside(shell)
    source = Source(cell, first_line=2)
    options |= early(source)
    request = Request(source=source, name=name or "_run", options=options, notebook=names_of(shell), beside=here)
    if options.get("server"):
        from kestra_magic.runs.server.send import cell_to_send

        return _carry_there(shell, cell_to_send(session(), request), options)
    if options.get("dry-run"):
        from kestra_magic.magics.expressions import dry_cell

        return dry_cell(shell, request)
    run = session().cell(request)
    return carry(shell, run, run.context.options)


def run_flow(shell: InteractiveShell, line: str, cell: str) -> None:
    """`%%kestra_flow`."""
    _flow(shell, "%%kestra_flow", line, Source(cell, first_line=2))


def run_file(shell: InteractiveShell, line: str) -> None:
    """`%kestra run FILE [NAME] …`: namespace files lie in `_files` beside the file."""
    file, rest = first_word(line)
    if not file or file.startswith("-"):
        raise UsageError("which flow? `%kestra run FILE [NAME] [options]`")
    path = notebook_folder(shell.user_ns) / file
    _flow(shell, "%kestra run", rest, read_source(path, file), home=path.parent)


def _flow(shell: InteractiveShell, magic: str, line: str, source: Source, home: Path | None = None) -> None:
    name, options = parse(magic, FLOW, line)
    source, options = flow_lines(source, options)
    here = beside(shell)
    names = names_of(shell)
    if options.get("server"):
        from kestra_magic.runs.server.send import flow_to_send

        what = flow_to_send(source, options, names, name=name or "", beside=here, home=home)
        return _carry_there(shell, what, options)
    if options.get("dry-run"):
        from kestra_magic.magics.expressions import dry_flow

        return dry_flow(shell, source, options, name or "", home)
    if options.get("form"):
        from kestra_magic.magics.forms import show_form

        return show_form(shell, source, options, name or "", home)
    run = session().flow(source, options, name=name or "", beside=here, notebook=names, home=home)
    return carry(shell, run, options)


def _carry_there(shell: InteractiveShell, what: ToSend, options: Mapping[str, Any]) -> None:
    """`--server`: the same cell on the Kestra server."""
    from kestra_magic.magics import beyond

    if options.get("dry-run"):
        print(what.text)
    elif options.get("detach"):
        beyond.detached(what, options)
    else:
        carry(shell, beyond.run_there(what, options), options)


def carry(shell: InteractiveShell, run: Run, options: Mapping[str, Any]) -> None:
    """Show the run to its end; bind it on success, failure and kill; then raise if it did not end well.

    In the background it is shown when the cell has ended, and raises nothing.
    """
    names = shell.user_ns
    try:
        read_binds(options.get("bind", []))
        bind(run.name, run, names)
        if options.get("bg") or options.get("detach"):
            show_in_background(shell, run, options, start=True)
            return
        _show(View(shell, run))
    except BaseException:  # an interrupt too: what never began must not bar its name
        if not run.begun:
            session().discard(run)
        raise
    bind_files(options.get("bind", []), run, names)
    if not options.get("no-raise"):
        run.check()


def _show(view: View) -> None:
    try:
        view.run.follow(view.show, start=True, first=view.header, pause=view.pause, last=view.result)
    finally:
        if view.run.begun:
            view.result()


def beside(shell: InteractiveShell) -> Path:
    """Tell the session where the notebook lies and what its variables are; return where."""
    here = session()
    here.names = shell.user_ns
    here.beside = notebook_folder(shell.user_ns)
    return here.beside


def names_of(shell: InteractiveShell) -> dict[str, object]:
    """The notebook's own names: without IPython's, and without what begins with an underscore."""
    hidden = getattr(shell, "user_ns_hidden", {})
    return {
        name: value
        for name, value in shell.user_ns.items()
        if not name.startswith("_") and (name not in hidden or hidden[name] is not value)
    }
