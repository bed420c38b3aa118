"""``Subflow``: another flow of this notebook, as an execution of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kestra_magic.expressions.scope import each_text
from kestra_magic.model.flowables import Subflow
from kestra_magic.model.property import is_template
from kestra_magic.runs.progress import State
from kestra_magic.runs.task.life import Life

if TYPE_CHECKING:
    from kestra_magic.process.events import Reason
    from kestra_magic.runs.flow.run import FlowRun

__all__ = ["SubflowLife"]


class SubflowLife(Life):
    """Source: ``io.kestra.plugin.core.flow.Subflow``."""

    task: Subflow
    _run: FlowRun | None = None

    def _attempt(self) -> State:
        namespace, flow_id, inputs = self._asked()
        with self._lock:
            if self._stop:
                return State.KILLED
            assert self.context.launch is not None
            self._run = run = self.context.launch(namespace, flow_id, inputs)
        self.result.outputs = {"executionId": run.id}
        run.start()
        if not self.task.wait:
            return State.SUCCESS
        run.wait_on()
        outputs = {"state": run.state.value, "outputs": run.flow_outputs}
        self.result.outputs = {"executionId": run.id, **outputs, **self._own(run)}
        return self._judged(run)

    def _asked(self) -> tuple[str, str, dict[str, Any]]:
        place = self.context.place(self.task, self.id, self.attempts, self.frame)
        given = self.task.namespace
        namespace = place.namespace if given is None else given.resolve(place.render)
        with place.at(("inputs",), self.task.inputs):
            inputs = each_text(self.task.inputs, lambda text: place.value(text) if is_template(text) else text)
        return namespace, place.render(self.task.flow_id), inputs

    def _own(self, run: FlowRun) -> dict[str, Any]:
        """The deprecated ``outputs``: expressions of the caller, rendered as the subflow sees them."""
        asked = self.task.outputs or {}
        return {"outputs": {name: run.rendered_value(value) for name, value in asked.items()}} if asked else {}

    def _judged(self, run: FlowRun) -> State:
        if run.state.ok or not self.task.transmit_failed:
            return State.SUCCESS if run.state is not State.WARNING else State.WARNING
        self.result.error = f"the flow `{run.context.flow_id}` ended as {run.state.value}: {run.error}".rstrip(": ")
        return State.KILLED if run.state is State.KILLED else State.FAILED

    def _end(self, grace: float | None, reason: Reason) -> None:
        if self._run is not None:
            self._run.stop(grace=grace, reason=reason)
