from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.driver import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with the extension loaded, shared by a module's tests."""
    made = Kernel(tmp_path_factory.mktemp("notebook"), tmp_path_factory.mktemp("home"))
    assert made.run("%load_ext kestra_magic").status == "ok"
    yield made
    made.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel for one test, which may kill it."""
    made = Kernel(tmp_path / "notebook", tmp_path / "home")
    assert made.run("%load_ext kestra_magic").status == "ok"
    yield made
    made.close()
