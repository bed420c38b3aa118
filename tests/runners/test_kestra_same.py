"""The same task here and through a server: no difference but where and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.runners.kestra_double import USER, Double, LocalBackend
from tests.runners.same import CASES, Case, outcome
from tests.runners.there import outcome_there, whole_lines

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("case", "dialect"), [(c, n % 2 + 1) for n, c in enumerate(CASES)], ids=[c.name for c in CASES]
)
def test_a_task_leaves_the_same_here_and_there(
    case: Case, dialect: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KESTRA_USERNAME", USER[0])
    monkeypatch.setenv("KESTRA_PASSWORD", USER[1])
    (tmp_path / "here").mkdir()
    double = Double(LocalBackend(tmp_path / "server"), dialect=dialect)

    there = outcome_there(case, tmp_path, double.url)
    double.stop()

    assert there == whole_lines(outcome(case, tmp_path / "here"))
