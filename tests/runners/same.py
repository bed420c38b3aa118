"""The identical task, run by different runners, and what is to be the same: everything but where and when.

A `Case` is one task as a person writes it. `outcome` runs it through a `Session`; another runner needs no more than to
return an `Outcome` for the flow that `Case.flow` writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kestra_magic.model.source import Source
from kestra_magic.runs.broadcast import Seat
from kestra_magic.runs.progress import Happening
from kestra_magic.runs.run import Run
from kestra_magic.runs.session import Session
from tests.process.survivors import wait_until

__all__ = ["CASES", "Case", "Outcome", "outcome"]

Also = Callable[[Run, list[Happening]], object]
SHELL = "io.kestra.plugin.scripts.shell.Commands"
SCRIPT = "io.kestra.plugin.scripts.shell.Script"
PYTHON = "io.kestra.plugin.scripts.python.Script"


@dataclass(frozen=True)
class Case:
    """One task. *stop_at*: it is stopped when it has said this word; *files* lie beside the notebook."""

    name: str
    task: dict[str, Any]
    stop_at: str = ""
    files: dict[str, bytes] = field(default_factory=dict)

    def flow(self, **more: Any) -> str:
        task = {"id": "task", "taskRunner": {"type": "io.kestra.plugin.core.runner.Process"}, **self.task, **more}
        inputs = [{"id": Path(name).stem, "type": "FILE"} for name in self.files]
        flow = {"id": self.name, "namespace": "company.team", "tasks": [task]} | ({"inputs": inputs} if inputs else {})
        return yaml.safe_dump(flow, sort_keys=False)


@dataclass(frozen=True)
class Outcome:
    """What a task left."""

    state: str
    exit_code: int | None
    stdout: tuple[str, ...]
    stderr: tuple[str, ...]
    vars: dict[str, Any]
    files: dict[str, str]
    lines: tuple[int, int]


def _case(name: str, *commands: str, **more: Any) -> Case:
    stop_at, files = more.pop("stop_at", ""), more.pop("files", {})
    return Case(name, {"type": SHELL, "commands": list(commands), **more}, stop_at, files)


CASES = [
    _case("both-streams", "echo out; echo err >&2; printf 'no end'"),
    _case("exit-code", "echo before", "exit 42", "echo never"),
    _case("not-found", "there-is-no-such-command"),
    _case("killed-by-itself", "kill -9 $$"),
    _case("many-lines", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"),
    _case("long-line", "head -c 300000 /dev/zero | tr '\\0' x; echo"),
    _case("not-utf8", "printf 'a\\377b\\n\\303\\251\\n'"),
    _case("carriage-returns", "printf '10%%\\r20%%\\r\\nend\\n'"),
    _case("markers", """echo '::{"outputs":{"x":1,"y":[1,2]}}::'; echo between; echo '::{"metrics":[]}::'"""),
    _case("output-files", "mkdir -p a/b; echo 1 > a/b/one.txt; echo 2 > two.txt; : > empty.txt",
          outputFiles=["**.txt", "nothing-*"]),
    _case("large-output", "head -c 3000000 /dev/zero > big.bin; echo done", outputFiles=["big.bin"]),
    _case("input-files", "cat given.txt deep/er.txt", inputFiles={"given.txt": "a\nb\n", "deep/er.txt": "c\n"}),
    _case("large-input", "wc -c < '{{ inputs.big }}'; cksum < '{{ inputs.big }}'", files={"big.dat": bytes(range(256)) * 40_000}),
    _case("failed-keeps-files", "echo kept > kept.txt; exit 3", outputFiles=["*.txt"]),
    _case("output-directory", "echo x > {{ outputDir }}/x.txt", outputDirectory=True),
    _case("environment", "echo $GREETING; echo ${NOTHING:-unset}", env={"GREETING": "hello\u00e9"}),
    _case("before-commands", "echo $A", beforeCommands=["export A=1"]),
    _case("timeout", "echo begun; sleep 100", timeout="PT1S"),
    _case("escaping-input", "true", inputFiles={"../out.txt": "x"}),
    _case("background", "(sleep 0.2; echo late) & echo first"),
    _case("stopped", "sleep 100 & echo ready; wait", stop_at="ready"),
    _case("stopped-deaf", "trap '' TERM; echo ready; while :; do sleep 0.1; done", stop_at="ready"),
    Case("script", {"type": PYTHON, "outputFiles": ["*.json"], "script": (
        "import json, sys\nprint('python', sys.version_info[0])\nprint('warn', file=sys.stderr)\n"
        "json.dump({'a': 1}, open('r.json', 'w'))\nprint('::{\"outputs\":{\"n\":7}}::')\nraise SystemExit(4)\n")}),
    Case("allow-failure", {"type": SCRIPT, "script": "echo x\nexit 1\n", "allowFailure": True}),
    Case("run-if", {"type": SCRIPT, "script": "echo x\n", "runIf": "{{ 1 == 2 }}"}),
]  # fmt: skip


def outcome(case: Case, beside: Path, *, also: Also = lambda *_: None, **more: Any) -> Outcome:
    """Run *case* with *more* properties; *also* may look at the run, and at all that happened."""
    for name, content in case.files.items():
        (beside / name).write_bytes(content)
    session = Session(beside)
    inputs = {Path(name).stem: name for name in case.files}
    run = session.flow(Source(case.flow(**more)), {"inputs": inputs}, beside=beside)
    seat = run.context.broadcast.sit()
    run.start()
    if case.stop_at:
        assert wait_until(lambda: case.stop_at in run.stdout or run.ended, 60)
        run.stop()
    run.wait()
    also(run, _heard(seat))
    return left(run)


def _heard(seat: Seat) -> list[Happening]:
    found: list[Happening] = []
    while (event := seat.queue.get()[1]) is not None:
        found.append(event)
    return found


def left(run: Run) -> Outcome:
    result = run.result
    return Outcome(
        state=run.state.value,
        exit_code=run.exit_code,
        stdout=tuple(run.stdout.splitlines(keepends=True)),
        stderr=tuple(run.stderr.splitlines(keepends=True)),
        vars=dict(run.vars),
        files={name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in result.files.items()},
        lines=(result.exit.stdout_lines, result.exit.stderr_lines) if result.exit else (0, 0),
    )
