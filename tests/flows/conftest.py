import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from kestra_magic import settings
from kestra_magic.model.source import Source
from kestra_magic.runs.engine import Plan
from kestra_magic.runs.flowrun import FlowRun
from kestra_magic.runs.session import Session

LOG = "io.kestra.plugin.core.log.Log"
RETURN = "io.kestra.plugin.core.debug.Return"
FAIL = "io.kestra.plugin.core.execution.Fail"
SHELL = "io.kestra.plugin.scripts.shell.Commands"
FLOW = "io.kestra.plugin.core.flow"
APT = {"ruby": "ruby", "php": "php-cli", "lua": "lua5.4", "perl": "perl", "node": "nodejs", "Rscript": "r-base-core"}


@pytest.fixture
def beside(tmp_path, monkeypatch) -> Iterator[Path]:
    """The folder of a notebook; everything of its runs lies in it."""
    before = settings.current()
    settings.update(runs_dir=str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    settings.update(runs_dir=before.runs_dir)


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
    return lambda *given, **inputs: begin(*given, **inputs).wait(120)


def states(run: FlowRun) -> dict[str, str]:
    return {name: result.state.value for name, result in run.tasks.items()}


def said(run: FlowRun, *levels: str) -> list[str]:
    """What tasks said, in order."""
    return [entry.message for entry in run.logs if entry.task and (not levels or entry.level in levels)]


@cache
def why_not(*needs: str) -> str:
    """Return why something of *needs* is missing here: a command, or ``python:package``; nothing when all is there."""
    for need in needs:
        kind, _, package = need.partition(":")
        if package:
            found = subprocess.run([sys.executable, "-c", f"import {package}"], capture_output=True).returncode == 0
        else:
            found = shutil.which(kind) is not None
        if not found:
            return f"{need} is not here" + (f": apt-get install {APT[need]}" if need in APT else "")
    return ""
