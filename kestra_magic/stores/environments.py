"""Python environments: which interpreter a task means, and what its `dependencies` add to it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError, did_you_mean, did_you_mean_beside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["EnvironmentNotFound", "Interpreter", "find", "kernel"]

_WINDOWS = os.name == "nt"
_BIN = "Scripts" if _WINDOWS else "bin"
_NAMES = ("python.exe",) if _WINDOWS else ("python", "python3")
_CONDA_HOMES = ("miniforge3", "mambaforge", "miniconda3", "anaconda3", "micromamba", ".conda")


class EnvironmentNotFound(KestraMagicError):
    """There is no such Python here."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python and what a process needs around it.

    Attributes:
        executable: its absolute path.
        bin: its folder of commands.
        env: to be set for the process; None takes a name away.
    """

    executable: str
    bin: Path
    env: Mapping[str, str | None] = field(default_factory=dict)


def kernel() -> Interpreter:
    """Return the Python that runs this process."""
    return _kernel(sys.executable, sys.prefix, os.environ.get("PATH", ""))


@lru_cache(maxsize=1)
def _kernel(executable: str, prefix: str, _path: str) -> Interpreter:
    return _interpreter(Path(executable), Path(prefix), venv=prefix != sys.base_prefix)


def find(spec: str | os.PathLike[str] | None) -> Interpreter:
    """Return the Python that *spec* means.

    Nothing is the kernel's; else a virtual environment or conda environment by its folder, an interpreter by its path,
    a version (``3.12``), or a name: of a conda, virtualenvwrapper or pyenv environment, or of a command.

    Raises:
        EnvironmentNotFound: there is none; the nearest name is offered.
    """
    if not spec:
        return kernel()
    text = os.fspath(spec)
    path = Path(os.path.abspath(os.path.expanduser(text)))
    if path.is_dir():
        return _from_folder(path, text)
    if path.is_file():
        return _from_executable(path, text)
    if os.sep in text or path.is_symlink():
        gone = "its interpreter is gone: make the environment anew" if path.is_symlink() else "there is no such folder"
        raise EnvironmentNotFound(f"Python `{text}`: {gone}{did_you_mean_beside(path)}")
    return _from_name(text)


def _from_name(name: str) -> Interpreter:
    known = dict(_named())
    if name in known:
        return _from_folder(known[name], name)
    command = f"python{name}" if re.fullmatch(r"\d+(\.\d+)*", name) else name
    found = shutil.which(command)
    if found is None or not Path(command).name.startswith(("python", "pypy")):
        raise EnvironmentNotFound(
            f"Python `{name}`: there is no such folder, conda environment or command{did_you_mean(name, known)}"
        )
    return _from_executable(Path(found), name)


def _from_folder(folder: Path, said: str) -> Interpreter:
    places = [folder, folder / _BIN] if _WINDOWS else [folder / _BIN]
    candidates = [place / name for place in places for name in _NAMES]
    executable = next((path for path in candidates if path.is_file()), None)
    if executable is not None:
        return _interpreter(executable, folder, venv=(folder / "pyvenv.cfg").is_file())
    if any(path.is_symlink() for path in candidates):
        raise EnvironmentNotFound(f"Python `{said}`: its interpreter is gone: make the environment anew")
    raise EnvironmentNotFound(f"Python `{said}`: `{folder}` holds no Python ({_BIN}/{_NAMES[0]})")


def _from_executable(path: Path, said: str) -> Interpreter:
    if not os.access(path, os.X_OK):
        raise EnvironmentNotFound(f"Python `{said}`: `{path}` is not executable")
    folder = path.parent.parent if path.parent.name == _BIN else path.parent
    return _interpreter(path, folder, venv=(folder / "pyvenv.cfg").is_file())


def _interpreter(executable: Path, folder: Path, *, venv: bool) -> Interpreter:
    """Describe a Python; what belongs to another environment is taken away, or its scripts would run that one."""
    conda = not venv and (folder / "conda-meta").is_dir()
    env: dict[str, str | None] = {
        "VIRTUAL_ENV": str(folder) if venv else None,
        "CONDA_PREFIX": str(folder) if conda else None,
        "PYTHONHOME": None,
    }
    if conda:
        env["CONDA_DEFAULT_ENV"] = folder.name
    own = executable.parent
    if not _leads(own):
        env["PATH"] = os.pathsep.join(filter(None, (str(own), os.environ.get("PATH", ""))))
    return Interpreter(str(executable), own, env)


def _leads(own: Path) -> bool:
    """Whether PATH finds this Python's commands as it is: a system's folder must not move before the person's own."""
    commands = [name for name in (*_NAMES, "pip", "pip3") if (own / name).exists()]
    return all((found := shutil.which(name)) is not None and Path(found).parent == own for name in commands)


def _named() -> Iterator[tuple[str, Path]]:
    """Yield the environments that have a name, as their tools keep them; no tool is asked."""
    home = Path.home()
    roots = [home / ".pyenv" / "versions", Path(os.environ.get("WORKON_HOME", home / ".virtualenvs"))]
    for conda in _condas(home):
        yield "base", conda
        roots.append(conda / "envs")
    for root in roots:
        yield from ((path.name, path) for path in _folders(root))
    listed = home / ".conda" / "environments.txt"
    if listed.is_file():
        paths = (Path(line.strip()) for line in listed.read_text("utf-8", "replace").splitlines() if line.strip())
        yield from ((path.name, path) for path in paths if path.is_dir() and path.parent.name == "envs")


def _condas(home: Path) -> list[Path]:
    told = [os.environ.get("MAMBA_ROOT_PREFIX"), os.environ.get("CONDA_PREFIX")]
    command = os.environ.get("CONDA_EXE")
    paths = [home / name for name in _CONDA_HOMES] + [Path(path) for path in told if path]
    if command:
        paths.append(Path(command).parent.parent)
    roots = [path.parent.parent if path.parent.name == "envs" else path for path in paths]
    return [root for root in dict.fromkeys(roots) if (root / "conda-meta").is_dir() or (root / "envs").is_dir()]


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
