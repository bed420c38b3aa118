"""A real Kestra, where this machine can have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.engine import Engine, Missing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    try:
        made = Engine(tmp_path_factory.mktemp("kestra"))
    except Missing as why:
        pytest.skip(str(why))
    yield made
    made.close()
