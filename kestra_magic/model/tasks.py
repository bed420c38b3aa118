"""Tasks as they are written: what every task has, and the script tasks of all languages."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, field_validator

from kestra_magic.errors import did_you_mean
from kestra_magic.model.base import Flag, Level, Model, Name, Seconds, Text, refused
from kestra_magic.model.languages import LANGUAGES, Language
from kestra_magic.model.property import Property, refusal
from kestra_magic.model.retry import Retry
from kestra_magic.model.types import SLIP, canonical, model_of, why_unknown

__all__ = [
    "PROCESS", "AnyTask", "Commands", "IfExists", "InputFiles", "JbangCommands", "JbangScript", "NamespaceFiles",
    "OptionalCommands", "PackageManager", "PythonCommands", "PythonScript", "Script", "ScriptTask", "TargetOS", "Task",
    "TaskCache", "TaskRunner", "Tasks", "WorkerGroup", "WorkerSelector",
]  # fmt: skip

PROCESS = "io.kestra.plugin.core.runner.Process"
DOCKER = "io.kestra.plugin.scripts.runner.docker.Docker"
_RUNNER = re.compile(r"(?:\w+\.){2,}\w+")
_PROCESS_TYPES = {PROCESS, "io.kestra.core.models.tasks.runners.types.ProcessTaskRunner"}


class TargetOS(StrEnum):
    LINUX = "LINUX"
    WINDOWS = "WINDOWS"
    AUTO = "AUTO"


class IfExists(StrEnum):
    OVERWRITE = "OVERWRITE"
    FAIL = "FAIL"
    WARN = "WARN"
    IGNORE = "IGNORE"


class PackageManager(StrEnum):
    UV = "UV"
    PIP = "PIP"


class TaskRunner(Model):
    """Where a task runs on a server. Here it is a process in any case; other runners' properties pass unread."""

    model_config = ConfigDict(extra="allow")

    type: Text

    @property
    def is_process(self) -> bool:
        return self.type in _PROCESS_TYPES

    @field_validator("type")
    @classmethod
    def _known(cls, value: str) -> str:
        known = (PROCESS, DOCKER, *_PROCESS_TYPES)
        slip = "" if value in known else did_you_mean(value, known, cutoff=SLIP)
        if slip or not _RUNNER.fullmatch(value):
            raise refused(f"Invalid type: `{value}`{slip or f'; did you mean `{PROCESS}`?'}")
        return value


class WorkerGroup(Model):
    key: Property[str]
    fallback: Literal["FAIL", "WAIT", "CANCEL"] | None = None


class WorkerSelector(Model):
    """Kestra 2.0's spelling of a worker group."""

    tags: Property[list[str]]
    match: Literal["ALL", "ANY"] | None = None
    fallback: Literal["FAIL", "WAIT", "CANCEL", "IGNORE"] | None = None


class TaskCache(Model):
    enabled: Flag
    ttl: Seconds | None = None


class NamespaceFiles(Model):
    enabled: Property[bool] = Property(True, bool, "enabled")
    include: Property[list[str]] | None = None
    exclude: Property[list[str]] | None = None
    namespaces: Property[list[str]] | None = None
    if_exists: Property[IfExists] = Property("OVERWRITE", IfExists, "ifExists")
    folder_per_namespace: Property[bool] = Property(False, bool, "folderPerNamespace")


class Task(Model):
    """What every task has (Kestra's models/tasks/Task.java). `type` is as written, `kind` without its old names."""

    id: Name
    type: Text
    version: Text | None = None
    plugin_defaults_ref: Text | None = None
    description: Text | None = None
    timeout: Property[timedelta] | None = None
    retry: Retry | None = None
    disabled: Flag = False
    allow_failure: Flag = False
    allow_warning: Flag = False
    log_to_file: Flag = False
    log_level: Level | None = None
    run_if: Text | None = None
    when: Text | None = None
    worker_group: WorkerGroup | None = None
    worker_selector: WorkerSelector | None = None
    task_cache: TaskCache | None = None
    assets: Any = None

    @property
    def kind(self) -> str:
        return canonical(self.type)

    @property
    def condition_to_run(self) -> str:
        """The template of ``runIf``, or of ``when`` as Kestra 2.0 spells it."""
        return next((text for text in (self.run_if, self.when) if text is not None), "true")

    def children(self) -> tuple[Task, ...]:
        """Return the tasks written within this one, ``errors`` and ``finally`` included."""
        return ()


