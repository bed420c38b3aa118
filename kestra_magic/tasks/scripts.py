"""Script tasks: from what a person wrote to one command (``AbstractExecScript``, ``CommandsWrapper``)."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import regex

from kestra_magic.expressions.scope import bare_name
from kestra_magic.expressions.values import to_json
from kestra_magic.model.base import yaml_name
from kestra_magic.runners.job import CONTEXT_FILE, Job, Placed
from kestra_magic.tasks.namespacefiles import namespace_files
from kestra_magic.tasks.place import Origin, Prepared, Text
from kestra_magic.tasks.pythons import python_for
from kestra_magic.workspace.directory import new_id
from kestra_magic.workspace.inputs import input_files, placed
from kestra_magic.workspace.outputs import matcher
from kestra_magic.workspace.transfer import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kestra_magic.model.tasks import ScriptTask
    from kestra_magic.stores.environments import Interpreter
    from kestra_magic.tasks.place import Place
    from kestra_magic.workspace.inputs import PlacedFile

    Render = Callable[[str], str]

__all__ = ["prepare"]

# Set over the user's own values (``addEnv``); that node gets Python's is Kestra's.
_PYTHON_ENV = {"PYTHONUNBUFFERED": "true", "PIP_ROOT_USER_ACTION": "ignore"}
LANGUAGE_ENV = {"python": _PYTHON_ENV | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}, "node": _PYTHON_ENV}
PRELUDE = "true = True\nfalse = False\nnull = None\n"
CONTEXT = (
    "inputs", "outputs", "labels", "vars", "trigger", "flow", "execution", "task", "taskrun", "parent", "parents",
    "item",
)  # fmt: skip
PLAIN = (int, float, type(None))  # no form as a file: an expression writes them
ARGUMENT_LIMIT = 128 * 1024 - 4096  # Linux: MAX_ARG_STRLEN, with room for what a wrapper adds
_URI = regex.compile(r"kestra://[-\p{Alnum}._+~#=/]*")
_GLOB = re.compile(r"[*?\[]")


def prepare(task: ScriptTask, place: Place) -> Prepared:
    """Return what runs when *task* does.

    Raises:
        KestraMagicError: an expression, a file or a property is not what it must be.
    """
    return Preparation(task, place).prepared()


class Preparation:
    """One attempt being prepared, in Kestra's order."""

    def __init__(self, task: ScriptTask, place: Place) -> None:
        self.task = task
        self.place = place
        self.language = task.language
        script = getattr(task, "script", None)
        self.script = None if script is None else str(script.raw)
        self.inputs: dict[str, Placed] = {}
        self.output_dir = new_id()  # made for every script task, even when it is not exposed
        self.body: Text | None = None
        self.python = self._python()
        self.env = self._env()
        self.outputs: list[str] = [*self.place.resolve(self.task, "output_files", [])]
        for pattern in self.outputs:  # a malformed one is told now, not when hours have gone by
            matcher(Path(place.root), pattern)
        self.exposed = self._exposed()
        self.more = self._variables()

    def prepared(self) -> Prepared:
        self._namespace_files()
        self._input_files()
        script, commands, lines = self._commands()
        argv, own = self._argv(commands, lines)
        job = Job(
            name=self.place.name,
            task_run=self.place.task_run,
            attempt=self.place.attempt,
            argv=argv,
            env=self.env | {"WORKING_DIR": self.place.root} | self._output_env(),
            root=self.place.root,
            here=self.place.here,
            shared=self.place.shared,
            log_dir=self.place.log_dir,
            inputs=tuple(self.inputs.values()),
            folders=() if self.place.here else (self.output_dir,),
            outputs=tuple(self.outputs),
            output_dir=self.output_dir if self.exposed else "",
            timeout=self.place.timeout(self.task),
            mask=self.place.mask(),
            **self.place.options,
        )
        shown = [self.body] if self.body else commands
        return Prepared(
            job=job, rendered="\n".join(c.text for c in shown), script=script, lines=lines if script else own
        )

    # What is known before anything is rendered inside the directory.

    def _env(self) -> dict[str, str | None]:
        """A server renders the values twice, both times without ``workingDir``."""
        user = self.place.resolve(self.task, "env", {}, render=self.place.twice)
        return {**self.python.env, **self.place.env_file, **user, **LANGUAGE_ENV.get(self.language.name, {})}

    def _python(self) -> Interpreter:
        if self.language.name != "python":
            return self.place.python
        version = self.place.resolve(self.task, "python_version", "")
        packages = self.place.resolve(self.task, "dependencies", [])
        return python_for(self.place.python, version, packages, self.place.watch)

    def _exposed(self) -> bool:
        return bool(self.place.resolve(self.task, "output_directory", self.task.runner is not None))

    def _output_env(self) -> dict[str, str]:
        return {"OUTPUT_DIR": self.more["outputDir"]} if self.exposed else {}

    def _variables(self) -> dict[str, Any]:
        root = self.place.root
        named = {name: f"{root}/{name}" for name in self.outputs if not _GLOB.search(name)}
        more: dict[str, Any] = {"workingDir": root, "outputFiles": named}
        return more | ({"outputDir": f"{root}/{self.output_dir}"} if self.exposed else {})

    # Files

    def _place(self, files: Iterable[PlacedFile]) -> None:
        for file in files:
            self.inputs[file.name] = Placed(name=file.name, content=file.content, source=str(file.source or ""))

    def _namespace_files(self) -> None:
        """Source: ``NamespaceFilesUtils.loadNamespaceFiles``; input files of the same name are placed over them."""
        asked = self.task.namespace_files
        if asked is not None:
            with self.place.at(("namespaceFiles",), None):
                self._place(namespace_files(asked, self.place, taken=self.inputs))

    def _input_files(self) -> None:
        given = {**self.place.files, **self._declared()}
        self._place(placed(given, self.place.storage, namespace=self.place.namespace))
        if self.place.resolve(self.task, "execution_context", False):
            seen = self.place.scope({})
            content = to_json({name: seen[name] for name in CONTEXT if name in seen}).encode()
            self.inputs[CONTEXT_FILE] = Placed(name=CONTEXT_FILE, content=content)

    def _declared(self) -> dict[str, object]:
        declared = self.task.input_files
        if declared is None:
            return {}
        bare = self._bare(declared)
        rest = {k: v for k, v in declared.items() if k not in bare} if isinstance(declared, dict) else declared
        render = self._twice if self.language.suffix and self.script is not None else self._render
        with self.place.at(("inputFiles",), declared):
            return {**input_files(rest, render), **bare}

    def _bare(self, declared: object) -> dict[str, object]:
        """Values that are one bare notebook name: data of any kind may be handed over as a file."""
        if not self.place.cell or not isinstance(declared, dict):
            return {}
        names = {key: bare_name(value) for key, value in declared.items() if isinstance(value, str)}
        values = {key: self.place.values[name] for key, name in names.items() if name and name in self.place.values}
        return {key: value for key, value in values.items() if not isinstance(value, PLAIN)}

    def _render(self, text: str) -> str:
        return self.place.render(text, **self.more)

    def _twice(self, text: str) -> str:
        return self.place.twice(text, **self.more)

    # Commands

    def _commands(self) -> tuple[str, list[Text], tuple[Origin | None, ...]]:
        """Return the script file's name, the commands, and the origins of the script's lines."""
        if self.script is None:
            return "", self._listed("commands"), ()
        self.body = self._body(self.script)
        origins: tuple[Origin | None, ...] = tuple((("script",), line - 1) for line in self.body.lines)
        if not self.language.suffix:
            return "", [self.body], origins
        prelude = PRELUDE if self.language.name == "python" else ""
        name = f"{_digits()}{self.place.resolve(self.task, 'extension', self.language.suffix)}"
        content = encoded(prelude + self.body.text)
        self.inputs[name] = Placed(name=name, content=content, in_logs=self.place.here)
        return name, [Text(self._run_file(self._beside(name)), ())], (None,) * prelude.count("\n") + origins

    def _body(self, script: str) -> Text:
        if self.place.raw:
            return Text(script, tuple(range(1, script.count("\n") + 2)))
        with self.place.at(("script",), script):
            return self._local(self.place.text(script, twice=bool(self.language.suffix), **self.more))

    def _beside(self, name: str) -> str:
        """Where a file of ours lies: never in the notebook's own folder."""
        return f"{self.place.log_dir if self.place.here else self.place.root}/{name}"

    def _run_file(self, path: str) -> str:
        if self.language.name == "python":
            return _python(path, self.python.executable)
        program = " ".join(self.language.program)
        if not self.place.resolve(self.task, "quiet", True):
            program = program.replace("--quiet", "")
        return f"{program} {path}".lstrip()

    def _listed(self, name: str) -> list[Text]:
        declared = getattr(self.task, name)
        if declared is None:
            return []
        with self.place.at((yaml_name(name),), declared.raw):
            if isinstance(declared.raw, list):
                return [self._local(self.place.text(str(item), **self.more)) for item in declared.raw]
            return [self._local(Text(text, ())) for text in declared.resolve(self._render)]

    def _local(self, text: Text) -> Text:
        """Each ``kestra://`` URI becomes the path of its own copy (``ScriptService.replaceInternalStorage``)."""

        def fetch(match: Any) -> str:
            name = f"{_digits()}.tmp"
            source = self.place.storage.path(match[0], namespace=self.place.namespace)
            self.inputs[name] = Placed(name=name, source=str(source), in_logs=self.place.here)
            return self._beside(name)

        return Text(_URI.sub(fetch, text.text), text.lines)

    def _argv(
        self, commands: list[Text], script_lines: tuple[Origin | None, ...]
    ) -> tuple[tuple[str, ...], tuple[Origin | None, ...]]:
        """Source: ``CommandsWrapper.run``: one shell for ``beforeCommands`` and commands, or the bare argv."""
        before = [Text(text, ()) for text in self.language.before]
        before += self._listed("before_commands")
        interpreter = self._interpreter()
        if not before and not interpreter:
            return tuple(c.text for c in commands), ()
        stop = [Text(self.language.fail_fast, ())] if self._stops() else []
        lines: list[Origin | None] = []
        for path, texts in (("", stop), ("beforeCommands", before), ("commands", commands)):
            for index, text in enumerate(texts):
                count = text.text.count("\n") + 1
                own = script_lines if path == "commands" and self.script is not None else ()
                lines += own or [((path, index), n) for n in range(count)] if path else [None] * count
        joined = self._separator().join(t.text for t in (*stop, *before, *commands))
        if len(encoded(joined)) > ARGUMENT_LIMIT:
            return self._through_file(interpreter, joined), tuple(lines)
        return (*interpreter, joined), tuple(lines)

    def _through_file(self, interpreter: list[str], text: str) -> tuple[str, ...]:
        """A text that no argument can hold is sourced from a file: same shell, same ``$0``, same exit code."""
        name = f"{_digits()}.sh"
        self.inputs[name] = Placed(name=name, content=encoded(text), in_logs=self.place.here)
        return (*interpreter, f". '{self._beside(name)}'")

    def _interpreter(self) -> list[str]:
        return list(self.place.resolve(self.task, "interpreter", self.language.interpreter, render=self._render))

    def _stops(self) -> bool:
        if self.script is None and self.language.name == "perl":
            return False  # Kestra's perl.Commands forgets beforeCommandsWithOptions
        return bool(self.place.resolve(self.task, "fail_fast", True))

    def _separator(self) -> str:
        target = self.place.resolve(self.task, "target_os", "AUTO")
        return "\r\n" if target == "WINDOWS" or (target == "AUTO" and os.name == "nt") else "\n"


def _digits() -> str:
    return str(random.getrandbits(62))


def _python(path: str, executable: str) -> str:
    """Source: ``AbstractPythonExecScript``: an environment that ``beforeCommands`` activated wins."""
    own = f'"$VIRTUAL_ENV/bin/python" "{path}"'
    return f'if [ -n "$VIRTUAL_ENV" ]; then {own}; else "{executable}" "{path}"; fi'
