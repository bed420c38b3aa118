"""What a template can call, and whom it asks for what lies outside its variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .errors import ExpressionError
from .registry import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["NO_HOST", "Host"]

function = REGISTRY.function


class Host(Protocol):
    """Who answers for what is outside: secrets, keys, files, logs, the network."""

    def secret(self, name: str) -> str: ...

    def kv(self, key: str, namespace: str | None, *, required: bool) -> object:
        """Return a key's value, None for none that is not *required*; *namespace* None is the run's own."""

    def file(self, address: str, namespace: str | None) -> Path:
        """Return where a namespace file or a `kestra:///` file lies, whether or not there is one."""

    def namespace(self) -> str: ...

    def error_logs(self) -> list[dict[str, object]]: ...

    def http(self, request: Mapping[str, Any]) -> object: ...


class _NoHost:
    def __getattr__(self, name: str) -> Any:
        raise ExpressionError(f"`{name}` is answered in a run only: nothing outside the variables can be asked here")


NO_HOST: Any = _NoHost()
