from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.process import kernel as program
from tests.process.survivors import Witness, helpers_of, wait_until

MOST = 700
STUBBORN = Path(__file__).parents[1] / "stubborn.py"


def stubborn(way: str, token: str) -> list[str]:
    return [sys.executable, "-S", "-I", str(STUBBORN), way, token]


class Kernel:
    """A program that can die in any way, and what is left of it."""

    def __init__(self, folder: Path, *through: str, **env: str) -> None:
        self.process = subprocess.Popen(
            [*through, sys.executable, "-m", program.__name__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
            env={**os.environ, **env},
            start_new_session=True,
            text=True,
        )
        self.folder = folder

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, code: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{code}\n")
        self.process.stdin.flush()

    def do(self, code: str) -> Any:
        assert self.process.stdout is not None
        self.tell(code)
        return json.loads(self.process.stdout.readline())

    def begin(self, argv: list[str], *, up: str = "up", **more: Any) -> dict[str, int]:
        """Start a run, and return who it is when it stands."""
        given: dict[str, int] = self.do(f"c = begin({argv!r}, **{more!r}); hear(c, {up!r}); said = who(c)")
        return given

    def wait(self) -> int:
        return self.process.wait(20)

    def helpers(self) -> list[int]:
        return helpers_of(self.pid)

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, 18)
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


@pytest.fixture
def kernels(tmp_path: Path) -> Iterator[Callable[..., Kernel]]:
    made: list[Kernel] = []

    def make(*through: str, **env: str) -> Kernel:
        made.append(Kernel(tmp_path, *through, **env))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def a_kernel(kernels: Callable[..., Kernel]) -> Kernel:
    return kernels()


@pytest.fixture
def nothing_left(token: str) -> Callable[[Kernel], None]:
    """Say that neither the tree nor the helpers of a dead kernel live."""

    def check(kernel: Kernel) -> None:
        assert Witness(token).left() == []
        assert wait_until(lambda: not kernel.helpers()), kernel.helpers()

    return check


class Group:
    """A control group with a limit, made below the one that this process is in (v1 or v2)."""

    def __init__(self, controller: str, limits: dict[str, str]) -> None:
        self._home = _group_folder(controller)
        self._folder = self._home / f"kestra-tests-{uuid.uuid4().hex[:12]}"
        self._folder.mkdir()
        try:
            self._limit = next(name for name in limits if (self._folder / name).exists())
            self.set(limits[self._limit])
        except (OSError, StopIteration) as error:
            self._folder.rmdir()
            raise OSError(f"no {controller} controller here: {error}") from None

    def set(self, value: str) -> None:
        (self._folder / self._limit).write_text(value)

    def allow(self, most: int) -> None:
        self.set(str(most))

    def put(self, pid: int) -> None:
        (self._folder / "cgroup.procs").write_text(str(pid))

    def close(self) -> None:
        """Whoever still lives goes back: the group cannot be removed otherwise."""
        assert wait_until(self._emptied)
        assert wait_until(self._removed)

    def _emptied(self) -> bool:
        members = (self._folder / "cgroup.procs").read_text().split()
        for pid in members:
            with suppress(ProcessLookupError):
                (self._home / "cgroup.procs").write_text(pid)
        return not members

    def _removed(self) -> bool:
        with suppress(OSError):  # one that has just ended still counts for a moment
            self._folder.rmdir()
        return not self._folder.exists()


def _group_folder(controller: str) -> Path:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return Path("/sys/fs/cgroup") / controller / path.lstrip("/")
    return Path("/sys/fs/cgroup") / lines[-1].rpartition(":")[2].lstrip("/")


class Limit:
    """The same by `RLIMIT_NPROC`: for a user who may make no groups; it counts all processes of that user."""

    def __init__(self) -> None:
        self._pids: list[int] = []

    def allow(self, most: int) -> None:
        for pid in self._pids:
            resource.prlimit(pid, resource.RLIMIT_NPROC, (_processes_of_mine() + most, resource.RLIM_INFINITY))

    def put(self, pid: int) -> None:
        self._pids.append(pid)
        self.allow(MOST)

    def close(self) -> None:
        pass


def _processes_of_mine() -> int:
    return sum(path.stat().st_uid == os.getuid() for path in Path("/proc").iterdir() if path.name.isdigit())


@pytest.fixture
def few_processes() -> Iterator[Group | Limit]:
    """A limit, so that a bomb hurts nobody else."""
    try:
        limit: Group | Limit = Group("pids", {"pids.max": str(MOST)})
    except OSError as error:
        if os.getuid() == 0:
            pytest.skip(f"root is bound by no limit of processes but a control group's, and none can be made: {error}")
        limit = Limit()
    yield limit
    limit.close()
