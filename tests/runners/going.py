"""A job on a worker, watched from a thread of its own: what happened so far, and what has to come."""

from __future__ import annotations

import os
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.events import Event, Exited, Lost, Output, Requeued, Started
from kestra_magic.runners.dask.cluster import connect
from kestra_magic.runners.dask.runner import DaskRunner
from kestra_magic.runners.job import Job, Placed
from kestra_magic.runners.workers import Workers
from tests.process.survivors import wait_until

__all__ = ["Going", "go", "job", "lines", "python"]

SECONDS = 60.0


class Going:
    """A running job and its events."""

    def __init__(self, runner: DaskRunner, job: Job) -> None:
        self.job = job
        self.events: list[Event] = []
        self.refused = ""
        self.running = runner.start(job)
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        try:
            self.events.extend(self.running.events())
        except KestraMagicError as error:
            self.refused = str(error)

    def until(self, true: Callable[[], object]) -> None:
        assert wait_until(true, SECONDS), self.events

    def says(self, word: str) -> None:
        self.until(lambda: word in self.text())

    def text(self) -> str:
        return "".join(e.text for e in self.events if isinstance(e, Output) and e.kind == "lines")

    @property
    def where(self) -> str:
        return next((e.where for e in self.events if isinstance(e, Started)), "")

    def ended(self) -> list[Event]:
        self._thread.join(SECONDS)
        assert not self._thread.is_alive(), self.events
        return self.events

    def exited(self) -> Exited:
        last = self.ended()[-1]
        assert isinstance(last, Exited), (self.events, self.refused)
        return last

    def requeued(self) -> str:
        """Return why it is to begin again."""
        *_, lost, again = self.ended()
        assert isinstance(lost, Lost), self.events
        assert isinstance(again, Requeued), self.events
        return again.reason


def job(folder: Path, root: Path, *argv: str, name: str = "", **more: Any) -> Job:
    name = name or uuid.uuid4().hex[:12]
    files = {key: Placed(name=key, **value) for key, value in more.pop("inputs", {}).items()}
    return Job(
        name="task",
        task_run=name,
        argv=argv,
        root=str(root / name),
        log_dir=str(folder / f"log-{name}"),
        inputs=tuple(files.values()),
        **more,
    )


def go(address: str, what: Job, *tags: str, **how: Any) -> Going:
    return Going(DaskRunner(connect(address), Workers(tags or ("g",), **how)), what)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-u", "-c", code)


def lines(path: str | os.PathLike[str]) -> list[str]:
    return Path(path).read_text("utf-8").splitlines()
