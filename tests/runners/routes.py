"""What a real server's API takes and says, where this package asks it: facts, as its own clients state them.

Sources: ``kestrapy`` 1.3.1 and 2.0.3 (its calls and models), and for what 1.3.1 leaves out (metrics, configs) the
routes of Kestra's ``webserver``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["FIELDS", "Asked", "problem"]

YAML, FORM = "application/x-yaml", "multipart/form-data"
EXECUTION = "/main/executions/{id}"
BOTH = (
    ("GET", "/configs", "", ""),
    ("GET", "/main/flows/search", "page size", ""),
    ("POST", "/main/flows/validate", "", YAML),
    ("POST", "/main/flows", "", YAML),
    ("PUT", "/main/flows/{namespace}/{id}", "", YAML),
    ("GET", "/main/flows/{namespace}/{id}", "source revision allowDeleted", ""),
    ("POST", "/main/namespaces/{namespace}/files", "path", FORM),
    ("GET", "/main/namespaces/{namespace}/files", "path revision", ""),
    ("POST", "/main/executions/{namespace}/{id}", "labels wait revision scheduleDate breakpoints kind", FORM),
    ("GET", EXECUTION, "", ""),
    ("GET", f"{EXECUTION}/follow", "", ""),
    ("GET", f"{EXECUTION}/file", "path", ""),
    ("GET", f"{EXECUTION}/file/metas", "path", ""),
    ("GET", "/main/logs/{id}", "minLevel taskRunId taskId attempt", ""),
    ("GET", "/main/logs/{id}/follow", "minLevel", ""),
    ("GET", "/main/metrics/{id}", "page size taskRunId taskId", ""),
)
ROUTES = {
    1: (
        *BOTH,
        ("DELETE", f"{EXECUTION}/kill", "isOnKillCascade", ""),
        ("POST", f"{EXECUTION}/resume", "", FORM),
    ),
    2: (
        *BOTH,
        ("DELETE", f"{EXECUTION}/actions/kill", "isOnKillCascade", ""),
        ("POST", f"{EXECUTION}/actions/resume", "", FORM),
        ("GET", "/main/outputs/tasks/{id}/{taskRun}", "", ""),
        ("GET", "/main/outputs/executions/{id}", "", ""),
    ),
}
_EXECUTION = (
    "labels id namespace flowId flowRevision taskRunList inputs variables state parentId originalId trigger deleted "
    "metadata scheduleDate traceParent fixtures kind breakpoints url"
)
_TASK_RUN = (
    "id executionId namespace flowId taskId parentTaskRunId value attempts state iteration dynamic forceExecution"
)
FIELDS = {
    1: {"execution": f"{_EXECUTION} outputs", "task run": f"{_TASK_RUN} outputs assets"},
    2: {"execution": f"{_EXECUTION} loopRun", "task run": f"{_TASK_RUN} assetEmits"},
}
"""What an answer may hold. 2.0 tells no outputs with an execution."""


class Asked(NamedTuple):
    """One request: its path below ``/api/v1``, the names in its query, and its body's media type."""

    method: str
    path: str
    query: tuple[str, ...] = ()
    kind: str = ""


def problem(asked: Asked, dialect: int) -> str:
    """Say what a real server would not understand of a request, or nothing."""
    kind = asked.kind.partition(";")[0]
    routes = [r for r in ROUTES[dialect] if r[0] == asked.method and re.fullmatch(_pattern(r[1]), asked.path)]
    if not routes:
        return f"{asked.method} {asked.path}: there is no such route in {dialect}.x"
    if not any(set(asked.query) <= set(query.split()) for _, _, query, _ in routes):
        return f"{asked.method} {asked.path}: it takes {routes[0][2] or 'no parameters'}, not {asked.query}"
    return "" if not kind or any(kind == takes for *_, takes in routes) else f"{asked.path} takes no {kind}"


def _pattern(path: str) -> str:
    return re.sub(r"\{\w+\}", "[^/]+", path)
