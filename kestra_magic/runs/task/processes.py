"""Task runs that are a process: scripts, and what runs a command."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.events import Exited, Output, Requeued, Started, Usage
from kestra_magic.process.gpu import GpuWatch
from kestra_magic.process.logs import LogFile
from kestra_magic.runs.failure.explain import mapped_error
from kestra_magic.runs.progress import State
from kestra_magic.runs.task.groups import runner_for
from kestra_magic.runs.task.life import Life
from kestra_magic.runs.task.listen import Listener
from kestra_magic.settings import current
from kestra_magic.stores.dependencies import end
from kestra_magic.tasks.jobs import prepare

if TYPE_CHECKING:
    from subprocess import Popen

    from kestra_magic.process.events import Event, Reason
    from kestra_magic.runners.job import Runner, Running

__all__ = ["ProcessLife", "hms"]


class ProcessLife(Life):
    """A task run whose attempts are jobs."""

    _running: Running | None = None
    _helper: Popen[str] | None = None
    _runner: Runner
    _again = False
    _elsewhere = False
    """Whether another kernel started the process."""

    def _attempt(self) -> State:
        self._again = False
        try:
            self._prepare()
            with self._lock:
                if self._stop and not self._elsewhere:
                    return State.KILLED
                self._running = self._begun()
                if self._stop:
                    self._end(*self._stop)
            return self._followed(self._running)
        finally:
            self._running = None
            self.context.clean(self.result)

    def _begun(self) -> Running:
        assert self.result.prepared is not None
        if self.result.prepared.job.inputs:
            self.context.shown()
        running = self._runner.start(self.result.prepared.job, self._launching)
        try:
            self.context.entry.launched(self.result.prepared)
        except KestraMagicError as error:
            self._log("WARN", f"{error}: who finds this run later does not know what ran")
        self.context.shown()
        if self.context.cell:
            self.context.folder.expect_end()
        return running

    def _launching(self) -> None:
        assert self.result.prepared is not None
        self.context.entry.launching(self.result.prepared)
        for sentence in self.context.told():
            self._log("WARN", sentence)

    def _watch(self, helper: Popen[str] | None) -> None:
        """Something is installed for the task, or someone else's work is awaited: that ends with it.

        Raises:
            KestraMagicError: it has been stopped.
        """
        self.context.entry.begin()
        self.context.shown()
        with self._lock:
            if self._stop and helper is None:
                raise KestraMagicError(f"killed ({self._stop[1]})")
            self._helper = helper or self._helper
            if self._stop and helper:
                end(helper)

    def _end(self, grace: float | None, reason: Reason) -> None:
        if self._running is not None:
            self._running.stop(grace=grace, reason=reason)
        elif self._helper is not None and self._helper.poll() is None:
            end(self._helper)

    def _prepare(self) -> None:
        place = self.context.place(self.task, self.id, self.attempts, self.frame)
        self._runner = runner_for(self.task, self.context, place.render)
        if self._runner is not self.context.runner:
            place = self.context.place(self.task, self.id, self.attempts, self.frame, runner=self._runner)
        self.result.prepared = prepare(self.task, replace(place, watch=self._watch))
        self.result.log_file = LogFile(Path(place.log_dir))

    def _followed(self, running: Running) -> State:
        gpus = self.context.gpus
        with closing(GpuWatch(gpus.visible if gpus else None, self.result.saw_gpu)) as watch:
            self.result.exit = self._heard(running, watch)
        self._collect(running)
        return self._judged(self.result.exit)

    def _heard(self, running: Running, watch: GpuWatch) -> Exited | None:
        listener = Listener(self.result, self._log)
        ended: Exited | None = None
        here = False
        for event in running.events():
            self.context.emit(self._shown(event))
            if isinstance(event, Output):
                listener.hear(event)
            elif isinstance(event, Started) and not event.where:
                here = True
                self.context.entry.started(event, over=running.ended)
            elif isinstance(event, Usage):
                self.result.saw(processes=event.processes)
                if here:
                    watch.look(event.pids)
            elif isinstance(event, Exited):
                ended = event
                self._left_behind(event)
            elif isinstance(event, Requeued):
                self._requeue(event.reason)
        return ended

    def _left_behind(self, end: Exited) -> None:
        """With `background: kill`: what outlived the command was ended, and that is told."""
        if end.ended and not end.reason:
            self._log(
                "WARN", f"ended {end.ended} process{'es' if end.ended != 1 else ''} that the command left running"
            )

    def _requeue(self, reason: str) -> None:
        """Its worker is gone: the attempt has failed, and the run begins again, on another."""
        self._again = True
        self._lost += 1
        more = self._lost <= current().requeue_attempts
        follows = "it is queued again, from its beginning" if more else "that was the last try (`requeue_attempts`)"
        self._log("WARN", f"attempt {self.attempts} is lost: {reason}; {follows}")
        self.result.error = reason

    def _begins_again(self) -> bool:
        return self._again and self._lost <= current().requeue_attempts

    def _shown(self, event: Event) -> Event:
        """Below the task's ``logLevel`` nothing is shown: stdout speaks at INFO, stderr at ERROR."""
        if isinstance(event, Output) and event.kind != "frame" and not self.context.shows(self.task, event.stream):
            return replace(event, text="")
        return event

    def _collect(self, running: Running) -> None:
        """Declared files are kept on failure, timeout and kill too: better than Kestra, which loses them."""
        result = self.result
        found = running.collect()
        prepared = result.prepared
        keys = prepared.keys if prepared else {}
        named = {renamed: path for name, path in found.files.items() if (renamed := keys.get(name, name))}
        try:
            result.files = self.context.keep(self.task, result, named, self.frame)
        finally:
            result.outputs = self._outputs()
        result.files.misses = found.misses
        for sentence in found.misses:
            self._log("WARN", sentence)

    def _outputs(self) -> dict[str, Any]:
        """Source: ``ScriptOutput``."""
        result = self.result
        files = {name: file.uri for name, file in result.files.items()}
        if result.exit is None:  # nobody knows how it ended; what it left is there
            return {"vars": result.vars, "outputFiles": files} if result.vars or files else {}
        more = result.prepared.outputs if result.prepared else {}
        return {"vars": result.vars, "exitCode": result.exit.code, "outputFiles": files, **more}

    def _judged(self, end: Exited | None) -> State:
        result = self.result
        if end is None:
            result.error = result.error or "whoever ran the process is gone, and with it the knowledge of how it ended"
            return State.FAILED
        if end.reason and end.reason != "timeout":
            result.error = f"killed ({end.reason})"
            return State.KILLED
        if end.reason == "timeout":
            result.error = f"Timeout after {hms(result.prepared.job.timeout if result.prepared else 0)}"
        elif end.error:
            result.error = end.error
        elif end.code:
            result.error = f"Command failed with exit code {end.code}"
        if not result.error:
            return State.SUCCESS
        result.hint = mapped_error(result, self.context)
        return State.FAILED


def hms(seconds: float | None) -> str:
    """Source: ``DurationFormatUtils.formatDurationHMS``."""
    millis = round((seconds or 0) * 1000)
    hours, rest = divmod(millis, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
