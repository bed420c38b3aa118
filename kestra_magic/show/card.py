"""One run as HTML and text: what is saved in the notebook. Nothing that was measured, nothing that needs a script."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup, escape

from kestra_magic.runs.failure.explain import excerpt
from kestra_magic.runs.masking import forms, painted
from kestra_magic.show.ansi import plain
from kestra_magic.show.files import Limits, Preview, preview, size
from kestra_magic.show.tables import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jinja2 import Environment

    from kestra_magic.runs.metrics import Metrics
    from kestra_magic.runs.run import Run
    from kestra_magic.workspace.outputs import OutputFile

__all__ = [
    "File", "Value", "file_cards", "header", "metric_rows", "render", "result", "shown_file", "values", "visible",
]  # fmt: skip

# Solid: the word keeps its contrast (at least 4.5 : 1) on every page, light or dark, with our styles or without.
BADGES = {
    "SUCCESS": ("✔", "#fff", "#02785a"),
    "WARNING": ("!", "#fff", "#b04c00"),
    "FAILED": ("✘", "#fff", "#ab0009"),
    "KILLED": ("■", "#2b2500", "#fce07c"),
    "RUNNING": ("▶", "#fff", "#7a05eb"),
    "KILLING": ("■", "#2b2500", "#fce07c"),
}
OTHER = ("•", "#fff", "#655f7d")
BUDGET = 90_000
"""Characters of one card, but for its frame."""
LIMITS = Limits(rows=10, columns=12, cell_chars=80, text_chars=2_000, image_bytes=48 << 10, count_bytes=8 << 20)
MOST_FILES = 50
MOST_VALUES = 100
MOST_CHARS = 500


@dataclass(frozen=True, slots=True)
class Value:
    """One output, by its path below ``vars``; *expression* is how another task asks for it."""

    path: str
    expression: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class File:
    """One file; *link* leads to it from the notebook, or is empty; *glance* is None where the card has no more room."""

    name: str
    size: str
    link: str
    glance: Preview | None = None
    open: bool = False

    @property
    def source(self) -> str:
        """Of an image: itself, or if that is too much for a notebook, where it lies."""
        if self.glance is None or not self.glance.data:
            return self.link
        return f"data:{self.glance.mime};base64,{base64.b64encode(self.glance.data).decode()}"

    @property
    def opens(self) -> bool:
        """Whether there is something to see."""
        glance = self.glance
        return glance is not None and bool(glance.text or glance.table or (glance.kind == "image" and self.source))


def header(name: str, title: str = "", *, key: str) -> dict[str, str]:
    """Return the constant head of a cell's output; the live console finds it by *key* and stands in its place."""
    said = f"▶ {name}" + (f" · {title}" if title else "")
    return {"text/html": render("header", name=name, title=title, key=key), "text/plain": visible(said)}


def result(run: Run, *, key: str = "") -> dict[str, str]:
    """Return how the run ended, as it is saved: the same bytes for the same end."""
    said, facts = values(run), _facts(run)
    shown = _fitting(said)
    trace = plain(excerpt(run.result, run.context)) if _failed(run) else ""
    files = file_cards(run.files, run, room=BUDGET - len(escape(trace)) - sum(map(_weight, shown)))
    html = render(
        "result",
        run=run,
        key=key,
        badge=badge(run.state),
        facts=facts,
        error=_error(run),
        excerpt=trace,
        tasks=_tasks(run),
        values=shown,
        more_values=len(said) - len(shown),
        metrics=metric_rows(run.metrics),
        files=files,
        more=len(run.files) - len(files),
        misses=run.files.misses,
    )
    return {"text/html": html, "text/plain": _text(run, said, facts)}


def render(template: str, **facts: Any) -> str:
    """Return the HTML of one of our templates; everything in it is escaped."""
    html = _environment().get_template(f"{template}.html.j2").render(**facts)
    return html.encode("utf-8", "backslashreplace").decode()  # half characters, which no message can carry


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,  # else five files are looked at for each card
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": visible, "badge": badge, "plain": plain, "lines": visible_lines}
    return environment


def badge(state: str) -> tuple[str, str, str]:
    """Return a state's icon, its colour and its ground."""
    return BADGES.get(state, OTHER)


def visible(text: str) -> str:
    """Return *text* on one line, and nothing in it hidden: line ends, directions and half characters as escapes."""
    return "".join(c if _seen(c) else c.encode("unicode_escape").decode() for c in text)


def visible_lines(text: str) -> str:
    """The same of a text of several lines."""
    return "".join(c if c in "\n\t" or _seen(c) else c.encode("unicode_escape").decode() for c in text)


def _seen(c: str) -> bool:
    """The joiner of emoji is seen by what it does."""
    return c == "\u200d" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


# What is said


def _facts(run: Run) -> list[str]:
    tried = run.progress.task_runs.values()
    lines = sum(attempt.stdout_lines + attempt.stderr_lines for task in tried for attempt in task.attempts)
    code = None if _is_flow(run) else run.exit_code
    return [
        *([f"exit code {code}"] if code is not None else []),
        *([counted(run.attempts, "attempt")] if run.attempts > 1 else []),
        counted(lines, "line"),
    ]


def _error(run: Run) -> str:
    return f"{run.error}{run.told}" if _failed(run) else ""


def _failed(run: Run) -> bool:
    return run.state.ended and not run.ok


def _is_flow(run: Run) -> bool:
    return not run.context.cell


