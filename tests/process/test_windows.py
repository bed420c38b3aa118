"""Windows' way of keeping a run, here with a process group in the place of the Job Object; the Job itself is untested."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kestra_magic.process import job, supervise, system, windows
from kestra_magic.process.child import Child
from kestra_magic.process.events import Draining, Event, Killing
from tests.process.conftest import end, frames, python, says, sh, text, until
from tests.process.survivors import bearing, wait_until


class Group:
    """A process group: what a Job Object is, as far as nobody leaves it."""

    def __init__(self) -> None:
        self._leader = 0

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: str, stdout: int, stderr: int
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=env, cwd=cwd, start_new_session=True
        )
        self._leader = process.pid
        return process

    def pids(self) -> list[int]:
        return [pid for pid, p in system.processes().items() if p.lives and p.group == self._leader]

    def ask(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def close(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._leader, number)


Keep = Callable[..., Child]


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keep]:
    """Start a command as Windows does."""
    helpers = windows.Helpers(Group)
    monkeypatch.setattr(supervise, "helpers", helpers)
    monkeypatch.setattr(supervise, "system", windows)
    made: list[Child] = []

    def starting(argv: tuple[str, ...], **more: Any) -> Child:
        folder = tmp_path / f"log{len(made)}"
        folder.mkdir(mode=0o700)
        made.append(supervise.start(supervise.Command(argv=argv, env=os.environ, cwd=tmp_path, log_dir=folder, **more)))
        return made[-1]

    yield starting
    helpers.close()
    for child in made:
        assert child.ended.wait(20)
    assert wait_until(lambda: not any(keeper.is_alive() for keeper in helpers._keepers))


def test_a_run_starts_writes_and_ends(keep: Keep) -> None:
    seen = list(keep(sh("echo out; echo err >&2; echo '::{}::'; exit 3")).events())

    assert (text(seen), text(seen, "stderr"), frames(seen)) == ("out\n", "err\n", ["::{}::\n"])
    assert (end(seen).code, end(seen).reason, end(seen).stdout_lines) == (3, "", 2)


def test_merged_streams_are_in_order(keep: Keep) -> None:
    seen = list(keep(python("import os\nfor n in range(1000): os.write(1 + n % 2, b'%d\\n' % n)"), merge=True).events())

    assert text(seen) == "".join(f"{n}\n" for n in range(1000))


def test_what_cannot_start_is_told(keep: Keep) -> None:
    last = end(list(keep(("/no/such/program",)).events()))

    assert (last.code, "could not be started" in last.error) == (127, True)


def test_a_stop_asks_and_then_ends(keep: Keep, token: str) -> None:
    child = keep(sh(f"trap '' TERM; echo up; : {token}; while :; do sleep 0.05; done"), grace=0.2)
    until(child, says("up"))

    child.stop()
    seen = list(child.events())

    assert [e.forced for e in seen if isinstance(e, Killing)] == [False, True]
    assert (end(seen).code, end(seen).reason) == (137, "stop")
    assert bearing(token) == []


def test_a_timeout_ends_it(keep: Keep) -> None:
    assert end(list(keep(sh("sleep 60"), timeout=0.2, grace=0).events())).reason == "timeout"


def test_what_lives_on_is_waited_for(keep: Keep) -> None:
    seen = list(keep(sh("(sleep 2.5; echo late) & exit 0")).events())

    assert text(seen) == "late\n"
    assert any(isinstance(e, Draining) for e in seen)


def test_what_lives_on_is_killed(keep: Keep, token: str) -> None:
    last = end(list(keep(sh(f"sh -c 'sleep 60; : {token}' & exit 4"), background="kill", grace=0.1).events()))

    assert last.code == 4
    assert wait_until(lambda: not bearing(token))


def test_what_lives_on_is_kept_until_the_kernel_ends(keep: Keep, token: str) -> None:
    seen: list[Event] = list(keep(sh(f"sh -c 'sleep 60; : {token}' & exit 4"), background="keep").events())

    assert (end(seen).code, end(seen).kept >= 1) == (4, True)
    assert bearing(token) != []
    supervise.helpers.close()
    assert wait_until(lambda: not bearing(token))


def test_nothing_is_detached(keep: Keep) -> None:
    last = end(list(keep(("/bin/true",), detach=True).events()))

    said = "on Windows only its own kernel reaches a run: `--detach` needs Linux or macOS"
    assert last.error == f"`/bin/true` could not be started: {said}"


def test_the_names_are_those_of_posix() -> None:
    from kestra_magic.process import posix

    assert set(posix.__all__) - {"umask"} <= {*windows.__all__}


def test_structures_have_the_sizes_that_windows_expects() -> None:
    assert (ctypes.sizeof(job._Basic), ctypes.sizeof(job._Extended)) == (64, 144)


def test_there_is_no_job_object_elsewhere() -> None:
    with pytest.raises(OSError, match="Windows"):
        job.JobObject()
