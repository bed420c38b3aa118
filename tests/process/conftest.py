from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kestra_magic.process import supervise
from kestra_magic.process.events import Event, Exited, Lost, Output
from tests.process.survivors import Witness

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX")

Start = Callable[..., supervise.Child]


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-u", "-c", code)


def sh(script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script)


def text(events: list[Event], stream: str = "stdout") -> str:
    return "".join(e.text for e in events if isinstance(e, Output) and e.kind == "lines" and e.stream == stream)


def frames(events: list[Event]) -> list[str]:
    return [e.text for e in events if isinstance(e, Output) and e.kind == "frame"]


def end(events: list[Event]) -> Exited:
    assert isinstance(events[-1], Exited), events[-1:]
    return events[-1]


def until(child: supervise.Child, wanted: Callable[[Event], bool]) -> list[Event]:
    """Take events until one is *wanted*: how a test waits without a clock."""
    seen: list[Event] = []
    for event in child.events():
        seen.append(event)
        if wanted(event):
            return seen
        assert not isinstance(event, Exited | Lost), seen
    return seen


def says(word: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Output) and word in event.text


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command; what still lives at the end of a test is ended."""
    children: list[supervise.Child] = []

    def starting(argv: tuple[str, ...], **more: Any) -> supervise.Child:
        folder = more.pop("log_dir", None) or tmp_path / f"log{len(children)}"
        folder.mkdir(mode=0o700, exist_ok=True)
        env, ready = {**os.environ, **more.pop("env", {})}, more.pop("ready", bool)
        command = supervise.Command(argv=argv, env=env, cwd=more.pop("cwd", tmp_path), log_dir=folder, **more)
        children.append(supervise.start(command, ready))
        return children[-1]

    yield starting
    for child in children:
        child.stop(grace=0)
        child.ended.wait(10)


@pytest.fixture
def token() -> Iterator[str]:
    """A word that no other process bears."""
    word = f"tok{uuid.uuid4().hex[:12]}"
    yield word
    Witness(word).end()