def _input_files(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, dict):
        said = f"Invalid `files` properties with type '{_java_type(value)}'"
        raise refused(f"{said}: it is a map of names to contents; write `data.csv: …` without `- `")
    wrong = [
        ((name,), "the content of a file must be a text; quote it, or write it below `|`")
        for name, content in value.items()
        if content is not None and not isinstance(content, str)
    ]
    if wrong:
        raise refusal("inputFiles", value, wrong)
    return value


def _java_type(value: Any) -> str:
    names = {list: "class java.util.ArrayList", bool: "class java.lang.Boolean", int: "class java.lang.Integer"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "class java.lang.Double")


InputFiles = Annotated[dict[str, str | None] | str, PlainValidator(_input_files)]
"""Names to contents, or one text that renders to JSON of that."""


class ScriptTask(Task):
    """What all script tasks have (AbstractExecScript.java). Language extras: see the subclasses."""

    before_commands: Property[list[str]] | None = None
    interpreter: Property[list[str]] | None = None
    fail_fast: Property[bool] = Property(True, bool, "failFast")
    env: Property[dict[str, str]] | None = None
    target_os: Property[TargetOS] = Property("AUTO", TargetOS, "targetOS")
    input_files: InputFiles | None = None
    output_files: Property[list[str]] | None = None
    output_directory: Property[bool] | None = None
    namespace_files: NamespaceFiles | None = None
    task_runner: TaskRunner | None = None
    runner: Literal["PROCESS", "DOCKER"] | None = None
    docker: dict[str, Any] | None = None
    container_image: Property[str] | None = None
    warning_on_std_err: Property[bool] | None = None
    execution_context: Property[bool] | None = None

    legacy: ClassVar[bool] = False

    @property
    def language(self) -> Language:
        return LANGUAGES[self.kind.split(".")[-2]]

    @property
    def asks_for_process(self) -> bool:
        """Whether the flow itself says that this task is a process; otherwise a server would use a container."""
        return self.runner == "PROCESS" or (self.task_runner is not None and self.task_runner.is_process)

    @property
    def image(self) -> str:
        """The container image (maybe a template) that a server would use."""
        if self.container_image is not None:
            return str(self.container_image.raw)
        return str((self.docker or {}).get("image") or self.language.image)


class Script(ScriptTask):
    script: Property[str]


class Commands(ScriptTask):
    commands: Property[list[str]]


class OptionalCommands(ScriptTask):
    """The Commands task of deno, lua and perl, where Kestra lets the commands be missing."""

    commands: Property[list[str]] = Property([], list[str], "commands")


class _Python(Model):
    dependencies: Property[list[str]] | None = None
    python_version: Property[str] | None = None
    dependency_cache_enabled: Property[bool] = Property(True, bool, "dependencyCacheEnabled")
    package_manager: Property[PackageManager] = Property("UV", PackageManager, "packageManager")
    uv_auto_install_enabled: Property[bool] | None = None
    uv_installer_version: Property[str] | None = None
    uv_installer_sha256: Property[str] | None = Field(default=None, alias="uvInstallerSha256")


class PythonScript(_Python, Script):
    pass


class PythonCommands(_Python, Commands):
    pass


class _Jbang(Model):
    extension: Property[str] = Property(".java", str, "extension")
    quiet: Property[bool] = Property(True, bool, "quiet")


class JbangScript(_Jbang, Script):
    pass


class JbangCommands(_Jbang, Commands):
    pass


def _read_task(value: Any) -> Any:
    """Validate one task with the model of its type."""
    if isinstance(value, Task):
        return value
    if not isinstance(value, dict):
        raise refused("must be a task: a map with `id` and `type`")
    written = value.get("type")
    if written is None:
        raise refusal("Task", value, [(("type",), "must not be null")])
    model = model_of(written) if isinstance(written, str) else None
    if model is None:
        raise refusal("Task", value, [(("type",), why_unknown(str(written)))])
    return model.model_validate(value)


AnyTask = Annotated[Task, PlainValidator(_read_task)]
"""A task of any type: the model is looked up by its ``type``, and built when it is first met."""


def _filled(value: Any) -> Any:
    if isinstance(value, list) and not value:
        raise refused("must not be empty")
    return value


Tasks = Annotated[tuple[AnyTask, ...], BeforeValidator(_filled)]
