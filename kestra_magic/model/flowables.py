"""Tasks that hold tasks, or wait (``io.kestra.plugin.core.flow``)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from kestra_magic.model.base import Flag, Model, Seconds, Text, Whole, refused
from kestra_magic.model.inputs import AnyInput
from kestra_magic.model.outputs import Output
from kestra_magic.model.property import Property, refusal
from kestra_magic.model.source import Path
from kestra_magic.model.tasks import AnyTask, InputFiles, NamespaceFiles, Task, Tasks

__all__ = [
    "AllowFailure", "Cache", "Dag", "DagTask", "EachParallel", "EachSequential", "Flowable", "ForEach", "If", "Loop",
    "LoopUntil", "Parallel", "Pause", "Sequential", "Sleep", "Subflow", "Switch", "WorkingDirectory", "all_of",
]  # fmt: skip


_RUNNABLE = "Only runnable tasks are allowed as children of a WorkingDirectory task"
_NO_GROUP = (
    "Cannot set a Worker Group in any WorkingDirectory sub-tasks, it is only supported at the WorkingDirectory level"
)


class Flowable(Task):
    """A task that only orders others; ``errors`` run when one of them failed, ``finally`` in any case."""

    errors: tuple[AnyTask, ...] = ()
    finally_: tuple[AnyTask, ...] = ()

    def children(self) -> tuple[Task, ...]:
        return (*self.main(), *self.errors, *self.finally_)

    def main(self) -> tuple[Task, ...]:
        """Return the tasks written within this one, without ``errors`` and ``finally``."""
        tasks: tuple[Task, ...] = getattr(self, "tasks", ())
        return tasks


def all_of(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """Return *tasks* and all that they hold, in the order of the text."""
    found: list[Task] = []
    left = list(tasks)[::-1]
    while left:
        task = left.pop()
        found.append(task)
        left.extend(reversed(task.children()))
    return tuple(found)


class Sequential(Flowable):
    tasks: Tasks


class AllowFailure(Flowable):
    tasks: Tasks


class Parallel(Flowable):
    """`concurrent`: how many at once; 0 is all."""

    tasks: Tasks
    concurrent: Property[int] = Property(0, int, "concurrent")


class ForEach(Flowable):
    """`concurrency_limit`: how many values at once; 0 is all."""

    tasks: Tasks
    values: Property[list[Any]]
    concurrency_limit: Property[int] = Property(1, int, "concurrencyLimit")


class Loop(Flowable):
    """Kestra 2.0's ForEach: of a list, a map, or the lines of a file; `outputs` declares what leaves it."""

    tasks: Tasks
    values: Property[Any]
    concurrency_limit: Property[int] = Property(1, int, "concurrencyLimit")
    transmit_failed: Flag = True
    outputs: tuple[Output, ...] = ()
    fetch_type: Literal["AUTO", "FETCH", "STORE"] = "AUTO"


class EachSequential(Flowable):
    tasks: Tasks
    value: Property[list[Any]]


class EachParallel(EachSequential):
    concurrent: Property[int] = Property(0, int, "concurrent")


class If(Flowable):
    condition: Text
    then: Tasks
    else_: tuple[AnyTask, ...] = ()

    def main(self) -> tuple[Task, ...]:
        return (*self.then, *self.else_)


class Switch(Flowable):
    value: Text
    cases: dict[str, tuple[AnyTask, ...]] = Field(default_factory=dict)
    defaults: Annotated[tuple[AnyTask, ...], BeforeValidator(lambda tasks: () if tasks is None else tasks)] = ()

    def main(self) -> tuple[Task, ...]:
        return (*(task for case in self.cases.values() for task in case), *self.defaults)


class DagTask(Model):
    task: AnyTask
    depends_on: tuple[Text, ...] = ()


class Dag(Flowable):
    tasks: tuple[DagTask, ...] = Field(min_length=1)
    concurrent: Property[int] = Property(0, int, "concurrent")

    def main(self) -> tuple[Task, ...]:
        return tuple(node.task for node in self.tasks)

    @model_validator(mode="after")
    def _acyclic(self) -> Dag:
        ids = {node.task.id for node in self.tasks}
        missing = [
            (("tasks", n, "dependsOn"), f"Not existing task id '{name}' in dependency")
            for n, node in enumerate(self.tasks)
            for name in node.depends_on
            if name not in ids
        ]
        if missing:
            raise refusal("Dag", None, missing)
        left = {node.task.id: set(node.depends_on) for node in self.tasks}
        while free := [name for name, needs in left.items() if not needs & left.keys()]:
            for name in free:
                del left[name]
        if left:
            raise refused(f"Cyclic dependency detected: {', '.join(left)}")
        return self


class Cache(Model):
    """Files of a WorkingDirectory that are kept from one execution to the next."""

    patterns: tuple[Text, ...]
    ttl: Seconds | None = None


class WorkingDirectory(Sequential):
    """Its tasks run one after the other in one directory."""

    input_files: InputFiles | None = None
    output_files: Property[list[str]] | None = None
    namespace_files: NamespaceFiles | None = None
    cache: Cache | None = None

    @field_validator("tasks")
    @classmethod
    def _runnable(cls, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        wrong: list[tuple[Path, str]]
        wrong = [((n,), _RUNNABLE) for n, task in enumerate(tasks) if isinstance(task, Flowable)]
        wrong += [((n, "workerGroup"), _NO_GROUP) for n, task in enumerate(tasks) if task.worker_group is not None]
        if wrong:
            raise refusal("WorkingDirectory", tasks, wrong)
        return tasks


class Pause(Flowable):
    """Waits for a person, or for `pause_duration`; ``delay`` and ``timeout`` are its older names."""

    pause_duration: Property[timedelta] | None = None
    delay: Property[timedelta] | None = None
    behavior: Property[str] = Property("RESUME", str, "behavior")
    on_resume: tuple[AnyInput, ...] = ()
    on_pause: AnyTask | None = None
    tasks: tuple[AnyTask, ...] = ()


class Sleep(Task):
    duration: Property[timedelta]


class CheckFrequency(Model):
    max_iterations: Property[int] | None = None
    max_duration: Property[timedelta] | None = None
    interval: Property[timedelta] = Property("PT1S", timedelta, "interval")


class LoopUntil(Flowable):
    """Runs its tasks until `condition` holds (``WaitFor`` up to 0.21)."""

    tasks: Tasks
    condition: Property[str]
    check_frequency: CheckFrequency = Field(default_factory=lambda: CheckFrequency())
    fail_on_max_reached: Property[bool] = Property(False, bool, "failOnMaxReached")


class Subflow(Task):
    """Runs another flow of this notebook."""

    namespace: Property[str] | None = None
    flow_id: Text
    revision: Whole | None = None
    inputs: dict[str, Any] = Field(default_factory=dict)
    labels: Any = None
    wait: Flag = True
    transmit_failed: Flag = True
    inherit_labels: Property[bool] = Property(False, bool, "inheritLabels")
    outputs: dict[str, Any] | None = None
    schedule_date: Property[str] | None = None
    restart_behavior: Literal["RETRY_FAILED", "NEW_EXECUTION"] = "RETRY_FAILED"
