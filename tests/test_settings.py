"""Settings: a value that cannot be is refused in a sentence, before anything depends on it."""

from __future__ import annotations

from typing import Any

import pytest

from kestra_magic import settings
from kestra_magic.errors import KestraMagicError
from kestra_magic.magics.kestra import KestraMagics

WRONG = {
    "background": ("maybe", "one of `wait`, `kill`, `keep`"),
    "grace_seconds": ("soon", "a number"),
    "log_cap_bytes": (1.5, "a number"),
    "head_lines": (True, "a number"),
    "requeue": ("no", "True or False"),
    "mask": ([1, 2], "texts"),
    "runs_dir": (3, "a text"),
    "keep_days": (None, "a number"),
}


@pytest.fixture(autouse=True)
def as_before() -> Any:
    before = settings.current()
    yield
    settings.update(**before.as_dict())


@pytest.mark.parametrize("name", WRONG)
def test_a_value_that_cannot_be_is_refused_and_the_old_one_stays(name: str) -> None:
    value, said = WRONG[name]
    magics = KestraMagics()
    before = getattr(magics, name)

    with pytest.raises(KestraMagicError, match=f"the setting `{name}` must be {said}, but is "):
        setattr(magics, name, value)

    assert getattr(magics, name) == before == getattr(settings.current(), name)


@pytest.mark.parametrize("value", ["geheimnis", ["geheimnis"], ("geheimnis",)])
def test_one_text_to_be_masked_is_masked_whole(value: Any) -> None:
    magics = KestraMagics()
    magics.mask = value

    assert settings.current().mask == magics.mask == ("geheimnis",)


def test_every_setting_may_have_its_default() -> None:
    assert settings.update(**settings.Settings().as_dict()) == settings.Settings()


def test_a_setting_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="no setting 'htttp'"):
        settings.update(htttp=True)
