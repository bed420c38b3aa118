"""Which of our objects are shown as cards."""

from __future__ import annotations

from importlib import import_module

import pytest

from kestra_magic.magics.kestra import OBJECTS
from kestra_magic.show import looks


@pytest.mark.parametrize(("module", "name"), OBJECTS)
def test_each_is_there_and_has_a_look(module: str, name: str) -> None:
    assert isinstance(getattr(import_module(module), name), type)
    assert name in looks._LOOKS


def test_no_look_is_left_over() -> None:
    assert {name for _, name in OBJECTS} == set(looks._LOOKS)
