from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.magics.binding import bind, variable
from kestra_magic.runs.run import Run


def a_run(*, cell: bool = True) -> Run:
    """Binding looks at the type, and at what kind of cell it was."""
    made = Run.__new__(Run)
    made.context = SimpleNamespace(cell=cell, notices=[])  # type: ignore[assignment]
    return made


@pytest.mark.parametrize(("name", "made"), {"train": "train", "train-2": "train_2", "_run": "_run"}.items())
def test_a_task_id_becomes_a_variable(name: str, made: str) -> None:
    assert variable(name) == made


@pytest.mark.parametrize("name", ["print", "list", "class", "None", "__import__"])
def test_what_is_pythons_own_is_refused(name: str) -> None:
    with pytest.raises(KestraMagicError, match="Python's own"):
        variable(name)


@pytest.mark.parametrize(
    ("name", "made"),
    {"01-intro": "_01_intro", "my.flow": "my_flow", "import": "_import", "print": "_print", "größe": "größe"}.items(),
)
def test_a_flow_is_bound_whatever_its_id_is(name: str, made: str) -> None:
    names: dict[str, Any] = {}
    run = a_run(cell=False)
    bind(name, run, names)

    assert names == {made: run}
    assert run.context.notices == ([] if name == made else [f"`{name}` cannot be a variable: the run is `{made}`"])


@pytest.mark.parametrize("name", ["2nd", "a b", "a.b", ""])
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
