"""One process cell as a task of a flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.errors import ExpressionError
from kestra_magic.expressions.rewriting import escaped, rewritten, uses
from kestra_magic.expressions.scope import Scope, bare_name
from kestra_magic.model.tasks import PROCESS
from kestra_magic.model.writing import comments_of
from kestra_magic.runs.export.handed import identifier
from kestra_magic.runs.export.targets import spelled
from kestra_magic.runs.request import read
from kestra_magic.runs.run import Run
from kestra_magic.workspace.inputs import placed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kestra_magic.expressions.rewriting import Use
    from kestra_magic.model.source import Path as Way
    from kestra_magic.runs.export.declared import Inputs
    from kestra_magic.runs.export.handed import Files

__all__ = ["CellExport", "Shared"]

ROOTS = frozenset({"flow", "execution", "envs", "globals", "kestra", "task", "taskrun", "tasks"})
ORDER = ("id", "type", "taskRunner", "env", "namespaceFiles", "inputFiles", "outputFiles")
LAST = ("interpreter", "beforeCommands", "script", "commands")
NOT_SAID = {
    "here": "`--here`: a flow has no notebook folder; the task runs in a fresh one, and only sees its `inputFiles`",
    "python": "`--python`: which Python runs is the server's; `dependencies:` names packages",
    "grace": "`grace` has no counterpart in a flow",
    "background": "`background` has no counterpart in a flow",
    "requeue": "`requeue` has no counterpart: a server does it by itself",
    "strict": "`strict` has no counterpart in a flow",
    "merge": "`merge` has no counterpart in a flow",
    "tty": "`tty` has no counterpart in a flow",
    "gpu": "`--gpu` has no counterpart in a flow: a worker group chooses the machine",
    "bg": "`--bg`: the tasks of this flow run one after the other",
    "detach": "`--detach`: an execution on a server outlives the notebook in any case",
}


@dataclass(frozen=True, slots=True)
class Shared:
    """What the tasks of one flow share; *ids* are the task ids by the cells' names."""

    inputs: Inputs
    files: Files
    ids: Mapping[str, str]
    target: str


