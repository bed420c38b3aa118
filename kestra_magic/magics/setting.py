"""A setting that a person changes: as it is held, or one sentence that says why it cannot be that."""

from __future__ import annotations

from typing import Any

from traitlets import TraitError

from kestra_magic import settings
from kestra_magic.errors import KestraMagicError

__all__ = ["WrongSetting", "checked"]


class WrongSetting(KestraMagicError, TraitError):
    """A setting cannot have that value; only with its own kind of error does traitlets keep the old one."""


def checked(name: str, value: Any) -> Any:
    """Return *value* as the setting *name* holds it.

    Raises:
        WrongSetting: it cannot have that value.
    """
    try:
        return settings.checked(name, value)
    except KestraMagicError as error:
        raise WrongSetting(str(error)) from None
