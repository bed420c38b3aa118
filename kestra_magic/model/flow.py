"""A flow as it is written (Kestra's models/flows/Flow.java)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator

from kestra_magic.model.base import Flag, Model, Text, Whole, refused
from kestra_magic.model.flowables import all_of
from kestra_magic.model.inputs import AnyInput
from kestra_magic.model.outputs import Output
from kestra_magic.model.property import refusal
from kestra_magic.model.retry import Retry
from kestra_magic.model.scalars import as_text
from kestra_magic.model.tasks import AnyTask, Task, Tasks, WorkerGroup, WorkerSelector

__all__ = ["Concurrency", "Flow", "PluginDefault", "Trigger"]

_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9._-]*")


class Concurrency(Model):
    limit: Annotated[Whole, Field(ge=1)]
    behavior: Literal["QUEUE", "CANCEL", "FAIL"] = "QUEUE"


class Trigger(Model):
    """What would start the flow on a server: told here, not run; its properties pass unread."""

    model_config = ConfigDict(extra="allow")

    id: Text
    type: Text
    disabled: Flag = False


class PluginDefault(Model):
    """Values for all plugins whose type is, or begins with, `type`."""

    type: Text
    forced: Flag = False
    values: dict[str, Any] = Field(default_factory=dict)


def _labels(value: Any) -> Any:
    pairs = value.items() if isinstance(value, dict) else _pairs(value)
    labels = {}
    for key, text in pairs:
        if isinstance(text, dict | list):
            raise refused(f"{key}: must be a text")
        if key.startswith("system.") and key != "system.readOnly":
            said = f"System labels can only be set by Kestra itself, offending label: {key}={as_text(text)}"
            raise refused(said)
        labels[key] = as_text(text)
    return labels


def _pairs(value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(pair, dict) and "key" in pair for pair in value):
        raise refused("must be a map of names to texts, or a list of `key` and `value`")
    return [(as_text(pair["key"]), pair.get("value")) for pair in value]


class Flow(Model):
    id: Annotated[Text, Field(max_length=100)]
    namespace: Annotated[Text, Field(max_length=150)]
    tasks: Tasks
    description: Text | None = None
    inputs: tuple[AnyInput, ...] = ()
    variables: dict[str, Any] = Field(default_factory=dict)
    labels: Annotated[dict[str, str], BeforeValidator(_labels)] = Field(default_factory=dict)
    errors: tuple[AnyTask, ...] = ()
    finally_: tuple[AnyTask, ...] = ()
    after_execution: tuple[AnyTask, ...] = ()
    outputs: tuple[Output, ...] = ()
    plugin_defaults: tuple[PluginDefault, ...] = ()
    task_defaults: tuple[PluginDefault, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    listeners: Any = None
    concurrency: Concurrency | None = None
    retry: Retry | None = None
    disabled: Flag = False
    sla: Any = None
    checks: Any = None
    worker_group: WorkerGroup | None = None
    worker_selector: WorkerSelector | None = None
    revision: Whole | None = None
    tenant_id: Text | None = None
    deleted: Flag = False

    @field_validator("id")
    @classmethod
    def _id(cls, value: str) -> str:
        if not _ID.fullmatch(value):
            raise refused(f"`{value}` must match `^[a-zA-Z0-9][a-zA-Z0-9._-]*`")
        return value

    @field_validator("namespace")
    @classmethod
    def _lower(cls, value: str) -> str:
        if not _NAMESPACE.fullmatch(value):
            raise refused(f"`{value}` must match `^[a-z0-9][a-z0-9._-]*`: lower-case letters, digits, `.`, `_` and `-`")
        return value

    @field_validator("inputs")
    @classmethod
    def _dependencies(cls, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        needs = {declared.id: declared.depends_on.inputs if declared.depends_on else () for declared in inputs}
        wrong = [
            ((n, "dependsOn"), f"Input with id '{declared.id}' depends on a non-existent input '{name}'.")
            for n, declared in enumerate(inputs)
            for name in needs[declared.id]
            if name not in needs
        ]
        for n, declared in enumerate(inputs):
            cycle = _cycle(declared.id, needs)
            if cycle:
                said = f"Cycle dependency detected for input with id '{declared.id}': {' -> '.join(cycle)}"
                wrong.append(((n, "dependsOn"), said))
        if wrong:
            raise refusal("inputs", inputs, wrong)
        return inputs

    def all_tasks(self) -> tuple[Task, ...]:
        """Return every task of the flow, also those within others, in the order of the text."""
        return all_of((*self.tasks, *self.errors, *self.finally_, *self.after_execution))


def _cycle(start: str, needs: dict[str, tuple[str, ...]]) -> list[str]:
    """Return the way from *start* back to itself, or nothing."""
    left = [[start, name] for name in needs[start]]
    seen: set[str] = set()
    while left:
        way = left.pop()
        if way[-1] == start:
            return way
        if way[-1] in seen or way[-1] not in needs:
            continue
        seen.add(way[-1])
        left.extend([*way, name] for name in needs[way[-1]])
    return []
