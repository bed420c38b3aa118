"""Who we are on a Kestra server: from the environment or the keyring, never from the notebook."""

from __future__ import annotations

import json
import os

from kestra_magic.runners.kestra.client import Credentials
from kestra_magic.stores.secrets import SecretNotFound, Secrets, remember

__all__ = ["credentials", "keep"]


def credentials(url: str) -> Credentials | None:
    """Return what is known for *url*: a token, a name with its password, what the keyring holds; or None.

    The variables are ``KESTRA_API_TOKEN``, ``KESTRA_USERNAME`` and ``KESTRA_PASSWORD``.
    """
    token, name = os.environ.get("KESTRA_API_TOKEN", ""), os.environ.get("KESTRA_USERNAME", "")
    if token or name:
        return Credentials(name, os.environ.get("KESTRA_PASSWORD", ""), token)
    try:
        kept = json.loads(Secrets(environ={}).get(_key(url)))
    except SecretNotFound:
        return None
    return Credentials(kept.get("username", ""), kept.get("password", ""), kept.get("token", ""))


def keep(url: str, known: Credentials) -> None:
    """Put credentials into the keyring.

    Raises:
        KestraMagicError: there is no keyring that could.
    """
    kept = {"username": known.username, "password": known.password, "token": known.token}
    remember(_key(url), json.dumps({name: value for name, value in kept.items() if value}))


def _key(url: str) -> str:
    return f"server {url.rstrip('/')}"
