"""`%kestra runs`, `attach`, `stop` and `clean`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kestra_magic.magics.arguments import UsageError, words
from kestra_magic.magics.background import show_in_background
from kestra_magic.magics.binding import bind
from kestra_magic.runs.history import history
from kestra_magic.runs.kernels.attach import attach as attached
from kestra_magic.runs.kernels.attach import elsewhere
from kestra_magic.runs.session import UnknownRun, session
from kestra_magic.settings import current
from kestra_magic.show.cell import frontend
from kestra_magic.show.files import size
from kestra_magic.show.view import View

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from kestra_magic.runs.history import History
    from kestra_magic.runs.journal.journal import Record
    from kestra_magic.runs.run import Run
    from kestra_magic.workspace.pruning import Pruned

__all__ = ["attach", "clean", "runs", "stop"]


def runs(_shell: InteractiveShell, rest: str, _cell: str | None) -> History:
    """`%kestra runs [NAME] [--all]`: this kernel's runs and what lives elsewhere; of NAME or with --all the history."""
    names, flags = _split(rest, "runs", "--all")
    if len(names) > 1:
        raise UsageError("`%kestra runs` takes one NAME")
    return history(session(), names[0] if names else None, ended=bool(names or flags))


def attach(shell: InteractiveShell, rest: str, _cell: str | None) -> None:
    """`%kestra attach RUN`: bind a run of any kernel, or of the server, and show it here, live or as it ended."""
    names, _ = _split(rest, "attach")
    if len(names) != 1:
        raise UsageError("`%kestra attach` takes one RUN: a name, `train-3`, or an id")
    run, there = _found(names[0])
    bind(run.name, run, shell.user_ns)
    if run.ended:
        view = View(shell, run)
        run.follow(view.show, from_start=True, first=view.header)
        view.result()
    else:
        show_in_background(shell, run, {}, start=there)


def _found(name: str) -> tuple[Run, bool]:
    """Return a run that is known here; or else an execution of the server, which is followed from now on."""
    try:
        return attached(session(), name), False
    except UnknownRun as unknown:
        if not current().server:
            raise
        from kestra_magic.magics.beyond import follow_execution

        return follow_execution(name, unknown), True


def stop(_shell: InteractiveShell, rest: str, _cell: str | None) -> None:
    """`%kestra stop RUN|--all`: end runs with everything that they started, and say what was ended."""
    names, everything = _split(rest, "stop", "--all")
    here = session()
    if bool(names) == bool(everything):
        raise UsageError("`%kestra stop` takes a RUN, or `--all`")
    live = [run for run in here.runs if not run.ended]
    there = [_ended_there(record) for name in names if not here.live(name) and (record := elsewhere(here, name))]
    chosen = live if everything else [here.live(name) or attached(here, name) for name in names]
    over = [run for run in chosen if run.ended and run.id not in there]
    for run in chosen:
        run.stop()
    for run in chosen:
        print(f"`{run.name}` had ended already: {run.state.value}" if run in over else _ended(run.wait()))
    if not chosen:
        print("nothing runs now")


def _ended_there(record: Record) -> str:
    from kestra_magic.runs.kernels.door import ask_to_end

    ask_to_end(record)
    return record.id


def _ended(run: Run) -> str:
    return f"`{run.name}` ended: {run.state.value}{run.told}"


def clean(shell: InteractiveShell, rest: str, _cell: str | None) -> None:
    """`%kestra clean [--all] [--yes]`: list the runs that may go, ask, and remove them."""
    names, flags = _split(rest, "clean", "--all", "--yes")
    if names:
        raise UsageError("`%kestra clean` takes no NAME")
    here = session()
    everything = "--all" in flags
    found = here.pruning.candidates(ended=everything)
    print("\n".join(_listed(run, everything) for run in found) or "there is nothing to remove")
    if found and ("--yes" in flags or _agrees(shell, found, everything)):
        left = here.pruning.remove(found)
        print("\n".join([f"removed {len(found) - len(left)} of {len(found)} runs", *left]))


def _listed(run: Pruned, everything: bool) -> str:
    why = "" if everything else f"  ({run.reason})"
    return f"{run.path}  {run.state or 'did not end'}  {size(run.bytes)}{why}"


def _agrees(shell: InteractiveShell, found: list[Pruned], everything: bool) -> bool:
    total = size(sum(run.bytes for run in found))
    if frontend(shell).jupyter and not frontend(shell).live:
        again = "%kestra clean --all --yes" if everything else "%kestra clean --yes"
        print(f"nothing was removed: nobody can be asked here; `{again}` removes these {total}")
        return False
    return input(f"Remove these {len(found)} runs ({total})? [y/N] ").strip().lower() in ("y", "yes")


def _split(rest: str, verb: str, *flags: str) -> tuple[list[str], set[str]]:
    typed = words(rest)
    unknown = [word for word in typed if word.startswith("-") and word not in flags]
    if unknown:
        has = f"; it has {' and '.join(f'`{flag}`' for flag in flags)}" if flags else ""
        raise UsageError(f"`%kestra {verb}` has no option `{unknown[0]}`{has}")
    return [word for word in typed if not word.startswith("-")], {word for word in typed if word.startswith("-")}
