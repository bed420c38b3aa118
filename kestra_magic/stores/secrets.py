"""Secrets: read from where a person keeps them, remembered only so that they can be masked."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from kestra_magic.errors import KestraMagicError, did_you_mean

__all__ = ["SERVICE", "SecretNotFound", "Secrets", "remember"]

SERVICE = "kestra_magic"
PREFIX = "SECRET_"
_LINE = 8  # characters from which a line of a longer secret says something by itself


class SecretNotFound(KestraMagicError):
    """No place holds that secret."""


class Secrets:
    """Where ``secret('NAME')`` looks: the keyring, the `--env-file`, then ``SECRET_NAME`` (base64, as on a server).

    Attributes:
        used: what was read, to be masked; a secret of several lines also line by line.
        names: under which names it was asked for.
    """

    def __init__(self, env_file: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None) -> None:
        self._env_file = env_file or {}
        self._environ = os.environ if environ is None else environ
        self._first: dict[str, str] = {}
        self.used: set[str] = set()
        self.names: set[str] = set()

    def get(self, name: str) -> str:
        """Return a secret's value.

        Source: Kestra's ``SecretService`` for the last of the three places.

        Raises:
            SecretNotFound: it is in none of them.
            KestraMagicError: it is in the environment, but not as base64.
        """
        self.names.add(name)
        kept, problem = (self._first[name], "") if name in self._first else _from_keyring(name)
        found = kept if kept is not None else self._env_file.get(name)
        if found is None:
            found = self._from_environment(name)
        if found is None:
            raise SecretNotFound(self._missing(name, problem))
        self.hide(found)
        return found

    def stand_in(self, values: Mapping[str, str]) -> None:
        """Answer with *values* from now on, whatever the real ones are."""
        self._first |= {name: str(value) for name, value in values.items()}

    def hide(self, value: str) -> None:
        """Take *value* for a secret from now on."""
        self.used.update({value, *(line.strip() for line in value.splitlines() if len(line.strip()) >= _LINE)} - {""})

    def _from_environment(self, name: str) -> str | None:
        for variable in (f"{PREFIX}{name}", f"{PREFIX}{name.upper()}"):
            encoded = self._environ.get(variable)
            if encoded is not None:
                return _decoded(variable, encoded)
        return None

    def _missing(self, name: str, problem: str) -> str:
        known = [*self._env_file, *(key.removeprefix(PREFIX) for key in self._environ if key.startswith(PREFIX))]
        keyring = f"the keyring ({problem})" if problem else "the keyring"
        return (
            f"Cannot find secret for key '{name}': it is neither in {keyring}, nor in the `--env-file`, nor in "
            f"`{PREFIX}{name}` (base64){did_you_mean(name, known)}; keep it with `%kestra secret {name}`"
        )


def remember(name: str, value: str) -> None:
    """Keep a secret in the keyring.

    Raises:
        KestraMagicError: there is no keyring that could.
    """
    keyring = _keyring()
    if keyring is None:
        raise KestraMagicError("the package `keyring` is missing: `pip install keyring`, or use `--env-file`")
    try:
        keyring.set_password(SERVICE, name, value)
    except keyring.errors.KeyringError as error:
        raise KestraMagicError(f"the keyring did not take `{name}`: {error}; use `--env-file` instead") from None


def _keyring() -> Any:
    try:
        return import_module("keyring")
    except ImportError:
        return None


def _from_keyring(name: str) -> tuple[str | None, str]:
    """Return what the keyring holds, or why it could not be asked."""
    keyring = _keyring()
    if keyring is None:
        return None, "not installed"
    try:
        return keyring.get_password(SERVICE, name), ""
    except keyring.errors.KeyringError as error:
        return None, str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__


def _decoded(variable: str, encoded: str) -> str:
    try:
        return base64.b64decode("".join(encoded.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise KestraMagicError(
            f"`{variable}` is not base64: Kestra expects `{variable}=$(echo -n VALUE | base64)`"
        ) from None
