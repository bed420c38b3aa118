"""The script tasks of Kestra up to 0.11, still shipped: ``io.kestra.core.tasks.scripts.{Bash,Python,Node}``."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from kestra_magic.model.base import Flag, Text
from kestra_magic.model.languages import LANGUAGES, Language
from kestra_magic.model.property import Property
from kestra_magic.model.tasks import InputFiles, Task

__all__ = ["Bash", "LegacyScript", "Node", "Python"]


class LegacyScript(Task):
    """AbstractBash.java: `output_files` are keys of files with random names, not globs. The runner is a process."""

    runner: Literal["PROCESS", "DOCKER"] = "PROCESS"
    docker_options: dict[str, Any] | None = None
    interpreter: Text = "/bin/sh"
    interpreter_args: tuple[Text, ...] = ("-c",)
    exit_on_failed: Flag = True
    env: Property[dict[str, str]] | None = None
    input_files: InputFiles | None = None
    output_files: tuple[Text, ...] = ()
    outputs_files: tuple[Text, ...] = ()
    files: tuple[Text, ...] = ()
    output_dirs: tuple[Text, ...] = ()
    warning_on_std_err: Flag = True

    legacy: ClassVar[bool] = True

    @property
    def language(self) -> Language:
        return LANGUAGES["shell"]

    @property
    def asks_for_process(self) -> bool:
        return self.runner == "PROCESS"

    @property
    def image(self) -> str:
        return str((self.docker_options or {}).get("image") or self.language.image)

    @property
    def files_to_keep(self) -> tuple[str, ...]:
        """The keys of ``outputFiles`` and of its two older names."""
        return (*self.output_files, *self.outputs_files, *self.files)


class Bash(LegacyScript):
    commands: Property[list[str]]


class Python(LegacyScript):
    commands: Property[list[str]] = Property(["./bin/python main.py"], list[str], "commands")
    args: Property[list[str]] | None = None
    python_path: Text = "python"
    requirements: Property[list[str]] | None = None
    virtual_env: Flag = True

    @property
    def language(self) -> Language:
        return LANGUAGES["python"]


class Node(LegacyScript):
    commands: Property[list[str]] = Property(["node main.js"], list[str], "commands")
    args: Property[list[str]] | None = None
    node_path: Text = "node"
    npm_path: Text = "npm"

    @property
    def language(self) -> Language:
        return LANGUAGES["node"]
