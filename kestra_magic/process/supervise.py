"""The kernel's side: a Command in, Events out. Who waits for a run hears it himself, one thread hears all others."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.child import ANSWER, Child
from kestra_magic.process.helpers import helpers, warm
from kestra_magic.process.hidden import hidden_forms
from kestra_magic.process.listening import Listening, at_once
from kestra_magic.process.recorder import read_status
from kestra_magic.process.wire import pack

if sys.platform == "win32":
    from kestra_magic.process import windows as system
else:
    from kestra_magic.process import posix as system

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = [
    "Child", "Command", "at_once", "attach", "hidden_forms", "later", "meeting_place", "shutdown", "start", "start_as",
    "warm",
]  # fmt: skip

One = TypeVar("One", bound=Child)
meeting_place = system.meeting_place
LAST_WORDS = 2.0
"""Seconds that shutdown waits for all trees to be gone; they go also when nobody waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is to be run.

    Attributes:
        env: the whole environment.
        log_dir: an existing folder (0700) for ``run.log`` and what belongs to it.
        task_run, attempt: stamped on every event.
        timeout: seconds, from the start; then the tree is ended with reason ``timeout``.
        grace: seconds between asking (TERM) and ending (KILL).
        background: whether processes that outlive the command are waited for, killed, or kept until the kernel ends.
        mask: strings that must not be seen in the log or in events, of three characters at least.
        lift: lines ``::{…}::`` become frames instead of lines of the log.
        merge: stderr goes where stdout goes, in exact order.
        tty: a terminal of 120×40 instead of pipes.
        log_cap: bytes of the log that are kept on disk; show_bytes: bytes of each stream whose text is told.
        oom_score: added to the command's oom_score_adj, so that it goes before the kernel when memory runs out.
        marker: 48 bits that all its processes bear; 0: some.
        detach: it outlives this kernel; see `attach`.
        locks: descriptors that its guardian holds too, until the run has ended.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log_dir: Path
    task_run: str = ""
    attempt: int = 1
    timeout: float | None = None
    grace: float = 2.0
    background: Literal["wait", "kill", "keep"] = "wait"
    mask: tuple[str, ...] = ()
    lift: bool = True
    merge: bool = False
    tty: bool = False
    log_cap: int = 256 << 20
    show_bytes: int = 512 << 10
    oom_score: int = 300
    marker: int = 0
    detach: bool = False
    locks: tuple[int, ...] = ()


_listening: Listening | None = None
_beginning = threading.Lock()


def start(command: Command, ready: Callable[[], object] = bool) -> Child:
    """Start *command*. What keeps it from starting is told as its exit, with the code that a shell would give.

    Args:
        ready: called while the guardian makes itself ready, before the process exists; if it raises, none will.
    """
    return start_as(Child, command, ready)


def start_as(kind: Callable[..., One], command: Command, ready: Callable[[], object] = bool) -> One:
    """Start *command* as a *kind* of `Child`; see `start`."""
    mark = command.marker or int.from_bytes(os.urandom(6), "little") | 1 << 47
    child = kind(
        folder=command.log_dir,
        grace=command.grace,
        budget=command.show_bytes,
        detached=command.detach,
        marker=mark,
        task_run=command.task_run,
        attempt=command.attempt,
    )
    try:
        request = pack(_request(command, mark))
        child.connection = helpers.guardian(detached=command.detach)
        system.hand_over(child.connection, request, command.locks, ANSWER)
    except (OSError, KestraMagicError) as error:
        ready()
        child.refuse(126, f"`{command.argv[0]}` could not be started: {error}")
        return child
    try:
        ready()
    except BaseException:
        child.close()
        raise
    child.say({"go": 1})
    _listener().add(child)
    return child


def attach(log_dir: Path, *, show_bytes: int = 512 << 10) -> Child:
    """Return the run whose log lies in *log_dir*, live or ended, of any kernel: told from its beginning.

    Raises:
        KestraMagicError: there is none.
    """
    status = read_status(log_dir)
    if not status:
        raise KestraMagicError(f"no run is known in `{log_dir}`")
    stamp = {"task_run": status["task_run"], "attempt": status["attempt"]}
    child = Child(folder=log_dir, grace=2.0, budget=show_bytes, detached=True, marker=status["mark"], **stamp)
    if "exited" in status or not _met(child, status["socket"]):
        child.look_up()
    return child


def _met(child: Child, place: str) -> bool:
    try:
        connection = system.meet(place)
    except OSError:
        return False
    connection.setblocking(False)
    child.connection = connection
    _listener().add(child)
    return True


def later(call: Callable[[], object]) -> None:
    """Call it in a thread of its own a moment after a run has ended, when its result is shown."""
    _listener().later(call)


def shutdown() -> None:
    """End every process at once, but for detached runs."""
    if _listening is not None:
        mine = [child for child in _listening.children if not child.detached]
        for child in mine:
            child.stop(grace=0, reason="kernel")
        until = time.monotonic() + LAST_WORDS
        for child in mine:
            child.ended.wait(max(0.0, until - time.monotonic()))
        for child in list(_listening.children):
            child.close()
    helpers.close()


def _listener() -> Listening:
    global _listening
    with _beginning:
        if _listening is None:
            _listening = Listening()
        return _listening


_PLAIN = [
    "timeout", "grace", "background", "lift", "merge", "tty", "log_cap", "oom_score", "detach", "task_run", "attempt",
]  # fmt: skip


def _request(command: Command, mark: int) -> dict[str, Any]:
    return {
        **{name: getattr(command, name) for name in _PLAIN},
        **system.inherited(),
        "argv": list(command.argv),
        "env": dict(command.env),
        "cwd": str(command.cwd),
        "log_dir": str(command.log_dir.absolute()),
        "hidden": [form.decode("latin-1") for form in hidden_forms(command.mask)],
        "mark": mark,
        "socket": meeting_place(f"{mark:x}") if command.detach else "",
    }


def _forked() -> None:
    """In a child that `os.fork` made: the runs are its parent's."""
    global _listening, _beginning
    _beginning = threading.Lock()
    if _listening is not None:
        _listening.close()
        _listening = None
    helpers.forget()


atexit.register(shutdown)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
