"""Which model reads which ``type``, under all the names that type ever had; and what is said of the others."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from kestra_magic.errors import did_you_mean
from kestra_magic.model.languages import LANGUAGES

if TYPE_CHECKING:
    from kestra_magic.model.tasks import Task

__all__ = ["SLIP", "canonical", "known_types", "model_of", "needs_server", "why_unknown"]

SLIP = 0.9  # as alike as two types are of which one is a slip of the pen
_CORE = "io.kestra.plugin.core."
_OWN_SCRIPTS = {
    ("python", "Script"): "PythonScript",
    ("python", "Commands"): "PythonCommands",
    ("jbang", "Script"): "JbangScript",
    ("jbang", "Commands"): "JbangCommands",
}
_FLOW = """AllowFailure Dag EachParallel EachSequential ForEach If Loop LoopUntil Parallel Pause Sequential Sleep
Subflow Switch WorkingDirectory"""
_FAMILIES = {
    "flow": ("flowables", _FLOW),
    "log": ("core", "Log"),
    "debug": ("core", "Echo Return"),
    "execution": ("core", "Assert Fail Labels"),
    "output": ("core", "OutputValues"),
    "http": ("core", "Download Request"),
    "kv": ("core", "Delete Get Set"),
    "storage": ("core", "Concat Delete LocalFiles PurgeCurrentExecutionFiles Size Split Write"),
}
_CLASSES = {"kv.Delete": "KvDelete", "kv.Get": "KvGet", "kv.Set": "KvSet", "storage.Delete": "StorageDelete"}

_RENAMED = {
    "flows": "flow",
    "log": "log",
    "debugs": "debug",
    "executions": "execution",
    "states": "state",
    "storages": "storage",
    "trigger": "trigger",
    "http": "http",
}
"""The packages of ``io.kestra.core.tasks`` (up to 0.16) and where they went."""

_ALIASES = {
    "flow.Worker": "flow.WorkingDirectory",
    "flow.Flow": "flow.Subflow",
    "flow.WaitFor": "flow.LoopUntil",
    "storage.LocalFile": "storage.LocalFiles",
}

_OF_A_SERVER = """execution.Count execution.Delete execution.Exit execution.PurgeExecutions execution.Query
execution.Resume execution.SetVariables execution.UnsetVariables flow.ForEachItem flow.Template http.SseRequest
kv.GetKeys kv.PurgeKV kv.Put kv.Version log.Fetch log.PurgeLogs metric.Publish namespace.DeleteFiles
namespace.DownloadFiles namespace.PurgeFiles namespace.UploadFiles namespace.Version purge.Purge state.Delete
state.Get state.Set storage.DeduplicateItems storage.FilterItems storage.Purge storage.PurgeStorage storage.Reverse
templating.TemplatedTask trigger.Toggle"""
_ON_A_SERVER = {_CORE + name for name in _OF_A_SERVER.split()}
_JVM = re.compile(r"io\.kestra\.plugin\.scripts\.(?:nashorn|jython|groovy)\.(?:Eval|FileTransform)")
_JAVA_NAME = re.compile(r"(?:[A-Za-z_$][\w$]*\.)+[A-Za-z_$][\w$]*")


def canonical(written: str) -> str:
    """Return today's name of the type *written*; itself when it has none."""
    name = re.sub(r"^io\.kestra\.plugin\.fs\.http\.", _CORE + "http.", written)
    match = re.match(r"io\.kestra\.core\.tasks\.(\w+)\.(\w+)$", name)
    if match and match[1] in _RENAMED:
        name = f"{_CORE}{_RENAMED[match[1]]}.{match[2]}"
    short = name.removeprefix(_CORE)
    return _CORE + _ALIASES[short] if name.startswith(_CORE) and short in _ALIASES else name


def known_types() -> tuple[str, ...]:
    """Return the types that run here, by today's names."""
    return tuple(_models())


def model_of(written: str) -> type[Task] | None:
    """Return the model that reads tasks of the type *written*, or None."""
    home = _models().get(canonical(written))
    return None if home is None else _model(home)


@cache
def _model(home: str) -> type[Task]:
    module, _, name = home.partition(":")
    model: type[Task] = getattr(import_module(f"kestra_magic.model.{module}"), name)
    return model


def why_unknown(written: str) -> str:
    """Return the sentence for a type that does not run here: a slip of the pen, or a plugin that needs a server."""
    near = _near(written)
    if near:
        return f"Invalid type: `{written}`{near}"
    if needs_server(written):
        return f"`{written}` needs a Kestra server: `%kestra server URL` names one; script and core tasks run here"
    return f"Invalid type: `{written}`; a type is a full name like `io.kestra.plugin.scripts.shell.Commands`"


def needs_server(written: str) -> bool:
    """Whether *written* is a type that a server may have; a slip of the pen is none."""
    return not _near(written) and (written in _ON_A_SERVER or bool(_JVM.fullmatch(written)) or _is_plugin(written))


def _is_plugin(written: str) -> bool:
    ours = written.startswith((_CORE, "io.kestra.plugin.scripts.", "io.kestra.core."))
    return bool(_JAVA_NAME.fullmatch(written)) and not ours


def _near(written: str) -> str:
    if written in _ON_A_SERVER or _JVM.fullmatch(written):
        return ""
    if not _is_plugin(written) or written.count(".") < 2:
        return did_you_mean(written, known_types()) or _by_last_word(written)
    package, _, name = written.rpartition(".")
    slips = [known for known in known_types() if known.rpartition(".")[2].lower() == name.lower()]
    return did_you_mean(package, {known.rpartition(".")[0] for known in slips}) and did_you_mean(
        written, slips, cutoff=SLIP
    )


def _by_last_word(written: str) -> str:
    """``shell`` and ``python.Script`` are how one speaks of a type."""
    words = written.lower().replace("_", ".").split(".")
    ending = [known for known in known_types() if known.lower().split(".")[-len(words) :] == words]
    language = [f"io.kestra.plugin.scripts.{words[-1]}.Commands"] if words[-1] in LANGUAGES else []
    return f"; did you mean `{(ending or language)[0]}`?" if ending or language else ""


@cache
def _models() -> dict[str, str]:
    """Type → `module:Class`."""
    models = {}
    for language in LANGUAGES.values():
        for end in ("Script", "Commands"):
            optional = end == "Commands" and language.optional_commands
            name = _OWN_SCRIPTS.get((language.name, end)) or ("OptionalCommands" if optional else end)
            models[f"io.kestra.plugin.scripts.{language.name}.{end}"] = f"tasks:{name}"
    for package, (module, names) in _FAMILIES.items():
        for name in names.split():
            short = f"{package}.{name}"
            models[_CORE + short] = f"{module}:{_CLASSES.get(short, name)}"
    models["io.kestra.plugin.git.Clone"] = "core:Clone"
    for name in ("Bash", "Node", "Python"):
        models[f"io.kestra.core.tasks.scripts.{name}"] = f"legacy:{name}"
    return models
