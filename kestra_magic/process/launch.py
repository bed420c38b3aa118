"""A command becomes a process, or one sentence that says why not. Standard library only."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import sys
from contextlib import suppress

from kestra_magic.process.system import COOKIE, LINUX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Launch", "LaunchError", "Pipes", "refused", "unmark"]

PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031
_RLIMIT_LOCKS = 10
_RESET = [number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)]


class LaunchError(Exception):
    """The command could not be started.

    Attributes:
        code: the exit code that a shell would give.
    """

    def __init__(self, code: int, sentence: str) -> None:
        self.code = code
        super().__init__(sentence)


class Pipes:
    """What the command writes to. *streams* are ours to read (descriptor: 1 stdout, 2 stderr), the rest its own."""

    def __init__(self, *, merge: bool, tty: bool) -> None:
        if tty:
            reader, self.out = _terminal()
            self.err, self.streams = self.out, {reader: 1}
            return
        reader, self.out = os.pipe()
        self.err, self.streams = self.out, {reader: 1}
        if not merge:
            reader, self.err = os.pipe()
            self.streams[reader] = 2
        for reader in self.streams:
            _widen(reader)

    def close_theirs(self) -> None:
        for end in {self.out, self.err}:
            os.close(end)

    def close(self) -> None:
        self.close_theirs()
        for reader in self.streams:
            os.close(reader)


def _widen(pipe: int) -> None:
    if LINUX:
        with suppress(OSError):  # above what an ordinary user may have in all, they stay small
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, PIPE_BYTES)


def _terminal() -> tuple[int, int]:
    """A terminal of 120×40, so that bars know how wide they may be; line ends are left as they are written."""
    import termios

    reader, terminal = os.openpty()
    mode = termios.tcgetattr(terminal)
    mode[1] &= ~termios.ONLCR
    termios.tcsetattr(terminal, termios.TCSANOW, mode)
    termios.tcsetwinsize(terminal, (40, 120))
    return reader, terminal


class Launch:
    """What *request* describes, ready to begin: its folder, if it is there by now, and its limits are taken on by us.

    Attributes:
        undone: this process is what it was before.

    Raises:
        LaunchError: it cannot be started.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self.undone = False
        self._request = request
        self._env = {**request["env"], COOKIE: f"{request['mark']:x}"}
        self._is_there = os.path.isdir(request["cwd"])
        try:
            if self._is_there:
                self._go()
            self._changed = _limited(request)
            self._oom = _exposed(request["oom_score"])
        except (OSError, ValueError) as error:
            raise _why(error, request["argv"]) from None

    def begin(self, pipes: Pipes) -> int:
        """Start it, in its own session, with all signals as they are by default. Return its pid.

        Raises:
            LaunchError: it cannot be started.
        """
        try:
            if not self._is_there:
                self._go()
            pid = self._spawned(pipes)
        except (OSError, ValueError) as error:
            raise _why(error, self._request["argv"]) from None
        finally:
            self.undo()
        if self._request["nice"] != os.getpriority(os.PRIO_PROCESS, 0):
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, pid, self._request["nice"])
        return pid

    def _go(self) -> None:
        """Go where it will be, and find its program from there."""
        _go_to(self._request["cwd"])
        self._program = _program(self._request["argv"][0], self._env)

    def _spawned(self, pipes: Pipes) -> int:
        return os.posix_spawn(
            self._program,
            self._request["argv"],
            self._env,
            setsid=True,
            setsigmask=(),
            setsigdef=_RESET,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, pipes.out, 1),
                (os.POSIX_SPAWN_DUP2, pipes.err, 2),
            ],
        )

    def undo(self) -> None:
        """They are the command's, not ours; but a hard limit once lowered stays."""
        _limit(self._changed)
        self.undone = _set_oom(self._oom) and not self._changed
        os.chdir("/")
        os.umask(0o077)


def _why(error: OSError | ValueError, argv: list[str]) -> LaunchError:
    if isinstance(error, OSError):
        return refused(error, argv)
    zero = "a NUL character is in its text or its environment, and no process can be given one"
    return _not_started(argv[0], zero if str(error) == "embedded null byte" else str(error))


