"""The same task here and on a worker: no difference but where and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from kestra_magic.process.events import Started
from kestra_magic.runs.progress import Happening
from kestra_magic.runs.run import Run
from tests.process.survivors import wait_until
from tests.runners.cluster import TestCluster
from tests.runners.same import CASES, Case, outcome

GROUP = {"workerGroup": {"key": "g"}}


def folder(path: Path, name: str) -> Path:
    (path / name).mkdir()
    return path / name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_task_leaves_the_same_here_and_on_a_worker(case: Case, tmp_path: Path, cluster: TestCluster) -> None:
    there = outcome(case, folder(tmp_path, "there"), **GROUP)
    here = outcome(case, folder(tmp_path, "here"))

    assert there == here


def test_it_ran_on_a_worker_and_left_nothing_there(tmp_path: Path, cluster: TestCluster) -> None:
    case = next(case for case in CASES if case.name == "output-files")
    where: list[str] = []

    def ran_there(run: Run, events: list[Happening]) -> None:
        where.extend(event.where for event in events if isinstance(event, Started))

    outcome(case, folder(tmp_path, "there"), also=ran_there, **GROUP)

    assert where in (["a"], ["b"])
    assert wait_until(lambda: not list((tmp_path / "worker-root").iterdir()))


def test_log_files_are_the_same_byte_for_byte(tmp_path: Path, cluster: TestCluster) -> None:
    case = next(case for case in CASES if case.name == "many-lines")
    logs: list[bytes] = []

    def read(run: Run, events: list[Happening]) -> None:
        log = run.result.log_file
        assert log is not None
        logs.append((log.folder / "run.log").read_bytes())

    outcome(case, folder(tmp_path, "there"), also=read, **GROUP)
    outcome(case, folder(tmp_path, "here"), also=read)

    assert logs[0] == logs[1]
    assert logs[0].count(b"\n") == 20_000
