from __future__ import annotations

from typing import Any

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.magics.binding import bind, variable
from kestra_magic.runs.run import Run


def a_run() -> Run:
    """Binding looks at the type only."""
    return Run.__new__(Run)


@pytest.mark.parametrize(("name", "made"), {"train": "train", "train-2": "train_2", "_run": "_run"}.items())
def test_a_task_id_becomes_a_variable(name: str, made: str) -> None:
    assert variable(name) == made


@pytest.mark.parametrize("name", ["2nd", "class", "a b", "a.b", ""])
def test_what_no_variable_can_be_is_refused(name: str) -> None:
    with pytest.raises(KestraMagicError, match="cannot be a variable"):
        variable(name)


def test_a_run_takes_the_place_of_a_run() -> None:
    names: dict[str, Any] = {}
    first, second = a_run(), a_run()
    bind("x", first, names)
    bind("x", second, names)

    assert names["x"] is second


def test_anything_else_is_left_alone() -> None:
    names: dict[str, Any] = {"x": [1]}
    with pytest.raises(KestraMagicError, match="holds a list, not a run"):
        bind("x", a_run(), names)

    assert names["x"] == [1]
