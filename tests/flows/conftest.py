import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from textwrap import dedent
from typing import Any

import pytest

from kestra_magic.model.source import Source
from kestra_magic.runs.flow.engine import Plan
from kestra_magic.runs.flow.run import FlowRun
from kestra_magic.runs.session import Session

LOG = "io.kestra.plugin.core.log.Log"
RETURN = "io.kestra.plugin.core.debug.Return"
FAIL = "io.kestra.plugin.core.execution.Fail"
SHELL = "io.kestra.plugin.scripts.shell.Commands"
FLOW = "io.kestra.plugin.core.flow"
APT = {
    "ruby": "ruby",
    "php": "php-cli",
    "lua": "lua5.4",
    "perl": "perl",
    "go": "golang-go",
    "node": "nodejs",
    "Rscript": "r-base-core",
    "pwsh": "powershell, from packages.microsoft.com",
}


@pytest.fixture
def session(beside) -> Session:
    return Session(beside)


Flow = Callable[..., FlowRun]


@pytest.fixture
def begin(session, beside) -> Flow:
    """Start a flow: the text of one, or of its tasks alone."""

    def started(text: str, plan: Plan | None = None, name: str = "", **inputs: Any) -> FlowRun:
        text = dedent(text)
        whole = text if "\ntasks:" in f"\n{text}" else f"id: flow\nnamespace: company.team\ntasks:\n{text}"
        options = {"inputs": inputs} if inputs else {}
        return session.flow(Source(whole), options, name=name, beside=beside, plan=plan).start()

    return started


@pytest.fixture
def run(begin) -> Flow:
    """Run a flow to its end."""
    return lambda *given, **inputs: begin(*given, **inputs).wait(280)


def states(run: FlowRun) -> dict[str, str]:
    return {name: result.state.value for name, result in run.tasks.items()}


def said(run: FlowRun, *levels: str) -> list[str]:
    """What tasks said, in order."""
    return [entry.message for entry in run.logs if entry.task and (not levels or entry.level in levels)]


@cache
def why_not(*needs: str) -> str:
    """Return why something of *needs* is missing here, and how it is got; nothing when all is there.

    Args:
        needs: commands; ``python:module``; ``pypi:package`` and ``npm:package``, which the flow installs itself.
    """
    return next((f"{need} is not here: {_remedy(need)}" for need in needs if not _is_here(need)), "")


def _is_here(need: str) -> bool:
    kind, _, package = need.partition(":")
    if kind == "pypi":
        with tempfile.TemporaryDirectory() as folder:
            return _does([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", folder, package])
    if kind == "npm":
        return _does(["npm", "view", package, "version"])
    return _does([sys.executable, "-c", f"import {package}"]) if package else shutil.which(kind) is not None


def _does(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _remedy(need: str) -> str:
    kind, _, package = need.partition(":")
    ways = {
        "python": f"pip install {package}",
        "npm": f"npm does not reach {package}",
        "pypi": f"pip does not reach {package}",
    }
    return ways[kind] if package else f"apt-get install {APT.get(need, need)}"