def _go_to(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        why = {errno.ENOENT: "does not exist", errno.ENOTDIR: "is not a folder", errno.EACCES: "may not be entered"}
        what = why.get(error.errno or 0, f"cannot be entered ({error.strerror})")
        raise LaunchError(126, f"the working directory `{folder}` {what}") from None


def _program(name: str, env: dict[str, str]) -> str:
    """Find *name* on the command's own PATH, as execvp does: what may not be run is passed over, but remembered."""
    if "/" in name:
        return name
    forbidden = ""
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder or ".", name)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
        forbidden = forbidden or (path if os.path.isfile(path) else "")
    if forbidden:
        raise PermissionError(errno.EACCES, "", forbidden)
    raise LaunchError(127, f"`{name}` is not found on PATH: install it, or write where it is")


def refused(error: OSError, argv: list[str]) -> LaunchError:
    """Return what *error* means, with the exit code of a shell."""
    name = argv[0]
    path = error.filename or name
    match error.errno:
        case errno.ENOENT if os.path.exists(path):
            return LaunchError(127, f"`{name}` names an interpreter that does not exist: see its first line (#!)")
        case errno.ENOENT | errno.ENOTDIR:
            return LaunchError(127, f"`{name}` does not exist")
        case errno.EACCES:
            return LaunchError(126, f"`{path}` may not be executed: it is a folder, or `chmod +x` is missing")
        case errno.ENOEXEC:
            return LaunchError(126, f"`{name}` is neither a program nor a script with #! in its first line")
        case errno.E2BIG:
            size = sum(map(len, argv))
            said = f"the arguments ({size:,} characters) and the environment are longer than the system takes"
            return LaunchError(126, f"{said}: put the text into a file")
        case errno.EMFILE | errno.ENFILE:
            return _not_started(name, "too many open files; close some or raise `ulimit -n`")
        case errno.EAGAIN:
            return _not_started(name, "the limit of processes is reached (`ulimit -u`, or that of the container)")
    return _not_started(name, error.strerror or str(error))


def _not_started(name: str, why: str) -> LaunchError:
    return LaunchError(126, f"`{name}` could not be started: {why}")


def _limited(request: dict[str, Any]) -> list[tuple[int, int, int]]:
    """Take on what the command is to inherit; return the limits that were others, as they were.

    Its mark is a limit that Linux inherits and has not looked at since 2.4.25: it outlives setsid, setuid and an
    emptied environment, and anyone may read it.
    """
    os.umask(request["umask"])
    wanted = [tuple(entry) for entry in request["limits"]]
    if LINUX:
        wanted.append((_RLIMIT_LOCKS, request["mark"], resource.RLIM_INFINITY))
    if sys.platform == "linux" and os.sched_getaffinity(0) != set(request["affinity"]):
        with suppress(OSError):
            os.sched_setaffinity(0, request["affinity"])
    before = [(which, *resource.getrlimit(which)) for which, _, _ in wanted]
    changed = [(entry, was) for entry, was in zip(wanted, before, strict=True) if entry != was]
    _limit([entry for entry, _ in changed])
    return [was for _, was in changed if was[0] != _RLIMIT_LOCKS]


def unmark() -> None:
    """The run is over: whoever looks for what is left of it shall not find its guardian."""
    if LINUX:
        _limit([(_RLIMIT_LOCKS, resource.RLIM_INFINITY, resource.RLIM_INFINITY)])


def _limit(limits: list[Any]) -> None:
    for which, soft, hard in limits:
        with suppress(OSError, ValueError):  # a hard limit once lowered stays
            resource.setrlimit(which, (soft, hard))


def _exposed(score: int) -> str:
    """Let the system prefer the command to the kernel when memory runs out; return the score as it was."""
    if not LINUX or not score:
        return ""
    with suppress(OSError):
        with open("/proc/self/oom_score_adj", "rb", 0) as file:
            before = file.read().decode()
        _set_oom(str(min(1000, int(before) + score)))
        return before
    return ""


def _set_oom(score: str) -> bool:
    """Return whether it is so now."""
    with suppress(OSError):
        if score:
            with open("/proc/self/oom_score_adj", "wb", 0) as file:
                file.write(score.encode())
        return True
    return False
