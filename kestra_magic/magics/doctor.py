"""What this machine offers: found by looking, not guessed."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from kestra_magic.model.languages import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["report"]

PACKAGES = ("ipython", "ipykernel", "ipywidgets", "anywidget", "jinja2", "pydantic", "psutil")
EXTRAS = ("pandas", "pyarrow", "distributed", "pynvml", "jq", "keyring")
FRONT_ENDS = ("jupyterlab", "notebook")
SHELLS = ("sh", "bash", "zsh", "pwsh")


def report() -> str:
    """Return a table of what was found."""
    sections = {
        "Python": [(f"Python {platform.python_version()}", sys.executable), *_packages(PACKAGES)],
        "Extras": _packages(EXTRAS),
        "Front ends": [*_packages(FRONT_ENDS), ("kernels", ", ".join(_kernels()) or "none is registered")],
        "Shells": [(shell, shutil.which(shell) or "not found") for shell in SHELLS],
        "Languages": [_language(name) for name in LANGUAGES if name != "shell"],
        "Supervision": _supervision(),
        "Places": _places(),
    }
    return "\n\n".join(f"{title}\n{_rows(rows)}" for title, rows in sections.items())


def _rows(rows: list[tuple[str, str]]) -> str:
    return "\n".join(f"  {left:<22} {right}" for left, right in rows)


def _packages(names: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, _version(name)) for name in names]


def _version(name: str) -> str:
    try:
        return version({"pynvml": "nvidia-ml-py"}.get(name, name))
    except PackageNotFoundError:
        return "not installed"


def _language(name: str) -> tuple[str, str]:
    program = {"powershell": "pwsh"}.get(name) or LANGUAGES[name].program[0]
    return name, shutil.which(program) or f"`{program}` is not found"


def _kernels() -> list[str]:
    """Ask jupyter_client, which every kernel brings."""
    from jupyter_client.kernelspec import KernelSpecManager

    return sorted(KernelSpecManager().find_kernel_specs())


def _supervision() -> list[tuple[str, str]]:
    from kestra_magic.process.posix import capabilities

    return [*capabilities().items(), ("echo hi", _echo())]


def _places() -> list[tuple[str, str]]:
    """Where things lie, and why not where one would look for them."""
    from kestra_magic.runs.session import Session, notebook_folder

    here = Session(notebook_folder({}))
    moved = here.work.parent == Path(tempfile.gettempdir())
    why = " (scripts write it unquoted, and the wanted path has a space or a colon)" if moved else ""
    places = {"results": here.base, "work directories": f"{here.work}{why}", "journal and storage": here.data}
    return [(what, str(where)) for what, where in places.items()]


def _echo() -> str:
    """Try what matters: does /bin/sh run at all?"""
    try:
        done = subprocess.run(["/bin/sh", "-c", "echo hi"], capture_output=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return f"fails: {error}"
    return f"prints {done.stdout.decode().strip()!r}"
