"""Anything, at any moment: nothing survives, no helper is left, nothing that was written is lost.

Each round has a seed: a round that fails is run again by its number alone.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from kestra_magic.process.logs import LogFile
from tests.process.faults.conftest import Group, Kernel, Limit, stubborn
from tests.process.faults.test_stubborn import WAYS
from tests.process.survivors import Witness, helpers_of, wait_until

ROUNDS, MANY, TOGETHER = 100, 1000, 10
HUGE = {"is_wide", "is_deep"}
"""Hundreds of processes each: in one round of ten."""


def kill(kernel: Kernel, number: int = signal.SIGKILL) -> None:
    os.kill(kernel.pid, number)


def kill_helper(name: str, *, and_kernel: bool) -> Callable[[Kernel], None]:
    def fault(kernel: Kernel) -> None:
        who = kernel.do("said = who(c)")
        if who[name]:
            os.kill(who[name], signal.SIGKILL)
        if and_kernel:
            kill(kernel)

    return fault


def stand_still(kernel: Kernel) -> None:
    who = kernel.do("said = who(c)")
    if who["guardian"]:
        os.kill(who["guardian"], signal.SIGSTOP)
    kill(kernel)


FAULTS: dict[str, Callable[[Kernel], object]] = {
    "kill": kill,
    "term": lambda kernel: kill(kernel, signal.SIGTERM),
    "segv": lambda kernel: kill(kernel, signal.SIGSEGV),
    "killpg": lambda kernel: os.killpg(kernel.pid, signal.SIGKILL),
    "os._exit": lambda kernel: kernel.tell("os._exit(1)"),
    "os.execv": lambda kernel: kernel.tell("os.execv('/bin/sleep', ['sleep', '60'])"),
    "sys.exit": lambda kernel: kernel.tell("sys.exit()"),
    "shutdown": lambda kernel: kernel.do("supervise.shutdown()"),
    "stop": lambda kernel: kernel.do("c.stop(grace=0.05); said = last(c)"),
    "stop now": lambda kernel: kernel.do("c.stop(grace=0); said = last(c)"),
    "stop twice": lambda kernel: kernel.do("c.stop(grace=60); c.stop(grace=0); said = last(c)"),
    "guardian": lambda kernel: (
        kill_helper("guardian", and_kernel=False)(kernel),
        kernel.do("c.stop(); said = last(c)"),
    ),
    "guardian and kernel": kill_helper("guardian", and_kernel=True),
    "warden and kernel": kill_helper("warden", and_kernel=True),
    "guardian stands still": stand_still,
}


def one_round(seed: int, folder: Path, token: str, limit: Group | Limit) -> str:
    """Return what was left, and of what; empty if nothing."""
    chance = random.Random(seed)
    way = chance.choice(sorted(set(WAYS) - (HUGE if seed % 10 else set())))
    name = chance.choice(sorted(FAULTS))
    born = chance.choice(["hear(c, 'up'); ", ""])  # it stands, or is just being born
    moment = chance.choice([0, 0, 0.001, 0.003, 0.01, 0.03])
    folder.mkdir()
    kernel = Kernel(folder)
    try:
        limit.put(kernel.pid)
        kernel.do(f"c = begin({stubborn(way, token)!r}); {born}__import__('time').sleep({moment})")
        FAULTS[name](kernel)
        left = Witness(token).left()
        kernel.process.stdin.close() if kernel.process.stdin else None
        if name != "os.execv":
            kernel.wait()
        gone = wait_until(lambda: not helpers_of(kernel.pid))
    finally:
        kernel.close()
    said = f"round {seed}: {way} × {name} at {moment} s {'of its life' if born else 'of its birth'}: "
    return (said + f"{len(left)} survived" if left else "") + ("" if gone else said + "helpers are left")


def chaos(first: int, rounds: int, folder: Path, token: str, limit: Group | Limit) -> None:
    left = [one_round(seed, folder / str(seed), f"{token}-{seed}", limit) for seed in range(first, first + rounds)]

    assert list(filter(None, left)) == []
    assert any("up" in log.read_text("utf-8", "replace") for log in folder.rglob("run.log"))  # or nothing was proven


@pytest.mark.parametrize("first", range(0, ROUNDS, TOGETHER))
def test_nothing_survives_anything(first: int, tmp_path: Path, token: str, few_processes: Group | Limit) -> None:
    chaos(first, TOGETHER, tmp_path, token, few_processes)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(ROUNDS, ROUNDS + MANY, TOGETHER))
def test_nothing_survives_anything_a_thousand_times(
    first: int, tmp_path: Path, token: str, few_processes: Group | Limit
) -> None:
    chaos(first, TOGETHER, tmp_path, token, few_processes)


WRITER = """
import mmap, os, sys
with open(sys.argv[1], "r+b") as file: written = mmap.mmap(file.fileno(), 8)
n = 0
while True:
    os.write(1 + n % 2, b"%d hunter2\\n" % n)
    n += 1
    written[:8] = n.to_bytes(8, "little")
"""
ENDS: dict[str, Callable[[Kernel], object]] = {
    "kill": kill,
    "os._exit": FAULTS["os._exit"],
    "stop": FAULTS["stop now"],
    "shutdown": FAULTS["shutdown"],
    "the command itself": lambda kernel: os.kill(kernel.do("said = c.pid"), signal.SIGKILL),
}


@pytest.mark.parametrize("cap", [256 << 20, 100_000])
@pytest.mark.parametrize("how", ENDS)
def test_what_was_written_before_the_end_is_not_lost(
    a_kernel: Kernel, tmp_path: Path, token: str, how: str, cap: int
) -> None:
    count = tmp_path / "written"
    count.write_bytes(bytes(8))
    argv = [sys.executable, "-S", "-I", "-c", WRITER, str(count), token]
    a_kernel.begin(argv, up="*******", mask=("hunter2",), log_cap=cap)
    written = lambda: int.from_bytes(count.read_bytes(), "little")  # noqa: E731
    assert wait_until(lambda: written() > 20_000)

    ENDS[how](a_kernel)

    status = a_kernel.folder / f"{a_kernel.pid}-0" / "status"
    assert wait_until(lambda: '"exited"' in status.read_text())
    assert Witness(token).left() == []
    acknowledged = written()
    log = LogFile(status.parent).text()
    assert "hunter2" not in log
    numbers = [int(line.split()[0]) for line in log.splitlines() if line.endswith(" *******")]
    assert max(numbers) >= acknowledged - 1
    if "not kept" not in log:
        assert set(range(acknowledged)) <= set(numbers)
    else:
        assert numbers[0] == 0
        sides = [[n for n in numbers if n % 2 == side] for side in (0, 1)]
        gaps = [sum(b - a > 2 for a, b in pairwise(own)) for own in sides]
        assert gaps == [1, 1]
