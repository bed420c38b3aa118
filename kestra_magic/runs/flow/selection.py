"""Only some of a flow's tasks: one, up to one, from one; what stands in for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError, did_you_mean
from kestra_magic.model import flowables as kinds
from kestra_magic.model.elsewhere import Elsewhere
from kestra_magic.model.source import Problem, SourceError
from kestra_magic.model.types import why_unknown
from kestra_magic.runs.flow.engine import Plan, StandIn
from kestra_magic.runs.flow.known import paths_of
from kestra_magic.runs.progress import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kestra_magic.model.flow import Flow
    from kestra_magic.model.load import Loaded
    from kestra_magic.model.tasks import Task
    from kestra_magic.runs.flow.earlier import Earlier
    from kestra_magic.runs.flow.fixtures import Fixtures

__all__ = ["Selection", "ids_of", "plan_of", "refuse_elsewhere"]

LOOPS = (kinds.ForEach, kinds.Loop, kinds.EachSequential, kinds.LoopUntil)
AT_ONCE = (kinds.Parallel, kinds.EachParallel)


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked: at most one of *only*, *until* and *start*.

    Attributes:
        start: `--from`. *reuse*: the earlier execution, `last` or a run.
    """

    only: str = ""
    until: str = ""
    start: str = ""
    reuse: str = ""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Selection:
        """Read the options of the magic line.

        Raises:
            KestraMagicError: two that do not go together.
        """
        asked = cls(*(str(options.get(name) or "") for name in ("only", "until", "from", "reuse")))
        given = [f"--{name}" for name in ("only", "until", "from") if options.get(name)]
        if len(given) > 1:
            raise KestraMagicError(f"{' and '.join(given)} do not go together: choose one")
        if asked.reuse and not (asked.start or asked.only):
            raise KestraMagicError("`--reuse` goes with `--from TASK` or `--only TASK`")
        return asked

    @property
    def earlier(self) -> str:
        """Which earlier execution is needed; nothing if none is."""
        return self.reuse or ("last" if self.start else "")

    def __bool__(self) -> bool:
        return bool(self.only or self.until or self.start)


def plan_of(flow: Flow, asked: Selection, before: Earlier | None, fixtures: Fixtures) -> Plan:
    """Return which tasks of *flow* run.

    Raises:
        KestraMagicError: there is no such task, or it must not be started from: why.
    """
    given: dict[Any, StandIn] = dict(fixtures.tasks)
    _known(given, flow)
    left_out: set[str] = set()
    if asked.only:
        left_out = _others(flow, asked.only) - ids_of(given)
    elif asked.until:
        left_out = _after(flow, asked.until)
    elif asked.start:
        assert before is not None
        given = _reused(flow, asked.start, before, given) | given
    return Plan(given, frozenset(left_out))


def refuse_elsewhere(loaded: Loaded, plan: Plan) -> None:
    """Refuse tasks that need a server and would run.

    Raises:
        SourceError: there are some; each with its line.
    """
    off = ids_of(plan.given) | plan.left_out
    running = _running(loaded.flow.tasks, off)
    more = (loaded.flow.errors, loaded.flow.finally_, loaded.flow.after_execution)
    tasks = [*running, *(task for each in more for task in _running(each, off))]
    paths, document = paths_of(loaded.document), loaded.document
    problems = [
        Problem(document.line(paths.get(task.id, ())), f"{why_unknown(task.type)}; or stand in with `--fixtures`")
        for task in tasks
        if isinstance(task, Elsewhere)
    ]
    if problems:
        raise SourceError(document.source, problems)


def _running(tasks: Iterable[Task], off: Iterable[str]) -> Iterator[Task]:
    for task in tasks:
        if not task.disabled and task.id not in off:
            yield task
            yield from _running(task.children(), off)


def ids_of(given: Mapping[Any, StandIn]) -> set[str]:
    """Return for which tasks something stands in, for all values of a loop or for one."""
    return {key if isinstance(key, str) else key[0] for key in given}


def _known(given: Mapping[Any, StandIn], flow: Flow) -> None:
    ids = [task.id for task in flow.all_tasks()]
    for name in ids_of(given):
        if name not in ids:
            raise KestraMagicError(f"fixtures: the flow has no task `{name}`{did_you_mean(name, ids)}")


