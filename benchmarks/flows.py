"""Flows: what a task costs beyond its process, whether a long loop keeps its memory, how long reading takes."""

from __future__ import annotations

import gc
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figure import Figure
from kestra_magic import settings
from kestra_magic.model.load import load_flow
from kestra_magic.model.source import Source
from kestra_magic.runs.export.notebook import export
from kestra_magic.runs.request import Request
from kestra_magic.runs.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kestra_magic.runs.flow.run import FlowRun

__all__ = ["figures"]

HEAD = "id: flow\nnamespace: company.team\ntasks:\n"
SHELL = "io.kestra.plugin.scripts.shell.Commands"
PROCESS = "taskRunner: {type: io.kestra.plugin.core.runner.Process}"
EACH = f"""{HEAD}- id: each
  type: io.kestra.plugin.core.flow.ForEach
  values: "{{{{ range(1, %d) }}}}"
  tasks: [{{id: t, type: {SHELL}, {PROCESS}, commands: ['echo {{{{ taskrun.value }}}}']}}]
"""


def tasks(count: int) -> str:
    return HEAD + "".join(f"- {{id: t{n}, type: {SHELL}, {PROCESS}, commands: ['true']}}\n" for n in range(count))


def figures() -> Iterator[Figure]:
    text = tasks(100)
    load_flow(Source(text))
    yield Figure("validation of 100 tasks", _seconds(lambda: load_flow(Source(text))) * 1e3, "ms", most=50)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings.update(runs_dir=f"{folder}/runs")
        session = Session(Path(folder))
        _run(session, tasks(5))
        yield from _overhead(session)
        yield from _memory(session)
        yield from _export(session)


def _overhead(session: Session) -> Iterator[Figure]:
    command = ["/bin/sh", "-c", "set -e\ntrue"]
    bare = min(_seconds(lambda: [subprocess.run(command, check=True) for _ in range(200)]) for _ in range(3)) / 200
    whole = min(_seconds(lambda: _run(session, tasks(200))) for _ in range(3)) / 200
    before = time.process_time()
    _run(session, tasks(200))
    yield Figure("a task of 200: processor", (time.process_time() - before) / 200 * 1e3, "ms")
    yield Figure("a task of 200: its process alone", bare * 1e3, "ms")
    yield Figure("a task of 200: what it costs beyond its process", (whole - bare) * 1e3, "ms", most=10)


def _export(session: Session) -> Iterator[Figure]:
    names = {"lr": 0.5, "rows": [1, 2, 3]}
    for n in range(100):
        source = Source(f"#| outputFiles: [x{n}]\necho {{{{ lr }}}} {{{{ rows | length }}}} > x{n}", first_line=2)
        request = Request(source=source, name=f"c{n}", options={}, notebook=names, beside=session.beside)
        session.cell(request).start().wait().check()
    away = Path(session.beside, "_files")
    cells = [run for run in session.runs if run.context.cell]
    seconds = _seconds(lambda: export(cells, flow_id="all", namespace="company.team", namespace_files=away))
    yield Figure("export of 100 cells as one flow", seconds * 1e3, "ms")


def _memory(session: Session) -> Iterator[Figure]:
    _run(session, EACH % 100)
    small = _megabytes()
    yield Figure("memory after 100 values of a loop", small, "MB")
    _run(session, EACH % 1000)
    yield Figure("memory that 1,000 more add", _megabytes() - small, "MB")


def _run(session: Session, text: str) -> FlowRun:
    run = session.flow(Source(text), {}, beside=session.beside).start().wait().check()
    gc.collect()
    return run


def _seconds(do: object) -> float:
    began = time.perf_counter()
    do()  # type: ignore[operator]
    return time.perf_counter() - began


def _megabytes() -> float:
    """Resident memory, from /proc."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
