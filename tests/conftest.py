"""For all rooms: no test has a clock; the person's own folders are never used; a notebook without a kernel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from kestra_magic import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.runs.book import Book

FOLDERS = ("DATA", "CACHE", "STATE")
hypothesis.settings.register_profile("no clock", deadline=None)
hypothesis.settings.load_profile("no clock")


@pytest.fixture(scope="session", autouse=True)
def nobodys_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """XDG folders of all tests; what installers have fetched they keep."""
    fetched = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    with pytest.MonkeyPatch.context() as patch:
        for installer in ("uv", "pip"):
            patch.setenv(f"{installer.upper()}_CACHE_DIR", str(fetched / installer))
        for name in FOLDERS:
            patch.setenv(f"XDG_{name}_HOME", str(tmp_path_factory.mktemp(name)))
        yield


@pytest.fixture(scope="module")
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """XDG folders of a module's tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in FOLDERS:
            patch.setenv(f"XDG_{name}_HOME", str(tmp_path_factory.mktemp(name)))
        yield


@pytest.fixture
def book(own_folders: None, tmp_path: Path) -> Book:
    """The cells of a notebook, run one after the other."""
    from tests.runs.book import Book

    return Book(tmp_path)


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a notebook; everything of its runs lies in it."""
    before = settings.current()
    settings.update(runs_dir=str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    settings.update(runs_dir=before.runs_dir)
