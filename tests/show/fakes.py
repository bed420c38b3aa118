"""A run as the views ask it: small, complete, never started."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

from kestra_magic.model.source import Source
from kestra_magic.process.events import Exited
from kestra_magic.runs.metrics import Metrics
from kestra_magic.runs.progress import Attempt, Progress, State, TaskRun
from kestra_magic.runs.task.markers import parse
from kestra_magic.show.cell import Frontend
from kestra_magic.workspace.outputs import OutputFile, OutputFiles

SCRIPT = "46116860184.py"


class Page:
    """A cell that keeps what was written into it."""

    def __init__(self, frontend: Frontend = Frontend.LAB) -> None:
        self.frontend = frontend
        self.pieces: list[tuple[str, str]] = []
        self.shown: list[dict[str, Any]] = []

    def stream(self, name: str, text: str) -> None:
        self.pieces.append((name, text))

    def display(self, bundle: Any) -> None:
        self.shown.append(dict(bundle))

    def text(self, name: str) -> str:
        return "".join(text for of, text in self.pieces if of == name)

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs that a notebook would hold."""
        names = [name for name, _ in self.pieces]
        return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]


@dataclass
class FakeRun:
    """What `card` asks of a run."""

    folder: Path
    name: str = "train"
    state: State = State.SUCCESS
    exit_code: int | None = 0
    error: str = ""
    hint: str = ""
    told: str = ""
    vars: dict[str, Any] = field(default_factory=dict)
    made: dict[str, bytes] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    stderr: str = ""
    misses: tuple[str, ...] = ()
    lines: int = 3
    attempts: int = 1
    cell: bool = True
    tasks: dict[str, tuple[State, dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        base = self.folder / "kestra-runs"
        path = base / f"{self.name}-1"
        made = {name: self._made(path / name, name, data) for name, data in self.made.items()}
        self.files = OutputFiles(made, self.misses)
        end = Exited(code=self.exit_code or 0)
        self.result = SimpleNamespace(
            log=SimpleNamespace(tail=lambda stream, lines: "".join(self.stderr.splitlines(keepends=True)[-lines:])),
            prepared=SimpleNamespace(
                script=SCRIPT,
                lines=tuple((("script",), n) for n in range(99)),
                job=SimpleNamespace(root="/work/abc", log_dir="/runs/x"),
            ),
            task_id=self.name,
            exit=end,
            exit_code=self.exit_code,
        )
        self.context = SimpleNamespace(
            cell=self.cell,
            beside=self.folder,
            folder=SimpleNamespace(base=base, name=self.name, path=path),
            task_paths={},
            document=SimpleNamespace(source=Source("", first_line=1), text_line=lambda path, n: n + 1),
            masked=lambda text: text,
            live={name: SimpleNamespace(task_id=name, vars=said) for name, (_, said) in self.tasks.items()},
            masked_values=tuple,
        )

    @staticmethod
    def _made(path: Path, name: str, data: bytes) -> OutputFile:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return OutputFile(name, path)

    @property
    def ok(self) -> bool:
        return self.state.ok

    @property
    def metrics(self) -> Metrics:
        markers = [parse(line, at=0.0) for line in self.said]
        return Metrics(tuple(metric for marker in markers if marker for metric in marker.metrics))

    @property
    def progress(self) -> Progress:
        attempt = Attempt(stdout_lines=self.lines)
        runs = {name: TaskRun(name, name, state=state, attempts=(attempt,)) for name, (state, _) in self.tasks.items()}
        return Progress(
            self.name, self.state, task_runs=MappingProxyType(runs or {"": TaskRun("", self.name, attempts=(attempt,))})
        )
