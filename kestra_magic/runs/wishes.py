"""How an execution is to run, beyond what its tasks say: the options of the magic line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kestra_magic.settings import current

__all__ = ["Wishes", "wishes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How this execution is to run, beyond what a task says: the options of the magic line."""

    files: Mapping[str, object] = field(default_factory=dict)
    env_file: Mapping[str, str] = field(default_factory=dict)
    here: bool = False
    raw: bool = False
    grace: float | None = None
    background: str | None = None
    merge: bool = False
    tty: bool = False
    detach: bool = False
    requeue: bool = False
    strict: bool = False


def wishes(options: Mapping[str, Any], env_file: Mapping[str, str], files: Mapping[str, object]) -> Wishes:
    """Read them from *options*, by long name; what is not said is the settings'."""
    return Wishes(
        files=files,
        env_file=env_file,
        here=bool(options.get("here")),
        raw=bool(options.get("raw")),
        grace=options.get("grace"),
        background=options.get("background"),
        merge=bool(options.get("merge")),
        tty=bool(options.get("tty")),
        detach=bool(options.get("detach")),
        requeue=bool(options.get("requeue", current().requeue)),
        strict=bool(options.get("strict", current().strict)),
    )
