"""Here: the job's directory on this machine, its process a child of a guardian."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.process import supervise
from kestra_magic.runners.job import CONTEXT_FILE, Found
from kestra_magic.settings import current
from kestra_magic.workspace.directory import WorkDirectory
from kestra_magic.workspace.inputs import PlacedFile, place
from kestra_magic.workspace.outputs import changed, collect, snapshot
from kestra_magic.workspace.transfer import make_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kestra_magic.process.events import Event, Reason
    from kestra_magic.runners.job import Job, Placed

__all__ = ["LocalRunner", "LocalRunning", "command", "declared", "environment", "furnish"]

# Nothing may wait for an answer that cannot come, and nothing may hold back its lines.
# What the parent's environment says wins.
QUIET = {
    "PYTHONUNBUFFERED": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
}

_ENCODED = (sys.getfilesystemencoding(), "surrogateescape")


class LocalRunner:
    """Runs jobs on this machine.

    Source: Kestra's ``io.kestra.plugin.core.runner.Process``.
    """

    def __init__(self, work: Path) -> None:
        self.work = work

    def root(self, run: str) -> Path:
        return self.work / run

    def start(self, job: Job, ready: Callable[[], object] = bool) -> LocalRunning:
        before = snapshot(Path(job.root)) if job.here and not job.outputs else None
        if job.inputs:  # placing them may take long: who dies meanwhile shall be known
            ready()
            furnish(job)
            return LocalRunning(job, supervise.start(command(job)), before)

        def furnished() -> None:
            _furnish_root(job)
            ready()

        make_private(Path(job.log_dir))  # for the rest there is time while a guardian reads what it is to do
        return LocalRunning(job, supervise.start(command(job), furnished), before)

    def attach(self, job: Job) -> LocalRunning:
        return LocalRunning(job, supervise.attach(Path(job.log_dir), show_bytes=2 * current().head_bytes))


class LocalRunning:
    """A job that runs here; *before* is what lay in the notebook's own folder, where nothing was declared."""

    def __init__(self, job: Job, child: supervise.Child, before: dict[str, Any] | None = None) -> None:
        self.job = job
        self._child = child
        self._before = before

    def events(self) -> Iterator[Event]:
        return self._child.events()

    @property
    def ended(self) -> bool:
        return self._child.ended.is_set()

    def stop(self, *, grace: float | None = None, reason: Reason = "stop") -> None:
        self._child.stop(grace=grace, reason=reason)

    def collect(self) -> Found:
        if self._before is None:
            return declared(self.job)
        _forget_context(self.job)
        return Found(changed(Path(self.job.root), self._before))


def furnish(job: Job) -> None:
    """Make the job's folders and place its files.

    Raises:
        KestraMagicError: a name leads out of the directory, an original is gone, or the disk does not take it.
    """
    make_private(Path(job.log_dir))
    _furnish_root(job)


def _furnish_root(job: Job) -> None:
    root = Path(job.root)
    directory = WorkDirectory(root) if job.here or job.shared else WorkDirectory.make(root)
    for folder in job.folders:
        make_private(root / folder if folder.isalnum() else directory.resolve(folder))
    if job.inputs:
        place(directory, [_file(p) for p in job.inputs if not p.in_logs])
        place(WorkDirectory(Path(job.log_dir)), [_file(p) for p in job.inputs if p.in_logs])


def declared(job: Job) -> Found:
    """Return the files that the job declares. Source: ``CommandsWrapper.getOutputFiles``: globs win over the folder."""
    root = Path(job.root)
    _forget_context(job)
    found, misses = collect(root, job.outputs)
    whole = collect(root / job.output_dir, ["**"])[0] if job.output_dir else {}
    return Found({**whole, **found}, tuple(misses))


def _forget_context(job: Job) -> None:
    if any(placed.name == CONTEXT_FILE for placed in job.inputs):
        Path(job.root, CONTEXT_FILE).unlink(missing_ok=True)


def _file(placed: Placed) -> PlacedFile:
    return PlacedFile(placed.name, placed.content, Path(placed.source) if placed.source else None)


def command(job: Job) -> supervise.Command:
    """Return what the process room starts."""
    return supervise.Command(
        argv=job.argv,
        env=environment(job.env),
        cwd=Path(job.root),
        log_dir=Path(job.log_dir),
        task_run=job.task_run,
        attempt=job.attempt,
        timeout=job.timeout,
        grace=job.grace,
        background=job.background,
        mask=job.mask,
        merge=job.merge,
        tty=job.tty,
        detach=job.detach,
        marker=job.marker,
        locks=job.locks,
        log_cap=current().log_cap_bytes,
        show_bytes=2 * current().head_bytes,
    )


def environment(more: Mapping[str, str | None]) -> dict[str, str]:
    """The whole environment of this process, with *more* over it; None takes a name away."""
    merged: dict[str, str | None] = {**QUIET, **_own(), **more}
    return {name: value for name, value in merged.items() if value is not None}


def _own() -> Mapping[str, str]:
    """Python asks six of its own functions for each variable that it gives as a text, and two for bytes."""
    if sys.platform == "win32":
        return os.environ
    return {name.decode(*_ENCODED): value.decode(*_ENCODED) for name, value in os.environb.items()}
