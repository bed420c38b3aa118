"""What a Python task's `dependencies` add to an interpreter: installed once per machine, then found again."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from kestra_magic.errors import KestraMagicError
from kestra_magic.stores.environments import Interpreter
from kestra_magic.workspace.transfer import make_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Watch = Callable[[subprocess.Popen[str] | None], None]

__all__ = ["DependencyError", "Watch", "end", "ended", "ensure"]

_satisfied_by: dict[str, bool] = {}
"""What pip said, as long as the interpreter's packages are the same: asking takes a second."""
_asking = threading.Lock()
_TICK_SECONDS = 0.1  # of waiting for someone else: as long as an interrupt may go unheard

# pip would look at them, and install something else than what is asked for.
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV")


class DependencyError(KestraMagicError):
    """The packages that a task needs could not be installed."""


def _unwatched(_: subprocess.Popen[str] | None) -> None:
    """Nobody ends it."""


def ensure(
    interpreter: Interpreter, requirements: Sequence[str], *, cache: Path | None = None, watch: Watch = _unwatched
) -> Interpreter:
    """Return *interpreter* with *requirements* importable; nothing is installed, nor asked for, when it was before.

    They lie in a folder of their own, in front of the interpreter's packages, as on a server (``PYTHONPATH``).
    Source: ``PythonEnvironmentManager``.

    Args:
        watch: told each process that is started, a group of its own, so that it can be ended; asked again and again
            (None) while another makes the same: it raises when nobody waits for it any more.

    Raises:
        DependencyError: they could not be installed; the installer's last words say why.
    """
    wanted = [line.strip() for line in requirements if line.strip()]
    if not wanted:
        return interpreter
    base = user_cache_path("kestra_magic") / "dependencies" if cache is None else cache
    place = base / _key(interpreter, wanted)
    if not place.is_dir() and _satisfied(interpreter, wanted, watch):
        return interpreter
    if not place.is_dir():
        _make(interpreter, wanted, place, watch)
    commands = os.pathsep.join((str(place / "bin"), _path(interpreter)))
    return replace(interpreter, env={**interpreter.env, "PYTHONPATH": str(place), "PATH": commands})


def end(installer: subprocess.Popen[str]) -> None:
    """End what `ensure` started, with all that it started itself."""
    with suppress(ProcessLookupError):
        if os.name == "nt":
            installer.kill()
        else:
            os.killpg(installer.pid, signal.SIGKILL)


def _path(interpreter: Interpreter) -> str:
    return interpreter.env.get("PATH") or os.environ.get("PATH", "")


def _key(interpreter: Interpreter, requirements: Sequence[str]) -> str:
    """What makes two environments the same: the interpreter as it is now, and what is asked for."""
    real = os.path.realpath(interpreter.executable)
    said = "\n".join((interpreter.executable, real, str(os.stat(real).st_mtime_ns), *requirements))
    return hashlib.sha256(said.encode()).hexdigest()[:24]


def _satisfied(interpreter: Interpreter, requirements: Sequence[str], watch: Watch) -> bool:
    """Whether the interpreter has them all already; pip is asked once, and may ask nobody."""
    key = f"{_key(interpreter, requirements)} {_stamp(interpreter)}"
    while not _asking.acquire(timeout=_TICK_SECONDS):
        watch(None)
    try:
        if key not in _satisfied_by:
            _satisfied_by[key] = _asked(interpreter, requirements, watch)
        return _satisfied_by[key]
    finally:
        _asking.release()


def _stamp(interpreter: Interpreter) -> tuple[int, ...]:
    """When packages were last put to the interpreter, or taken away."""
    folders = Path(interpreter.executable).parent.parent.glob("[Ll]ib/**/site-packages")
    return tuple(folder.stat().st_mtime_ns for folder in sorted(folders))


def _asked(interpreter: Interpreter, requirements: Sequence[str], watch: Watch) -> bool:
    asked = [interpreter.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--no-input", *requirements]
    code, out = _done(asked, watch)[:2]
    return code == 0 and "Would install" not in out


def _make(interpreter: Interpreter, requirements: Sequence[str], place: Path, watch: Watch) -> None:
    """Install next to the place, then take its name: a kernel that dies in between leaves nothing half made."""
    make_private(place.parent)
    with _alone(place.with_suffix(".lock"), watch):
        if place.is_dir():  # another kernel was faster
            return
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".making-", ignore_cleanup_errors=True) as partly:
            target = Path(partly) / "packages"
            listed = Path(partly) / "requirements.in"
            listed.write_text("\n".join(requirements) + "\n", "utf-8")
            _install(interpreter, listed, target, watch)
            target.mkdir(exist_ok=True)  # everything was a marker that does not apply here
            os.rename(target, place)


def _install(interpreter: Interpreter, listed: Path, target: Path, watch: Watch) -> None:
    into = ["--target", str(target), "--requirement", str(listed)]
    uv = shutil.which("uv")
    if uv:
        _run([uv, "pip", "install", "--quiet", "--no-config", "--python", interpreter.executable, *into], watch)
        return
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *into]
    _run([_with_pip(interpreter, listed.parent, watch), *pip], watch)


def _with_pip(interpreter: Interpreter, folder: Path, watch: Watch) -> str:
    """Return an interpreter of the same kind that has pip: environments made by uv have none."""
    if _done([interpreter.executable, "-c", "import pip"], watch)[0] == 0:
        return interpreter.executable
    _run([interpreter.executable, "-m", "venv", str(folder / "pip")], watch)
    return str(folder / "pip" / interpreter.bin.name / Path(interpreter.executable).name)


def _run(command: list[str], watch: Watch) -> None:
    code, out, err = _done(command, watch)
    if code:
        raise DependencyError(f"dependencies could not be installed: {_last_words(err or out)}")


def _done(command: list[str], watch: Watch) -> tuple[int, str, str]:
    code, out, err = ended(command, watch)
    if code < 0:
        raise DependencyError("dependencies: the installer was ended")
    return code, out, err


def ended(command: list[str], watch: Watch) -> tuple[int, str, str]:
    """Run *command* to its end; return its exit code and what it said.

    Raises:
        DependencyError: it cannot be started.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(),
            start_new_session=True,
        )
    except OSError as error:
        raise DependencyError(f"dependencies: `{command[0]}` cannot be started: {error.strerror}") from None
    with process:
        watch(process)
        out, err = _said(process)
    return process.returncode, out, err


def _said(process: subprocess.Popen[str]) -> tuple[str, str]:
    while True:
        with suppress(subprocess.TimeoutExpired):  # an interrupt is heard then
            return process.communicate(timeout=_TICK_SECONDS)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _FOREIGN}


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "×", "╰"))]
    return (errors or lines or ["the installer said nothing"])[-1]


@contextmanager
def _alone(path: Path, watch: Watch) -> Iterator[None]:
    """Wait until no other kernel of this machine makes the same."""
    with open(path, "a+b") as file:
        while not _locked(file.fileno()):
            watch(None)
            time.sleep(_TICK_SECONDS)
        yield  # closing the file opens the lock


if sys.platform == "win32":
    import msvcrt

    def _locked(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _locked(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
