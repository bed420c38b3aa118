"""Script tasks of Kestra up to 0.11 as one command (``AbstractBash``, ``Python``, ``Node``)."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.legacy import LegacyScript, Node, Python
from kestra_magic.runners.job import Job, Placed
from kestra_magic.tasks.place import Prepared
from kestra_magic.workspace.directory import new_id
from kestra_magic.workspace.inputs import input_files, placed

if TYPE_CHECKING:
    from kestra_magic.tasks.place import Place

__all__ = ["prepare_legacy"]

_MAIN = {
    Python: "main.py key with python code value",
    Node: "main.js key with javascript code value",
}


def prepare_legacy(task: LegacyScript, place: Place) -> Prepared:
    """Return what runs when *task* does.

    Raises:
        KestraMagicError: an expression, a file or a property is not what it must be.
    """
    return _Preparation(task, place).prepared()


class _Preparation:
    """One attempt. ``outputFiles`` are keys: each is a file with a random name, known to expressions."""

    def __init__(self, task: LegacyScript, place: Place) -> None:
        self.task = task
        self.place = place
        self.files = {key: f"{_valid(key)}_{new_id()}.tmp" for key in task.files_to_keep}
        self.folders = {key: f"{_valid(key)}_{new_id()}" for key in task.output_dirs}
        root = place.root
        paths = {key: f"{root}/{name}" for key, name in self.files.items()}
        dirs = {key: f"{root}/{name}" for key, name in self.folders.items()}
        self.more = {"workingDir": root, "outputFiles": paths, "outputDirs": dirs, "temp": {**paths, **dirs}}

    def prepared(self) -> Prepared:
        place = self.place
        text = "\n".join([*(["set -o errexit"] if self.task.exit_on_failed else []), *self._commands()])
        job = Job(
            name=place.name,
            task_run=place.task_run,
            attempt=place.attempt,
            argv=(self.task.interpreter, *self.task.interpreter_args, text),
            env=self._env(),
            root=place.root,
            shared=place.shared,
            log_dir=place.log_dir,
            inputs=tuple(self._inputs()),
            folders=tuple(self.folders.values()),
            outputs=(*self.files.values(), *(f"{name}/**" for name in self.folders.values())),
            timeout=place.timeout(self.task),
            mask=place.mask(),
            **place.options,
        )
        return Prepared(job=job, rendered=text, keys=_Keys(self.files, self.folders))

    def _get(self, name: str, default: Any = None) -> Any:
        return self.place.resolve(self.task, name, default, self._render)

    def _render(self, text: str) -> str:
        return self.place.render(text, **self.more)

    def _env(self) -> dict[str, str | None]:
        own = {"PYTHONUNBUFFERED": "true"} if isinstance(self.task, Python) else {}
        return {**self.place.python.env, **self.place.env_file, **self._get("env", {}), **own}

    def _inputs(self) -> list[Placed]:
        declared = self.task.input_files
        with self.place.at(("inputFiles",), declared):
            given = input_files(declared, self._render) if declared is not None else {}
        names = [_valid(name) for name in given]
        self._has_main(names)
        found = placed(given, self.place.storage, namespace=self.place.namespace)
        files = [Placed(name=file.name, content=file.content, source=str(file.source or "")) for file in found]
        return [*(Placed(name=name, content=b"") for name in self.files.values()), *files]

    def _has_main(self, names: list[str]) -> None:
        """Source: ``Python.run``: the default commands run ``main.py``."""
        main = next((said for kind, said in _MAIN.items() if isinstance(self.task, kind)), "")
        if main and "commands" not in self.task.model_fields_set and main.split(" ", 1)[0] not in names:
            said = "Invalid input files structure, expecting inputFiles property to contain at least a"
            raise KestraMagicError(f"{said} {main}.")

    def _commands(self) -> list[str]:
        task = self.task
        args = "".join(f" {arg}" for arg in self._get("args", [])) if isinstance(task, Python | Node) else ""
        commands = [command + args for command in self._get("commands", [])]
        return [*(self._environment(task) if isinstance(task, Python) else ()), *commands]

    def _environment(self, task: Python) -> list[str]:
        """A virtual environment in the working directory, as ``./bin/python`` expects it; `python` is the kernel's."""
        if not task.virtual_env:
            return []
        python = self.place.python.executable if task.python_path == "python" else task.python_path
        wanted = [shlex.quote(word) for word in self._get("requirements", [])]
        install = [f"./bin/python -m pip install --quiet --disable-pip-version-check {' '.join(wanted)} > /dev/null"]
        return [f"{shlex.quote(python)} -m venv --system-site-packages . > /dev/null", *(install if wanted else [])]


class _Keys(dict[str, str]):
    """File names to the names they are known by: ``xml_1a2b.tmp`` is ``xml``, ``dir_1a2b/x`` is ``dir/x``."""

    def __init__(self, files: dict[str, str], folders: dict[str, str]) -> None:
        super().__init__({name: key for key, name in files.items()})
        self._folders = {name: key for key, name in folders.items()}

    def get(self, name: str, default: Any = None) -> Any:
        folder, slash, below = name.partition("/")
        return f"{self._folders[folder]}/{below}" if slash and folder in self._folders else super().get(name, default)


def _valid(name: str) -> str:
    """Source: ``PluginUtilsService.validFilename``."""
    if name.startswith(("./", "..", "/")):
        raise KestraMagicError(f"Invalid outputFile (only relative path is supported) for path '{name}'")
    return name
