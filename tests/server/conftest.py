"""A real Kestra, where this machine can have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kestra_magic import settings
from tests.server.engine import Engine, Missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    try:
        made = Engine(tmp_path_factory.mktemp("kestra"))
    except Missing as why:
        pytest.skip(str(why))
    yield made
    made.close()


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a notebook; everything of its runs lies in it."""
    before = settings.current()
    settings.update(runs_dir=str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    settings.update(runs_dir=before.runs_dir)
