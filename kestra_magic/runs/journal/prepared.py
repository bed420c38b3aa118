"""What ran, written beside its log: whoever finds the run later knows what to collect and how to explain it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.runners.job import Job
from kestra_magic.tasks.place import Prepared
from kestra_magic.workspace.transfer import put_in_private

if TYPE_CHECKING:
    from collections.abc import Callable

    from kestra_magic.tasks.place import Origin

__all__ = ["read_prepared", "write_prepared"]

NAME = "job.json"
PLAIN = (
    "name", "task_run", "attempt", "argv", "root", "here", "shared", "outputs", "output_dir", "timeout", "grace",
    "detach",
)  # fmt: skip


def write_prepared(prepared: Prepared, masked: Callable[[str], str]) -> None:
    """Write it into the attempt's log folder (0600). The environment is not in it; secrets are painted over.

    Raises:
        TransferError: the disk does not take it.
    """
    job = prepared.job
    data = {
        **{name: getattr(job, name) for name in PLAIN},
        "rendered": prepared.rendered,
        "script": prepared.script,
        "lines": prepared.lines,
        "keys": dict(prepared.keys),
        "more": dict(prepared.outputs),
    }
    put_in_private(Path(job.log_dir, NAME), masked(json.dumps(data, default=str)).encode())


def read_prepared(log_dir: Path) -> Prepared:
    """Return what ran with its log in *log_dir*.

    Raises:
        KestraMagicError: nothing did, as far as is known there.
    """
    try:
        data: dict[str, Any] = json.loads((log_dir / NAME).read_text("utf-8"))
        job = Job(
            **{name: data[name] for name in PLAIN if name not in ("argv", "outputs")},
            argv=tuple(data["argv"]),
            outputs=tuple(data["outputs"]),
            log_dir=str(log_dir),
        )
        lines = tuple(_origin(line) for line in data["lines"])
        known = {"keys": data["keys"], "outputs": data["more"]}
        return Prepared(job=job, rendered=data["rendered"], script=data["script"], lines=lines, **known)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KestraMagicError(f"what ran in `{log_dir}` is not known any more: {error}") from None


def _origin(line: Any) -> Origin | None:
    return (tuple(line[0]), line[1]) if line else None
