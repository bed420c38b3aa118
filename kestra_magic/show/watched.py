"""What the console knows of a run: one view of it that lives as long as the notebook's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kestra_magic.show.logview import Log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kestra_magic.runs.run import Run

__all__ = ["Earlier", "Watched", "WatchedRun"]

Earlier = tuple[str, "Mapping[str, float]"]
"""A run of the same name, as a person calls it, and the last value of each of its metrics."""


class Watched(Protocol):
    """What is looked at. Everything may be asked while the run lives, from any thread."""

    @property
    def name(self) -> str: ...
    @property
    def variable(self) -> str:
        """The notebook's name of the run; code that is offered uses it."""
        ...

    @property
    def log(self) -> Log | None: ...
    @property
    def log_path(self) -> Path | None: ...
    @property
    def root(self) -> Path | None:
        """Where its files are now: the work directory while it lives, the run's folder afterwards."""
        ...

    @property
    def inputs(self) -> Mapping[str, str]:
        """Files that were placed, by name, with the digest-like stamp they had then; empty where unknown."""
        ...

    @property
    def collected(self) -> bool:
        """Whether only declared files are left."""
        ...

    def declared(self, name: str) -> bool: ...
    @property
    def beside(self) -> Path:
        """The notebook's folder."""
        ...

    @property
    def vars(self) -> Mapping[str, Any]: ...
    @property
    def metrics(self) -> Sequence[Mapping[str, Any]]:
        """Every entry in the order it came: name, type, value, tags, at."""
        ...

    @property
    def earlier(self) -> Sequence[Earlier]: ...
    @property
    def rendered(self) -> str: ...
    @property
    def usual_seconds(self) -> float | None: ...
    @property
    def error(self) -> str: ...
    @property
    def hint(self) -> str: ...
    def render(self, expression: str) -> str:
        """Evaluate *expression* as a task of this run would.

        Raises:
            KestraMagicError: it cannot be.
        """
        ...


class WatchedRun:
    """A `Run` as the console sees it.

    Args:
        variable: the notebook's name for it.
        earlier: runs of the same name, oldest first.
    """

    def __init__(self, run: Run, variable: str = "", earlier: Sequence[Run] = ()) -> None:
        self._run = run
        self._earlier = earlier
        self.name = run.name
        self.variable = variable or run.name.replace("-", "_")

    @property
    def log(self) -> Log | None:
        return self._run.log.file

    @property
    def log_path(self) -> Path | None:
        return self._run.log.path

    @property
    def root(self) -> Path | None:
        work = Path(self._run.workdir) if self._run.workdir else None
        return work if work and not self._run.ended else self._run.folder

    @property
    def inputs(self) -> Mapping[str, str]:
        return {}

    @property
    def collected(self) -> bool:
        return self._run.ended

    def declared(self, name: str) -> bool:
        from kestra_magic.workspace.outputs import path_matcher

        prepared = self._run.result.prepared
        globs = tuple(getattr(prepared.job, "outputs", ())) if prepared else ()
        return name in self._run.files or any(path_matcher(glob)(name) for glob in globs)

    @property
    def beside(self) -> Path:
        return self._run.context.beside

    @property
    def vars(self) -> Mapping[str, Any]:
        return self._run.vars

    @property
    def metrics(self) -> Sequence[Mapping[str, Any]]:
        return [
            {"name": m.name, "type": m.type, "value": m.value, "tags": dict(m.tags), "at": m.at}
            for m in self._run.metrics.entries
        ]

    @property
    def earlier(self) -> Sequence[Earlier]:
        return [
            (f"run {n}", {name: r.metrics[name].last for name in r.metrics}) for n, r in enumerate(self._earlier, 1)
        ]

    @property
    def rendered(self) -> str:
        return self._run.rendered

    @property
    def usual_seconds(self) -> float | None:
        spent = sorted(run.duration for run in self._earlier if run.ok)
        return spent[len(spent) // 2] if spent else None

    @property
    def error(self) -> str:
        return self._run.error

    @property
    def hint(self) -> str:
        return self._run.hint

    def render(self, expression: str) -> str:
        from kestra_magic.expressions.render import render
        from kestra_magic.expressions.scope import Scope

        context = self._run.context
        roots = {
            **context.flow_roots(),
            "outputs": {**context.outputs, self.name: self._run.outputs or {"vars": self.vars}},
        }
        return str(render(expression, Scope(roots, context.notebook), context.host))
