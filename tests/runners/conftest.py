from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kestra_magic import settings
from tests.runners.cluster import TestCluster

GROUPS = {"a": "g=2 a=2 GPU=1", "b": "g=2 b=2"}


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """One scheduler and two workers, for all tests that leave them as they are."""
    yield from started(tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """A cluster of a module's own, whose processes may be killed; `heal` starts them again."""
    yield from started(tmp_path_factory.mktemp("fragile"), "10s")


def started(folder: Path, patience: str = "5m") -> Iterator[TestCluster]:
    cluster = TestCluster(folder, GROUPS, patience)
    try:
        cluster.heal()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def cluster(shared: TestCluster, tmp_path: Path) -> Iterator[TestCluster]:
    """The shared cluster, as the one that worker groups go to."""
    before = settings.current()
    settings.update(worker_groups=shared.address, worker_root=str(tmp_path / "worker-root"))
    yield shared
    settings.update(worker_groups=before.worker_groups, worker_root=before.worker_root)
