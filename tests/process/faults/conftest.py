from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.process import kernel as program
from tests.process.survivors import Witness, helpers_of, wait_until

STUBBORN = Path(__file__).parents[1] / "stubborn.py"


def stubborn(way: str, token: str) -> list[str]:
    return [sys.executable, "-S", "-I", str(STUBBORN), way, token]


class Kernel:
    """A program that can die in any way, and what is left of it."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", program.__name__, str(folder)],
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

    def make(**env: str) -> Kernel:
        made.append(Kernel(tmp_path, **env))
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


@pytest.fixture
def pids_limit() -> Iterator[Callable[[int], None]]:
    """A group of at most 700 processes, so that a bomb hurts nobody else."""
    base = Path("/sys/fs/cgroup/pids")
    base = base if base.is_dir() else Path("/sys/fs/cgroup")
    group = base / f"kestra-tests-{os.getpid()}"
    try:
        group.mkdir()
        (group / "pids.max").write_text("700")
    except OSError as error:
        pytest.skip(f"no pids limit can be set here: {error}")

    def put(pid: int) -> None:
        (group / "cgroup.procs").write_text(str(pid))

    yield put
    wait_until(lambda: not (group / "cgroup.procs").read_text(), 15)
    group.rmdir()
