"""Flows that run here run on Kestra's own engine, through `--server`, and leave the same."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from kestra_magic.model.source import Source
from kestra_magic.runs.server.send import Server, flow_to_send
from kestra_magic.runs.session import Session
from tests.flows.conftest import why_not
from tests.flows.test_shared_flows import CASES, FLOWS, INDEX
from tests.runners.kestra_double import USER, Double
from tests.server.backend import EngineBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kestra_magic.runs.flow.run import FlowRun
    from tests.server.engine import Engine

pytestmark = [pytest.mark.server, pytest.mark.timeout(900)]

THERE = re.compile(r"io\.kestra\.plugin\.(core\.|scripts\.(shell|python)\.)")
OWN = "namespacefiles."
ADDED = re.compile(
    r"[\w.$]+(Exception|Error): |Command failed with exit code|Loaded \d+ namespace files|(line \d+: )?Unable to find"
)
DIFFERENT = {
    "005": "it asks for a worker group: refused before it is sent, open-source servers have none",
    "049": "it asks for Docker in so many words",
    "155": "it asks for Docker in so many words",
    "052": "a WorkingDirectory's files are `outputFiles` in 1.3; `uris` is what the issue asks for",
    "080": "it asks for a worker group: refused before it is sent, open-source servers have none",
    "153": "its lines are random sentences",
}
"""Flows that end otherwise there, and why."""


@pytest.fixture(scope="module")
def double(engine: Engine) -> Iterator[Double]:
    backend = EngineBackend(engine)
    made = Double(backend)
    yield made
    made.stop()
    backend.close()


@pytest.fixture
def server(double: Double, beside: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("KESTRA_USERNAME", USER[0])
    monkeypatch.setenv("KESTRA_PASSWORD", USER[1])
    double.sources.clear()
    return Server.connect(Session(beside), double.url)


class Left(NamedTuple):
    """What a task run left, as far as it may be compared: no id, no time, no path."""

    task: str
    value: str
    state: str
    exit_code: int | None
    vars: Any
    files: dict[str, str]
    info: list[str]
    error: list[str]
    metrics: Any


def left(run: FlowRun) -> list[Left]:
    return sorted((_left(run, result) for result in run.context.live.values()), key=repr)


def _left(run: FlowRun, result: Any) -> Left:
    return Left(
        result.task_id,
        result.value or "",
        run.progress.task_runs[result.id].state.value,
        result.exit_code,
        result.vars,
        {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in sorted(result.files.items())},
        _lines(run, result, "stdout", "INFO"),
        _lines(run, result, "stderr", "ERROR"),
        sorted(_metric(metric) for metric in result.metrics.table() if not metric["name"].startswith(OWN)),
    )


def _lines(run: FlowRun, result: Any, stream: str, level: str) -> list[str]:
    """Lines of a level, however they were said (a server cannot tell a stream's from a marker's), less what Kestra adds.

    Ids, times and places of files cannot be the same.
    """
    said = [entry.message for entry in result.entries if entry.level == level and not ADDED.match(entry.message)]
    text = "\n".join([*result.log.text(stream).splitlines(), *said])
    text = re.sub(rf"{run.id}|kestra:///\S+|/\S*/[\w.-]+|\d{{4}}-\d\d-\d\dT\S+", "…", text)
    return sorted(text.splitlines())


def _metric(metric: dict[str, Any]) -> tuple[str, str, float, str]:
    """A timer of Kestra's own cannot have the same time."""
    timed = metric["type"] == "timer" and metric["name"] == "duration"
    return metric["name"], metric["type"], 0.0 if timed else metric["value"], str(metric["tags"])


def _runs(row: dict[str, str]) -> bool:
    types = row["task_types"].split(", ")
    return row["file"][:3] in CASES and row["needs_network"] == "no" and all(THERE.match(kind) for kind in types)


@pytest.mark.parametrize("row", rows := [row for row in INDEX if _runs(row)], ids=[row["file"][:-5] for row in rows])
def test_a_published_flow_leaves_the_same_there(row: dict[str, str], server: Server, beside: Path) -> None:
    case = CASES[row["file"][:3]]
    refused = "it does not run here" if case.state == "SourceError" else ""
    if reason := refused or DIFFERENT.get(row["file"][:3]) or case.why or why_not(*case.needs):
        pytest.skip(reason)
    for name, content in case.files.items():
        (beside / name).parent.mkdir(exist_ok=True)
        (beside / name).write_text(content, "utf-8")
    text = (FLOWS / row["file"]).read_text("utf-8")
    options: dict[str, Any] = {"inputs": case.inputs} if case.inputs else {}

    here = server.session.flow(Source(text), options, name="here", beside=beside).start().wait(240)
    there = server.run(flow_to_send(Source(text), options, {}, name="there", beside=beside)).start().wait(240)

    assert (there.state, left(there)) == (here.state, left(here))