class CellExport:
    """A cell's task as plain data.

    Attributes:
        needs: the cells that it reads from.
        told: what was changed or could not be said, each with its line.
        comments: those of its `#|` lines, by the property that they belong to.
    """

    def __init__(self, run: Run, shared: Shared) -> None:
        assert run.context.request is not None
        self.run = run
        self.shared = shared
        self.needs: list[str] = []
        self.told: list[str] = []
        self.id = shared.ids[run.name]
        self.written = read(run.context.request)
        self.notebook = run.context.notebook or {}
        self.passes = 2 if self.written.task.language.suffix and "script" in self.written.properties else 1
        self.task = self._task()
        self.comments = self._comments()

    def _task(self) -> dict[str, Any]:
        given = self.written.properties
        task = {key: self._property(key, value) for key, value in given.items() if key not in ("id", "type")}
        task |= {"id": self.id, "type": given["type"]}
        if "taskRunner" not in task and "runner" not in task:
            task["taskRunner"] = {"type": PROCESS}
        task |= self._files(task.get("inputFiles"))
        task |= self._environment(task.get("env") or {})
        if self.written.options.get("no-raise"):
            task["allowFailure"] = True
            self._tell((), 0, "`--no-raise` is `allowFailure: true`: the flow goes on, and ends as WARNING")
        for option in NOT_SAID.keys() & {key for key, value in self.written.options.items() if value}:
            self._tell((option,), 0, NOT_SAID[option])
        return _ordered(spelled(task, self.shared.target, lambda key, said: self._tell((key,), 0, said)))

    def _comments(self) -> dict[Way, str]:
        header = self.written.document.header
        lines = {place.key: path for path, place in header.places.items() if len(path) == 1 and path[0] in self.task}
        return comments_of(header.source.text, lines)

    def _tell(self, path: Way, line: int, said: str) -> None:
        """Say what was done, with the line of the cell; what has none in its text was said on the magic line."""
        document = self.written.document
        in_text = path[:1] == ("script",) or path[:1] in document.header.places
        sentence = f"cell {self.id}, line {document.text_line(path, line) if in_text else 1}: {said}"
        if sentence not in self.told:
            self.told.append(sentence)

    # Expressions

    def _property(self, key: str, value: Any) -> Any:
        if key == "script" and self.written.options.get("raw"):
            return escaped(str(value), self.passes)
        return self._walked(value, (key,))

    def _walked(self, value: Any, path: Way) -> Any:
        if isinstance(value, dict):
            return {self._text(str(key), path): self._walked(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._walked(item, (*path, n)) for n, item in enumerate(value)]
        bare = isinstance(value, str) and path[0] == "inputFiles" and bare_name(value)
        if bare and bare in self.notebook:
            return value  # data of any kind: a file, not an expression
        return self._text(value, path) if isinstance(value, str) else value

    def _text(self, text: str, path: Way) -> str:
        try:
            return rewritten(text, lambda use: self._instead(use, path))
        except ExpressionError as error:
            self._tell(path, (error.line or 1) - 1, f"this is no expression and is left as it is: {error}")
            return text

    def _instead(self, use: Use, path: Way) -> str | None:
        if use.name == "inputs":
            return self._input(use, path)
        if use.name == "outputs":
            return self._output(use, path)
        if use.name in ROOTS or use.name.startswith("_") or use.name not in self.notebook:
            return None
        value = self.notebook[use.name]
        if isinstance(value, Run):
            return self._of_run(value, use, path)
        made = self._taken(use.name, value, use, path)
        if made is None:
            return None
        self._tell(path, use.line - 1, f"`{use.name}` of the notebook is the input `{made}`: written `inputs.{made}`")
        return f"inputs.{made}{use.tail}"

    def _taken(self, name: str, value: object, use: Use, path: Way) -> str | None:
        try:
            made = self.shared.inputs.take(name, Scope({}, {name: value})[name], self.id)
        except KestraMagicError as error:
            self._tell(path, use.line - 1, f"`{name}` cannot be an input: {error}")
            return None
        if self.shared.inputs.is_secret(made):
            self._tell(
                path, use.line - 1, f"`{name}` looks like a secret: the flow has no value for it, give `-i {made}`"
            )
        return made

    def _input(self, use: Use, path: Way) -> str | None:
        name = use.key
        given = self.run.context.inputs
        if name is None or not (name in given or name in self.notebook):
            self._tell(path, use.line - 1, "which input this is cannot be told: name it, `inputs.x`")
            return None
        if handed := self._handed_on(name):
            return handed
        value = given[name] if name in given else self.notebook[name]
        if isinstance(value, Run):
            return self._named(value.name, use, path)
        made = self._taken(name, value, use, path)
        if made is None or made == name:
            return None
        self._tell(path, use.line - 1, f"another cell gives `{name}` another value: this one is the input `{made}`")
        return f"inputs.{made}"

    def _handed_on(self, name: str) -> str:
        """`-i n={{ prep.vars.rows }}`: what an earlier cell gave stays what it gave."""
        specs = [str(spec).partition("=") for spec in self.written.options.get("input", [])]
        text = next((text.strip() for key, _, text in reversed(specs) if key == name), "")
        if not any(isinstance(self.notebook.get(use.name), Run) for use in _uses_of(text)):
            return ""
        inner = self._text(text, ()).removeprefix("{{").removesuffix("}}").strip()
        return inner if inner.replace(".", "").replace("_", "").isalnum() else f"({inner})"

    def _output(self, use: Use, path: Way) -> str | None:
        if use.key is None:
            self._tell(path, use.line - 1, "which cell's output this is cannot be told: name it, `outputs.NAME`")
            return None
        return self._named(use.key, use, path)

    def _named(self, name: str, use: Use, path: Way) -> str | None:
        """Return the expression for another cell's outputs; None where the one that was written will do."""
        if name not in self.shared.ids:
            said = f"`{name}` is no process cell of this notebook: its outputs are not there in the flow"
            self._tell(path, use.line - 1, said)
            return None
        self._need(name)
        wanted = identifier("outputs", self.shared.ids[name])
        return None if use.name == "outputs" and use.key == self.shared.ids[name] else wanted

    def _of_run(self, run: Run, use: Use, path: Way) -> str | None:
        if self._named(run.name, use, path) is None:
            return None
        task = self.shared.ids[run.name]
        made = identifier("tasks", task, "state") if use.key == "state" else identifier("outputs", task) + use.tail
        made = identifier("outputs", task) + ".outputFiles" if use.key == "files" else made
        self._tell(path, use.line - 1, f"`{use.name}{use.tail}` is written `{made}`")
        return made

    def _need(self, name: str) -> None:
        if name not in self.needs:
            self.needs.append(name)

    # Files and environment

    def _files(self, declared: Any) -> dict[str, Any]:
        given = dict(self.run.context.wishes.files)
        if given and declared is not None and not isinstance(declared, dict):
            self._tell(("inputFiles",), 0, "`inputFiles` is an expression: the files of `-f` are left out")
            return {}
        files = dict(self._placed(given, ("file",)))
        for name, text in (declared or {}).items() if isinstance(declared, dict) else ():
            bare = bare_name(text) if isinstance(text, str) else None
            if bare and bare in self.notebook:
                files |= dict(self._placed({name: self.notebook[bare]}, ("inputFiles", name)))
            else:
                files[name] = text
        return {"inputFiles": files} if files else {}

    def _placed(self, given: Mapping[str, object], path: Way) -> Iterator[tuple[str, str]]:
        context = self.run.context
        for file in placed(given, context.storage, namespace=context.namespace):
            content, maker = self.shared.files.content(file, self.id, self.passes)
            if maker and maker != self.id:
                self._need(next(name for name, task in self.shared.ids.items() if task == maker))
            elif content.startswith("nsfile:///"):
                self._tell(path, 0, f"`{file.name}` is the namespace file `{content.removeprefix('nsfile:///')}`")
            yield escaped(file.name, 2), content

    def _environment(self, env: Mapping[str, Any]) -> dict[str, Any]:
        """Values of ``--env-file`` are secrets on a server; a bare `-e K` is the notebook's K."""
        secrets = {key: f"{{{{ secret('{key}') }}}}" for key in self.run.context.wishes.env_file if key not in env}
        if secrets:
            self._tell(("env-file",), 0, f"values of `--env-file` are secrets: {', '.join(secrets)}")
        made = {**secrets, **env, **self._bare_environment()}
        return {"env": made} if made else {}

    def _bare_environment(self) -> dict[str, str]:
        bare = [str(spec) for spec in self.written.options.get("env", []) if "=" not in str(spec)]
        found = {}
        for name in bare:
            value = self.notebook[name]
            if isinstance(value, str | int) and not isinstance(value, bool):
                found[name] = f"{{{{ inputs.{self.shared.inputs.take(name, value, self.id)} }}}}"
        return found


def _uses_of(text: str) -> list[Use]:
    return uses(text) if text.startswith("{{") else []


def _ordered(task: Mapping[str, Any]) -> dict[str, Any]:
    first = [key for key in ORDER if key in task]
    last = [key for key in LAST if key in task]
    middle = [key for key in task if key not in ORDER and key not in LAST]
    return {key: task[key] for key in (*first[:2], *middle, *first[2:], *last)}
