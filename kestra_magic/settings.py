"""Every default that someone may change. Names carry their units.

Every kernel loads this before its first cell: a plain class takes 0.02 ms, a NamedTuple 0.6 ms, a dataclass 1.5 ms.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

__all__ = ["APP", "Settings", "checked", "current", "data_folder", "update"]

APP = "kestra_magic"


class Settings:
    """What `%config KestraMagics` shows and changes; the environment variable beats the default where one is named."""

    runs_dir: str = os.environ.get("KESTRA_MAGIC_RUNS_DIR", "")
    """Where results, work directories and storage lie; empty: `kestra-runs` beside the notebook."""
    work_dir: str = ""
    """Where attempts run; empty: the user's cache folder."""
    namespace: str = "company.team"
    """The namespace of cells and flows that name none."""
    namespace_files: str = "_files"
    """The folder beside the notebook that holds namespace files."""
    profile: Literal["P1", "P2", "P3"] = "P2"
    """Whose behaviour: Kestra 0.21 (P1), 0.23 to 1.3 (P2), later (P3)."""
    strict: bool = False
    """Refuse what runs here otherwise than on a server: Docker, worker groups, missing ids."""
    grace_seconds: float = 2.0
    """Between asking a process to end (TERM) and ending it (KILL)."""
    background: Literal["wait", "kill", "keep"] = "wait"
    """What happens to processes that outlive their command."""
    requeue: bool = False
    """Run again from the beginning what a dead kernel left."""
    requeue_attempts: int = 3
    head_lines: int = 1000
    """Lines of each stream that a cell shows at most before its tail …"""
    head_bytes: int = 256 * 1024
    """… or bytes, whichever comes first."""
    tail_lines: int = 200
    """Last lines of each stream that a cell shows when it was cut."""
    flushes_per_second: int = 20
    stream_switches: int = 20
    """Changes between stdout and stderr that a cell shows as they come; stderr is held from then on."""
    log_cap_bytes: int = 256 * 1024 * 1024
    """Bytes of one run's log kept on disk: its head and its tail."""
    keep_days: float = 30.0
    """Age at which a run may be pruned …"""
    keep_bytes: int = 20 * 1024**3
    """… and size of all runs above which the oldest are."""
    mask: tuple[str, ...] = ()
    """Values that must never be shown or stored."""
    http: bool = False
    """Whether expressions may open connections with `http()`."""
    view: Literal["auto", "none"] = "auto"
    """Whether the live console opens where the front end can show it."""
    color: Literal["auto", "always", "never"] = "auto"
    allowed_paths: tuple[str, ...] = ()
    """Folders from which `file://` may read, besides the notebook's own."""
    worker_groups: str = ""
    """Address of the Dask scheduler that serves worker groups; empty: they run here."""
    server: str = os.environ.get("KESTRA_URL", "")
    """Address of the Kestra server that `--server` and `%kestra deploy` mean."""
    tenant: str = "main"
    """Its tenant; open-source servers have one."""
    worker_root: str = "/tmp/kestra-magic"  # noqa: S108 - made 0700 by the attempt
    """Where a Dask worker runs attempts."""

    def __init__(self, **values: Any) -> None:
        if unknown := values.keys() - set(self.names()):
            raise TypeError(f"there is no setting {', '.join(map(repr, sorted(unknown)))}")
        vars(self).update(values)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(cls.__annotations__)

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.names()}

    def but(self, **changes: Any) -> Settings:
        """Return the same with *changes*."""
        return Settings(**{**vars(self), **changes})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]


_current = Settings()


def current() -> Settings:
    return _current


def update(**changes: Any) -> Settings:
    """Replace some settings for this process; return all.

    Raises:
        TypeError: there is no such setting; before Python 3.13 a ValueError.
        KestraMagicError: one cannot have that value.
    """
    global _current
    _current = _current.but(**{name: checked(name, value) for name, value in changes.items()})
    return _current


def checked(name: str, value: Any) -> Any:
    """Return *value* as the setting *name* holds it: a list, or one text alone, as a tuple.

    Raises:
        KestraMagicError: it cannot have that value.
    """
    kind: Any = get_type_hints(Settings).get(name)
    origin: Any = get_origin(kind)
    if origin is Literal:
        _must(value in get_args(kind), name, value, "one of " + ", ".join(f"`{each}`" for each in get_args(kind)))
    elif origin is tuple:
        texts = (value,) if isinstance(value, str) else value
        _must(isinstance(texts, list | tuple | set) and all(isinstance(t, str) for t in texts), name, value, "texts")
        return tuple(texts)
    elif kind in (int, float):
        _must(isinstance(value, int | kind) and not isinstance(value, bool), name, value, "a number")
    elif kind in (bool, str):
        _must(isinstance(value, kind), name, value, "True or False" if kind is bool else "a text")
    return value


def _must(holds: bool, name: str, value: Any, what: str) -> None:
    if not holds:
        from kestra_magic.errors import KestraMagicError

        raise KestraMagicError(f"the setting `{name}` must be {what}, but is {value!r}")


def data_folder() -> Path:
    """Return where journal and storage lie: the user's data folder, or below `runs_dir`."""
    return _data_folder(_current.runs_dir, os.environ.get("HOME"), os.environ.get("XDG_DATA_HOME"))


@lru_cache(maxsize=8)
def _data_folder(runs_dir: str, *_where: str | None) -> Path:
    """Asked for several times in each run; it depends on what the environment says *where*."""
    if runs_dir:
        return Path(runs_dir).expanduser().absolute() / ".data"
    from platformdirs import user_data_path  # every kernel has imported it long ago (jupyter_core)

    return user_data_path(APP)
