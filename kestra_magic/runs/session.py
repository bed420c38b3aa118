"""The runs of this kernel, by name; what every one of them shares."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path, user_data_path

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.model.checks import written_tasks
from kestra_magic.model.load import load_flow
from kestra_magic.model.source import Source
from kestra_magic.runners.local import LocalRunner
from kestra_magic.runs.context import Context, Wishes
from kestra_magic.runs.flow import FlowEngine, FlowRun
from kestra_magic.runs.given import files_given, flow_inputs, inputs_given
from kestra_magic.runs.life import Life
from kestra_magic.runs.request import Request, Written, read
from kestra_magic.runs.run import Run
from kestra_magic.settings import current
from kestra_magic.stores.dotenv import read_dotenv
from kestra_magic.stores.environments import find
from kestra_magic.stores.secrets import Secrets
from kestra_magic.workspace.directory import RunFolder
from kestra_magic.workspace.storage import Storage

__all__ = ["Session", "UnknownRun", "session"]

APP = "kestra_magic"


class UnknownRun(KestraMagicError, KeyError):
    """No run of that name is known here."""

    __str__ = Exception.__str__


class Session:
    """One kernel's runs.

    Attributes:
        beside: the folder where the notebook lies.
        runs: every run of this kernel, the latest of a name last.
    """

    def __init__(self, beside: Path | None = None) -> None:
        self.beside = beside or Path.cwd()
        self.runs: list[Run] = []
        self._lock = threading.RLock()

    # Where things lie

    @property
    def base(self) -> Path:
        """The folder of results: ``kestra-runs`` beside the notebook, or where the setting says."""
        moved = current().runs_dir
        return Path(moved).expanduser().absolute() if moved else self.beside / "kestra-runs"

    @property
    def data(self) -> Path:
        return self.base / ".data" if current().runs_dir else user_data_path(APP)

    @property
    def work(self) -> Path:
        asked = current().work_dir
        if asked:
            return Path(asked).expanduser().absolute()
        return self.base / ".work" if current().runs_dir else user_cache_path(APP) / "work"

    @cached_property
    def storage(self) -> Storage:
        allowed = (self.beside, *map(Path, current().allowed_paths))
        return Storage(self.data / "storage", namespace_files=self.beside / current().namespace_files, allowed=allowed)

    # The runs

    def latest(self, name: str) -> Run:
        """Return the latest run of *name*.

        Raises:
            UnknownRun: there is none.
        """
        known = {run.name: run for run in self.runs}
        found = known.get(name) or known.get(name.replace("_", "-"))
        if found is None:
            raise UnknownRun(f"no run `{name}` is known here{did_you_mean(name, known)}")
        return found

    def outputs(self) -> dict[str, Any]:
        """``{{ outputs.NAME.… }}``: what the notebook's earlier runs gave, the latest of each name."""
        return {run.name: run.outputs for run in self.runs if run.ended}

    def live(self, name: str) -> Run | None:
        return next((run for run in reversed(self.runs) if run.name == name and not run.ended), None)

    def add(self, run: Run) -> Run:
        """Take in a new run.

        Raises:
            KestraMagicError: one of its name still lives.
        """
        with self._lock:
            if self.live(run.name):
                raise KestraMagicError(
                    f"`{run.name}` still runs: wait for it, or stop it with `%kestra stop {run.name}`"
                )
            self.runs.append(run)
        return run

    # A process cell

    def cell(self, request: Request) -> Run:
        """Return the run of a process cell, not yet started.

        Raises:
            KestraMagicError: what was typed cannot run, with its line.
        """
        written = read(request)
        context = self._context(request, written)
        return self.add(Run(context, Life(written.task, context)))

    def _context(self, request: Request, written: Written) -> Context:
        options = written.options
        env_file = self._env_file(options.get("env-file"), request.beside)
        return Context(
            name=request.name,
            flow_id="notebook",
            namespace=current().namespace,
            document=written.document,
            folder=RunFolder.allocate(self.base, request.name),
            runner=LocalRunner(self.work),
            storage=self.storage,
            secrets=Secrets(env_file),
            python=find(options.get("python")),
            beside=request.beside,
            notebook=request.notebook,
            wishes=wishes(options, env_file, files_given(options.get("file", []), request.beside, request.notebook)),
            inputs=inputs_given(options.get("input", []), request.notebook),
            outputs=self.outputs(),
            options=options,
            notices=list(written.notices),
        )

    # A flow

    def flow(
        self,
        source: Source,
        options: Mapping[str, Any],
        *,
        name: str = "",
        beside: Path,
        notebook: Mapping[str, object] | None = None,
    ) -> FlowRun:
        """Return the execution of a flow, not yet started.

        Raises:
            KestraMagicError: it cannot start: every problem with its line.
        """
        loaded = load_flow(source, strict=current().strict, namespace=current().namespace, name=name)
        flow = loaded.flow
        env_file = self._env_file(options.get("env-file"), beside)
        context = Context(
            name=name or flow.id,
            flow_id=flow.id,
            namespace=flow.namespace,
            document=loaded.document,
            folder=RunFolder.allocate(self.base, name or flow.id),
            runner=LocalRunner(self.work),
            storage=self.storage,
            secrets=Secrets(env_file),
            python=find(None),
            beside=beside,
            wishes=wishes(options, env_file, {}),
            variables=dict(flow.variables),
            labels=dict(flow.labels),
            retry=flow.retry,
            task_paths={task["id"]: path for path, task in written_tasks(loaded.document.value, ()) if "id" in task},
            notices=list(loaded.notices),
        )
        context.inputs = flow_inputs(flow, options, context, notebook or {})
        run = FlowRun(context, FlowEngine(flow, context))
        self.add(run)
        return run

    def _env_file(self, name: Any, beside: Path) -> Mapping[str, str]:
        return read_dotenv(beside / str(name)) if name else {}


def wishes(options: Mapping[str, Any], env_file: Mapping[str, str], files: Mapping[str, object]) -> Wishes:
    return Wishes(
        files=files,
        env_file=env_file,
        here=bool(options.get("here")),
        raw=bool(options.get("raw")),
        grace=options.get("grace"),
        background=options.get("background"),
        merge=bool(options.get("merge")),
        tty=bool(options.get("tty")),
        requeue=bool(options.get("requeue")),
        strict=bool(options.get("strict", current().strict)),
    )


_session: Session | None = None


def session() -> Session:
    """Return this kernel's session; made when first asked for."""
    global _session
    if _session is None:
        _session = Session(notebook_folder({}))
    return _session


def notebook_folder(names: Mapping[str, object]) -> Path:
    """Return the folder where the notebook lies, as far as its front end says; else the current one."""
    said = names.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
    folder = Path(str(said)).parent if said else Path.cwd()
    return folder if folder.is_absolute() and folder.is_dir() else Path.cwd()