def _tasks(run: Run) -> list[dict[str, str]]:
    """The tasks of a flow in the order they began."""
    if not _is_flow(run):
        return []
    return [
        {"name": f"{task.task_id} {task.value or ''}".strip(), "state": task.state.value, "error": task.error}
        for task in run.progress.task_runs.values()
    ]


def values(run: Run) -> list[Value]:
    """Return what it said as outputs: each leaf by its path; of a flow, those of each task."""
    if not _is_flow(run):
        return list(_leaves(_seen_vars(run, run.vars), "", _access("outputs", run.name) + ".vars"))
    found: list[Value] = []
    for task in run.context.live.values():
        found += _leaves(_seen_vars(run, task.vars), f"{task.task_id}.", _access("outputs", task.task_id) + ".vars")
    return found


def _seen_vars(run: Run, said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Outputs are for expressions as they were said; a saved page shows no secret among them."""
    shown: dict[str, Any] = painted(dict(said), forms(run.context.masked_values()))
    return shown


def _leaves(value: Mapping[str, Any], path: str, expression: str) -> Iterator[Value]:
    for key, member in value.items():
        here = _access(expression, str(key))
        if isinstance(member, dict) and member:
            yield from _leaves(member, f"{path}{key}.", here)
        else:
            yield Value(f"{path}{key}", f"{{{{ {here} }}}}", _said(member), _kind(member))


def _access(of: str, name: str) -> str:
    return f"{of}.{name}" if re.fullmatch(r"[A-Za-z_]\w*", name) else f"{of}[{json.dumps(name, ensure_ascii=False)}]"


def _said(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}… ({len(text):,} characters)"


def _kind(value: Any) -> str:
    """In JSON's words, as Kestra's page says it."""
    kinds = {
        bool: "boolean",
        int: "number",
        float: "number",
        str: "text",
        list: "list",
        dict: "map",
        type(None): "null",
    }
    return kinds.get(type(value), type(value).__name__)


def metric_rows(metrics: Metrics) -> list[dict[str, str]]:
    """Return what Kestra's page would list; a timer's value was measured, and is asked for by its name."""
    return [
        {
            "name": row["name"],
            "type": row["type"],
            "value": f"run.metrics[{row['name']!r}].last" if row["type"] == "timer" else f"{row['value']:,.10g}",
            "tags": ", ".join(f"{key}: {value}" for key, value in row["tags"].items()),
        }
        for row in metrics.table()
    ]


# Files


def file_cards(files: Mapping[str, OutputFile], run: Run | None = None, *, room: int = BUDGET) -> list[Markup]:
    """Return the first files by name as HTML, with as much of what is in them as *room* allows, in characters."""
    cards = []
    few = len(files) <= 3
    for name in sorted(files)[:MOST_FILES]:
        bare = File(name, _size(files[name]), _link(files[name], run))
        card = shown_file(_with_glance(bare, files[name], few)) if room > 0 else shown_file(bare)
        cards.append(card if len(card) <= room else shown_file(bare))
        room -= len(cards[-1])
    return cards


def _with_glance(file: File, of: OutputFile, few: bool) -> File:
    glance = preview(of.path, LIMITS)
    return replace(file, glance=glance, open=few and bool(glance.table or glance.data))


def shown_file(file: File) -> Markup:
    """Return one file's line, and below it what is in it."""
    module: Any = _environment().get_template("parts.html.j2").module
    return Markup(str(module.file_item(file)).strip())  # noqa: S704 - escaped by the template


def _fitting(said: list[Value]) -> list[Value]:
    """The first of them, as many as half of the card holds."""
    room = accumulate(map(_weight, said))
    return [value for value, spent in zip(said[:MOST_VALUES], room, strict=False) if spent <= BUDGET // 2]


def _weight(value: Value) -> int:
    """Characters of its row, as they are written."""
    return 300 + len(escape(value.text + value.path * 2))


def _size(file: OutputFile) -> str:
    return size(file.size) if file.size >= 0 else "gone"


def _link(file: OutputFile, run: Run | None) -> str:
    """The way from the notebook: through the link to the latest run, which keeps its name."""
    if run is None:
        return ""
    folder, beside = run.context.folder, run.context.beside
    if file.path.is_relative_to(folder.path) and folder.base.is_relative_to(beside):
        path = folder.base.relative_to(beside) / folder.name / file.path.relative_to(folder.path)
    elif file.path.is_relative_to(beside):
        path = file.path.relative_to(beside)
    else:
        return ""
    return quote(f"./{path.as_posix()}", errors="surrogateescape")


# As text


def _text(run: Run, said: Iterable[Value], facts: Iterable[str]) -> str:
    icon = badge(run.state)[0]
    lines = [" · ".join([f"{icon} {run.state} {run.name}", *facts])]
    told = (_error(run), run.hint) if _failed(run) else ()
    lines += [f"  {visible(line)}" for part in told for line in part.splitlines()]
    lines += [f"  {icon_of(task)} {task['name']}" for task in _tasks(run)]
    lines += [f"  {visible(value.path)} = {visible(value.text)}" for value in list(said)[:MOST_VALUES]]
    lines += [f"  {visible(name)} ({_size(run.files[name])})" for name in sorted(run.files)[:MOST_FILES]]
    return "\n".join(lines).encode("utf-8", "backslashreplace").decode()


def icon_of(task: Mapping[str, str]) -> str:
    return f"{badge(task['state'])[0]} {task['state']}"
