from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kestra_magic import settings
from kestra_magic.model.source import Source
from kestra_magic.runs.request import Request
from kestra_magic.runs.run import Run
from kestra_magic.runs.session import Session

Begin = Callable[..., Run]


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session whose whole tree lies in one folder; what still lives at the end is ended."""
    before = settings.current()
    settings.update(runs_dir=str(tmp_path / "tree"))
    monkeypatch.chdir(tmp_path)
    made = Session(tmp_path)
    yield made
    made.close()
    for thread in threading.enumerate():  # what a run does when it has ended must not happen in another test's tree
        if thread.name.startswith("kestra-") and thread.name != "kestra-magic":
            thread.join(10)
    settings.update(**{name: getattr(before, name) for name in ("runs_dir", "keep_days", "keep_bytes", "mask")})


@pytest.fixture
def begin(session: Session, tmp_path: Path) -> Begin:
    """Start the text of a process cell."""

    def started(text: str, name: str = "cell", names: dict[str, object] | None = None, **options: Any) -> Run:
        given = {key.replace("_", "-"): value for key, value in options.items()}
        request = Request(source=Source(text), name=name, options=given, notebook=names or {}, beside=tmp_path)
        return session.cell(request).start()

    return started
