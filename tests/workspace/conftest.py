from __future__ import annotations

from pathlib import Path

import pytest

from kestra_magic.workspace.directory import WorkDirectory, new_id
from kestra_magic.workspace.storage import Storage
from tests.workspace.conditions import open_folder, other_device, small_disk

__all__ = ["open_folder", "other_device", "small_disk"]


@pytest.fixture
def work(tmp_path: Path) -> WorkDirectory:
    return WorkDirectory.make(tmp_path / "work" / new_id())


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """The folder where the notebook lies."""
    place = tmp_path / "notebooks"
    place.mkdir()
    return place


@pytest.fixture
def storage(tmp_path: Path, beside: Path) -> Storage:
    return Storage(tmp_path / "data" / "storage", namespace_files=beside / "_files", allowed=(beside,))
