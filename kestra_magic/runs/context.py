"""What the tasks of one execution share: what expressions see, where files go, who runs them."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError, did_you_mean_beside
from kestra_magic.expressions.scope import Scope
from kestra_magic.runs.broadcast import Broadcast
from kestra_magic.runs.broom import Broom
from kestra_magic.runs.flow.gates import Gates
from kestra_magic.runs.host import SessionHost
from kestra_magic.runs.journal.entry import Entry
from kestra_magic.runs.masking import forms, painted
from kestra_magic.runs.outcomes import arrange, of_turns, put
from kestra_magic.runs.progress import Progress, State
from kestra_magic.runs.result import LEVELS
from kestra_magic.runs.task.groups import WORKER_PYTHON
from kestra_magic.runs.task.retry import next_delay
from kestra_magic.runs.wishes import Wishes
from kestra_magic.settings import current
from kestra_magic.tasks.place import Path_, Place
from kestra_magic.workspace.directory import OWN, id_from, new_id
from kestra_magic.workspace.inputs import Uploaded, placed
from kestra_magic.workspace.outputs import OutputFile, OutputFiles
from kestra_magic.workspace.storage import slug, task_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kestra_magic.model.flow import Flow
    from kestra_magic.model.retry import Retry
    from kestra_magic.model.source import Document
    from kestra_magic.model.tasks import Task
    from kestra_magic.process.events import Stream
    from kestra_magic.process.gpu import Gpus
    from kestra_magic.runners.job import Runner
    from kestra_magic.runs.flow.run import FlowRun
    from kestra_magic.runs.frame import Frame
    from kestra_magic.runs.journal.journal import Journal, Record
    from kestra_magic.runs.progress import Happening
    from kestra_magic.runs.request import CellDocument, Request
    from kestra_magic.runs.result import Entry as LogEntry
    from kestra_magic.runs.result import TaskResult
    from kestra_magic.runs.run import Run
    from kestra_magic.stores.environments import Interpreter
    from kestra_magic.stores.kv import KV
    from kestra_magic.stores.secrets import Secrets
    from kestra_magic.tasks.place import Prepared
    from kestra_magic.workspace.directory import RunFolder
    from kestra_magic.workspace.storage import Storage

__all__ = ["Context"]


@dataclass(kw_only=True)
class Context:
    """One execution.

    Attributes:
        document: what was written, with its lines; *task_paths* say where each task lies in it.
        notebook: the names that expressions see behind Kestra's roots; None for flows.
        outputs: those of the notebook's earlier runs in a cell, those of its own tasks in a flow.
        live: what each task run left so far, in the order of their beginning.
        notices: what is to be told before the next task starts.
        state: of the execution, as expressions see it.
        flow_outputs: what the flow itself gives. *executions*: the state of each by its id, where a retry makes
            new ones; *renewal*: seconds until the next one.
        entries, error: what the execution itself logged, and why it failed where no task did.
        launch: gives another flow of this notebook, by namespace and id, as a run that is not yet started.
        launched: see `shown`; also set when it has ended without a process.
        options: of the magic line and the `#|` lines, by long name.
        request: what was typed; it is enough to run it again.
        of: the journal's row, of a run that another kernel began; *again*: from its beginning.
        anew: makes the same run once more, with other inputs; *afterwards* is called when it has ended.
    """

    name: str
    flow_id: str
    namespace: str
    document: Document | CellDocument
    folder: RunFolder
    runner: Runner
    storage: Storage
    kv: KV
    secrets: Secrets
    python: Interpreter
    beside: Path
    wishes: Wishes = field(default_factory=Wishes)
    notebook: Mapping[str, object] | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    trigger: dict[str, Any] = field(default_factory=dict)
    retry: Retry | None = None
    flow: Flow | None = None
    state: State = State.RUNNING
    id: str = field(default_factory=new_id)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    states: dict[str, Any] = field(default_factory=dict)
    task_paths: dict[str, Path_] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    options: Mapping[str, Any] = field(default_factory=dict)
    flow_outputs: dict[str, Any] = field(default_factory=dict)
    executions: dict[str, State] = field(default_factory=dict)
    renewal: float = 0.0
    entries: list[LogEntry] = field(default_factory=list)
    error: str = ""
    launch: Callable[[str, str, Mapping[str, Any]], FlowRun] | None = None
    request: Request | None = None
    journal: Journal | None = None
    of: Record | None = None
    again: bool = False
    anew: Callable[[Mapping[str, Any], Mapping[str, Any]], Run] | None = None
    afterwards: Callable[[], None] = lambda: None
    gpus: Gpus | None = None

    def __post_init__(self) -> None:
        self.live: dict[str, TaskResult] = {}
        self.before = dict(self.outputs)
        self.first = self.started
        if self.folder.instead_of:
            self.notices.append(f"`{self.folder.instead_of}` cannot be written: results lie in `{self.folder.base}`")
        self.broadcast = Broadcast(Progress(self.name))
        self.pauses = Gates()
        self.host = SessionHost(self)
        self._envs = _Envs()
        self.launched = threading.Event()
        self.entry = Entry(self, self.journal, self.of)
        self._lock = threading.RLock()
        self._broom = Broom(self._gone)

    @property
    def cell(self) -> bool:
        return self.notebook is not None

    @property
    def outlives(self) -> bool:
        """Whether it goes on when this kernel ends."""
        return self.wishes.detach or (self.of is not None and self.of.detached)

    def emit(self, event: Happening) -> None:
        self.broadcast.emit(event)

    def shown(self) -> None:
        """Its first process was asked for, or what comes may take long: whoever waits may be shown that it begins."""
        self.launched.set()
        self.broadcast.open()

    def new_task_run(self) -> str:
        return new_id()

    # Before a task

    def place(self, task: Task, task_run: str, attempt: int, frame: Frame, *, runner: Runner | None = None) -> Place:
        roots = self.roots(task, task_run, attempt, frame)
        attempted = f"{task_run}-{attempt}"
        own = self.beside if self.wishes.here else (runner or self.runner).root(attempted)
        elsewhere = runner not in (None, self.runner) and not self.options.get("python")
        root = frame.root or own
        return Place(
            name=task.id,
            task_run=task_run,
            attempt=attempt,
            root=str(root),
            log_dir=os.path.join(self.folder.path, OWN, attempted),
            namespace=self.namespace,
            scope=lambda more: Scope({**roots, **more}, self.notebook, inputs_fall_back=self.cell),
            where=lambda path, line: self.document.source.at(
                self.document.text_line((*self.task_paths.get(task.id, ()), *path), line - 1)
            ),
            host=self.host,
            storage=self.storage,
            python=WORKER_PYTHON if elsewhere else self.python,
            cell=self.cell,
            raw=self.wishes.raw,
            here=self.wishes.here,
            shared=bool(frame.root),
            files=self.wishes.files,
            values=self.notebook or {},
            env_file=self.wishes.env_file,
            options=self._job_options(),
            mask=self.masked_values,
            notice=self.notices.append,
        )

    def roots(self, task: Task, task_run: str, attempt: int, frame: Frame) -> dict[str, Any]:
        """Source: Kestra's ``RunVariables``."""
        known = {"id": task_run, "startDate": datetime.now(UTC), "attemptsCount": attempt - 1, **frame.variables()}
        roots = self.run_roots() | {"task": {"id": task.id, "type": task.type}, "taskrun": known}
        if frame.item is not None:
            roots |= {"item": frame.item, "outputs": self.outputs_in(frame)}
        return roots | ({"parent": frame.parents[0], "parents": list(frame.parents)} if frame.parents else {})

    def outputs_in(self, frame: Frame) -> dict[str, Any]:
        """Return the outputs as a turn of Kestra 2's ``Loop`` sees them: those of the turn are there as they are."""
        return of_turns(self.outputs, frame.turns)

    def run_roots(self) -> dict[str, Any]:
        """What is known outside of any task: a flow's outputs are rendered with it."""
        roots = {**self.flow_roots(), "outputs": self.outputs, "tasks": self.states}
        return roots | ({"inputs": self.inputs} if self.inputs or self.cell else {})

    def flow_roots(self) -> dict[str, Any]:
        """What is known before any task runs: inputs' defaults are rendered with it."""
        return {
            "flow": {"id": self.flow_id, "namespace": self.namespace, "revision": 1},
            "execution": {
                "id": self.id,
                "originalId": next(iter(self.executions), self.id),
                "startDate": self.started,
                "state": self.state.value,
            },
            "envs": self._envs,
            "globals": {},
            "kestra": {"environment": "notebook", "url": ""},
            **({"vars": self.variables} if self.variables else {}),
            **({"labels": self.labels} if self.labels else {}),
            **({"trigger": self.trigger} if self.trigger else {}),
        }

    def upload(self, name: str, value: Any) -> str:
        """Put a FILE input into the internal storage; return its URI (``FlowInputOutput``)."""
        space = "/".join((self.namespace.replace(".", "/"), slug(self.flow_id), "executions", self.id, "inputs", name))
        if isinstance(value, Uploaded):
            return self.storage.put(value.content, f"kestra:///{space}/{value.name}")
        if not isinstance(value, str | os.PathLike):
            (file,) = placed({name: value}, self.storage, namespace=self.namespace)
            return self.storage.put(file.content or b"", f"kestra:///{space}/{name}")
        path = self.beside / os.fspath(value)
        if not path.is_file():
            raise KestraMagicError(f"there is no file `{value}` beside the notebook{did_you_mean_beside(path)}")
        return self.storage.link(path, f"kestra:///{space}/{path.name}")

    def written(self, task: Task) -> Any:
        """Return the properties of *task* as they were written."""
        return self.document.at(self.task_paths[task.id])

    def _job_options(self) -> dict[str, Any]:
        wishes, settings = self.wishes, current()
        return {
            "grace": settings.grace_seconds if wishes.grace is None else wishes.grace,
            "background": wishes.background or settings.background,
            "merge": wishes.merge,
            "tty": wishes.tty,
            "detach": wishes.detach,
            "marker": int.from_bytes(os.urandom(6), "little") | 1 << 47,
            "locks": tuple(self.gpus.held) if self.gpus else (),
        }

    def masked_values(self) -> tuple[str, ...]:
        """What must never be seen: secrets that were read, values of ``--env-file``, the setting ``mask``."""
        values = {*self.secrets.used, *self.wishes.env_file.values(), *current().mask}
        return tuple(sorted(value for value in values if len(value) >= 3))

    def masked(self, text: str) -> str:
        """Paint over what must not be seen, also where it is encoded."""
        return str(painted(text, forms(self.masked_values())))

    def told(self) -> list[str]:
        """Return, once, what was noticed while preparing."""
        said, self.notices[:] = list(dict.fromkeys(self.notices)), []
        return said

    def shows(self, task: Task, stream: Stream) -> bool:
        if task.log_to_file:
            return False
        least = LEVELS.index(task.log_level or "TRACE")
        return LEVELS.index("ERROR" if stream == "stderr" else "INFO") >= least

    def retry_of(self, task: Task, frame: Frame) -> Retry | None:
        """Return the retry of the task, else of its nearest parent, else of the flow."""
        return task.retry or frame.retry or self.retry

    # After a task

    def keep(self, task: Task, result: TaskResult, found: Mapping[str, Path], frame: Frame) -> OutputFiles:
        """Move the declared files to where they stay, and give each its URI in the internal storage.

        Raises:
            KestraMagicError: one cannot be moved: it stays where it was made, with those after it.
        """
        kept: dict[str, OutputFile] = {}
        for name, path in sorted(found.items()):
            try:
                kept[name] = self._kept(task, result, name, path, frame)
            except KestraMagicError as error:
                result.files, result.stranded = OutputFiles(kept), True
                raise KestraMagicError(f"{error}; it was left in `{path}`") from None
        return OutputFiles(kept)

    def _kept(self, task: Task, result: TaskResult, name: str, path: Path, frame: Frame) -> OutputFile:
        below = name if self.cell else "/".join((task.id, *map(_folder, frame.path), name))
        stays = path if self.wishes.here else self.folder.adopt(path, below)
        uri = task_uri(self.namespace, self.flow_id, self.id, task.id, result.id, str(path), Path(name).name)
        return OutputFile(name, stays, self.storage.link(stays, uri))

    def settle(self, task: Task, result: TaskResult, frame: Frame) -> None:
        """Make the task's outputs and its state visible to what comes after (``Execution.outputs``)."""
        outputs = result.outputs
        if outputs is not None and frame.inherited and frame.value is not None:
            outputs = {**outputs, frame.value: outputs}  # Kestra counts the value twice; both ways lead there
        with self._lock:
            if outputs is not None:
                put(self.outputs, (task.id, *frame.path), outputs)
            put(self.states, (task.id, *frame.path), {"state": result.state.value})

    def arrange(self, tasks: Iterable[str], path: tuple[str, ...], values: list[str]) -> None:
        """Bring the outputs of *tasks* at *path* into the order of *values*."""
        with self._lock:
            for known in (self.outputs, self.states):
                for task in tasks:
                    arrange(known, (task, *path), values)

    def label(self, labels: Mapping[str, Any]) -> None:
        """Add *labels* to those of the execution."""
        self.labels = {**self.labels, **labels}

    def forget(self) -> int:
        """Take the files of this execution out of the storage; return how many there were."""
        uris = [file.uri for result in [*self.live.values()] for file in result.files.values()]
        return sum(map(self.storage.delete, uris))

    def renew(self, retry: Retry) -> bool:
        """Ask for a new execution after this one; return whether *retry* still has one."""
        elapsed = (datetime.now(UTC) - self.first).total_seconds()
        delay = next_delay(retry, attempts=len(self.executions) + 1, elapsed=elapsed)
        self.renewal = delay or 0.0
        return delay is not None

    def begin_again(self, id: str) -> None:  # noqa: A002 - Kestra's word
        """Be a new execution of the same flow, in which nothing has run (``ExecutionService.replay``)."""
        self.id, self.started, self.state, self.error = id, datetime.now(UTC), State.RUNNING, ""
        self.outputs, self.states = {}, {}
        self.label({"system": {"replay": "true"}})

    def finish(self, state: State, error: str) -> None:
        """Write what is known into ``run.json`` and make this run the latest of its name."""
        from kestra_magic.runs.journal.record import write_record

        if self.entry.mine:
            write_record(self, state, error)
            self.folder.publish()

    def clean(self, result: TaskResult) -> None:
        """Source: the ``finally`` of Kestra's ``Worker.run``: the working directory goes with its attempt."""
        prepared = result.prepared
        if prepared is None or not self.entry.mine:
            return
        if prepared.job.here or prepared.job.shared or result.stranded or (result.exit and result.exit.kept):
            self.entry.over(prepared)
        elif self.cell:
            self._broom.next_time(prepared)
        else:
            self._broom.soon(prepared)

    def _gone(self, prepared: Prepared, why_not: str) -> None:
        if why_not:
            self.notices.append(why_not)
        self.entry.over(prepared)

    def swept(self) -> None:
        """Return when the directories of all attempts are gone: no task waits for that, and no cell for its result."""
        self._broom.finish()


def _folder(value: str) -> str:
    """Return a loop's *value* as the name of a folder."""
    plain = re.sub(r"[^\w.=-]+", "-", value).strip("-.")[:60]
    return plain if plain == value else f"{plain}-{id_from(value)[:8]}".lstrip("-")


class _Envs:
    """``envs``: the environment as it was when an expression first asked."""

    @cached_property
    def _known(self) -> dict[str, str]:
        return environment_variables(os.environ)

    def __kestra__(self) -> dict[str, str]:
        return self._known


def environment_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """``KESTRA_FOO`` and ``ENV_FOO`` are ``envs.foo`` (``RunContextCache``; the prefix was renamed in 0.23)."""
    prefixes = ("ENV_", "KESTRA_")
    names = [name for name in environ if name.startswith(prefixes)]
    return {
        name.removeprefix(prefix).lower(): environ[name]
        for prefix in prefixes
        for name in names
        if name.startswith(prefix)
    }