def _way(flow: Flow, name: str) -> list[Task]:
    """Return the tasks that hold the task *name*, the outermost first, and it.

    Raises:
        KestraMagicError: the flow has none.
    """
    found = _search(flow.tasks, name)
    if found is None:
        ids = [task.id for task in flow.all_tasks()]
        said = "it runs only after the others" if name in ids else did_you_mean(name, ids).removeprefix("; ")
        raise KestraMagicError(f"`{flow.id}` has no task `{name}` to choose{f'; {said}' if said else ''}")
    return found


def _search(tasks: Iterable[Task], name: str) -> list[Task] | None:
    for task in tasks:
        if task.id == name:
            return [task]
        inner = _search(task.children(), name)
        if inner is not None:
            return [task, *inner]
    return None


def _others(flow: Flow, name: str) -> set[str]:
    """Every task but one, what holds it and what it holds."""
    way = _way(flow, name)
    stay = {task.id for task in way} | {task.id for task in _below(way[-1])}
    return {task.id for task in flow.all_tasks()} - stay


def _below(task: Task) -> Iterator[Task]:
    for inner in task.children():
        yield inner
        yield from _below(inner)


def _levels(flow: Flow, name: str) -> Iterator[tuple[Task | None, list[Task], Task]]:
    """Yield, from the outside, what holds a level, the tasks of that level, and which of them leads to *name*."""
    holder: Task | None = None
    level = list(flow.tasks)
    for task in _way(flow, name):
        yield holder, level, task
        holder, level = task, _siblings(task, name)


def _siblings(holder: Task, name: str) -> list[Task]:
    """The tasks of the one branch of *holder* in which *name* is."""
    branches: list[Iterable[Task]] = [holder.children()]
    if isinstance(holder, kinds.If):
        branches = [holder.then, holder.else_]
    elif isinstance(holder, kinds.Switch):
        branches = [*holder.cases.values(), holder.defaults]
    elif isinstance(holder, kinds.Flowable):
        branches = [holder.main(), holder.errors, holder.finally_]
    return next((list(branch) for branch in branches if _search(branch, name)), [])


def _after(flow: Flow, name: str) -> set[str]:
    """What comes after *name*: on each level, and at the flow's end; what runs beside it stays."""
    left = {task.id for task in (*flow.finally_, *flow.after_execution)}
    for holder, level, task in _levels(flow, name):
        if isinstance(holder, kinds.Dag):
            left |= _dependents(holder, task.id)
        elif not isinstance(holder, AT_ONCE):
            left |= {later.id for later in level[level.index(task) + 1 :]}
    return left


def _dependents(dag: kinds.Dag, name: str) -> set[str]:
    found: set[str] = set()
    while more := {node.task.id for node in dag.tasks if ({name} | found) & set(node.depends_on)} - found:
        found |= more
    return found


def _reused(flow: Flow, name: str, before: Earlier, given: Mapping[Any, StandIn]) -> dict[Any, StandIn]:
    """What stands in for all that ran before *name*; those with a fixture are not asked for."""
    done: list[Task] = []
    for holder, level, task in _levels(flow, name):
        _may_start_in(holder, level, task, name)
        if isinstance(holder, kinds.Dag):
            again = _dependents(holder, task.id) | {task.id}
            done += [each for each in level if each.id not in again]
        elif isinstance(holder, AT_ONCE):
            done += [each for each in level if each is not task]
        else:
            done += level[: level.index(task)]
    fixed = ids_of(given)
    return {task.id: _as_before(task, before) for task in done if not task.disabled and task.id not in fixed}


def _may_start_in(holder: Task | None, level: list[Task], task: Task, name: str) -> None:
    if isinstance(holder, LOOPS):
        raise KestraMagicError(f"`{name}` runs once for each turn of `{holder.id}`: start from `{holder.id}`")
    if isinstance(holder, kinds.WorkingDirectory) and level[0] is not task:
        said = f"`{name}` needs the files that `{level[0].id}` left in the directory of `{holder.id}`, which is gone"
        raise KestraMagicError(f"{said}: start from `{holder.id}`")


def _as_before(task: Task, before: Earlier) -> StandIn:
    state = before.states.get(task.id, "")
    if not state:
        raise KestraMagicError(f"`{task.id}` did not run in `{before.name}`: start from it, or from one before it")
    if not State(state).ok:
        raise KestraMagicError(f"`{task.id}` ended as {state} in `{before.name}`: start from it, or from one before it")
    outputs = before.outputs.get(task.id)
    return StandIn(outputs if isinstance(outputs, dict) else {}, State(state))
