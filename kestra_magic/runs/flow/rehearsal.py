"""One execution of which only a part is real: what was asked, put together before it starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kestra_magic.runs.flow.earlier import Earlier, earlier
from kestra_magic.runs.flow.engine import Plan
from kestra_magic.runs.flow.fixtures import Fixtures, read_fixtures
from kestra_magic.runs.flow.inputs import value_at
from kestra_magic.runs.flow.selection import Selection, ids_of, plan_of, refuse_elsewhere
from kestra_magic.runs.journal.record import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kestra_magic.model.flow import Flow
    from kestra_magic.model.load import Loaded
    from kestra_magic.runs.context import Context
    from kestra_magic.runs.request import Request
    from kestra_magic.runs.session import Session

__all__ = ["Rehearsal", "asked_for", "rehearsal"]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Which tasks run, with which past and which world.

    Attributes:
        inputs: those of the fixtures or of the earlier execution; what is given by `-i` comes before them.
    """

    plan: Plan
    fixtures: Fixtures
    before: Earlier | None
    inputs: Mapping[str, Any]

    def into(self, context: Context) -> None:
        """Let *context* see what is not real; before its inputs are read."""
        self.fixtures.into(context)
        if self.before is not None:
            ran = {task.id for task in context.flow.all_tasks()} if context.flow else set()
            context.outputs = {name: value for name, value in self.before.outputs.items() if name in ran}
            context.states = {name: {"state": state} for name, state in self.before.states.items() if name in ran}
            which = str(context.options.get("reuse") or "last")
            said = "the last execution" if which == "last" else f"`{which}`"
            context.notices += [f"outputs of {said} are used again", *self._changed(context, self.before)]

    def _changed(self, context: Context, before: Earlier) -> list[str]:
        """Say which task's earlier outputs are used although it is not any more what gave them."""
        stays = ids_of(self.plan.given) - ids_of(self.fixtures.tasks) | self.plan.left_out
        reused = [task for task in (context.flow.all_tasks() if context.flow else ()) if task.id in stays]
        known = [task for task in reused if task.id in before.written and task.id in context.states]
        changed = [f"`{task.id}`" for task in known if before.written[task.id] != digest(context, task)]
        if not changed:
            return []
        which, was, its = ("tasks", "were", "their") if len(changed) > 1 else ("task", "was", "its")
        said = f"{which} {', '.join(changed)} {was} changed since run `{before.name}`"
        return [f"{said}; {its} earlier outputs are used"]

    def plan_in(self, context: Context) -> Plan:
        """Return the plan, expressions of the fixtures rendered; when the inputs are known."""
        return replace(self.plan, given={**self.plan.given, **self.fixtures.rendered(context)})


def asked_for(options: Mapping[str, Any]) -> bool:
    return any(options.get(name) for name in ("only", "until", "from", "reuse", "fixtures"))


def rehearsal(session: Session, loaded: Loaded, request: Request) -> Rehearsal:
    """Return what the options of *request* ask for.

    Raises:
        KestraMagicError: it cannot be, with the reason.
    """
    flow, options = loaded.flow, request.options
    asked = Selection.of(options)
    fixtures = read_fixtures(str(options.get("fixtures") or ""), request.beside, request.notebook)
    before = _before(session, request.name or flow.id, asked.earlier) if asked.earlier else None
    plan = plan_of(flow, asked, before, fixtures)
    refuse_elsewhere(loaded, plan)
    past = _flat(flow, before.inputs) if before is not None else {}
    return Rehearsal(plan, fixtures, before, {**past, **fixtures.inputs})


def _before(session: Session, name: str, wanted: str) -> Earlier:
    """A run of this kernel still has its values as they were; a record has them as JSON."""
    found = earlier(session.base, name, wanted)
    mine = next((run for run in session.runs if run.folder == session.base / found.name), None)
    return replace(found, inputs=mine.context.inputs, outputs=mine.context.outputs) if mine else found


def _flat(flow: Flow, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs by their ids; a record does not hold those that are secret."""
    found = {declared.id: value_at(inputs, declared.id) for declared in flow.inputs}
    hidden = {each.id for each in flow.inputs if each.type == "SECRET" and not str(found[each.id]).strip("*")}
    return {name: value for name, value in found.items() if value is not None and name not in hidden}
