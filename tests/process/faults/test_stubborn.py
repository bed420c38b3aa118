"""Faults 28 to 46 and 48 to 50 of the list: nineteen ways not to end, each against the kernel's death, a stop and a guardian's death."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.process.conftest import Start, end, says, sh, until
from tests.process.faults.conftest import Group, Kernel, Limit, stubborn
from tests.process.survivors import Witness, bearing

Check = Callable[[Kernel], None]
WAYS = [
    "plain", "tree", "setsid", "daemons", "ignores_signals", "blocks_signals", "stands_still", "closes_everything",
    "empties_environment", "respawns_slowly", "respawns_fast", "revive_each_other", "bombs_slowly", "bombs_fast",
    "adopts_too", "is_another_user", "leaves_orphans", "is_wide", "is_deep",
]  # fmt: skip
NUMBERED = {f"fault_{28 + i}_{way}": way for i, way in enumerate(WAYS)}


@pytest.mark.parametrize("way", NUMBERED.values(), ids=NUMBERED)
def test_it_does_not_survive_the_kernel(
    a_kernel: Kernel, token: str, nothing_left: Check, few_processes: Group | Limit, way: str
) -> None:
    few_processes.put(a_kernel.pid)
    a_kernel.begin(stubborn(way, token))

    os.kill(a_kernel.pid, signal.SIGKILL)
    a_kernel.wait()

    nothing_left(a_kernel)


@pytest.mark.parametrize("way", NUMBERED.values(), ids=NUMBERED)
def test_it_does_not_survive_a_stop(a_kernel: Kernel, token: str, few_processes: Group | Limit, way: str) -> None:
    few_processes.put(a_kernel.pid)
    a_kernel.begin(stubborn(way, token), grace=0.1)

    said = a_kernel.do("c.stop(); said = last(c)")

    assert said.startswith("Exited")
    assert bearing(token) == []


@pytest.mark.parametrize("way", NUMBERED.values(), ids=NUMBERED)
def test_it_does_not_survive_its_guardian(a_kernel: Kernel, token: str, few_processes: Group | Limit, way: str) -> None:
    few_processes.put(a_kernel.pid)
    who = a_kernel.begin(stubborn(way, token))

    os.kill(who["guardian"], signal.SIGKILL)

    assert a_kernel.do("said = last(c)").startswith(("Lost", "Exited"))
    assert Witness(token).left() == []


def test_fault_50_a_task_that_kills_its_own_group(start: Start) -> None:
    last = end(list(start(sh("sleep 60 & kill -9 0")).events()))

    assert last.code == 137
    assert last.reason == ""


def test_fault_50_a_task_that_kills_whoever_watches_it(start: Start, token: str) -> None:
    script = f"echo up; setsid sh -c 'sleep 60; : {token}' & read line; "
    child = start(sh(f"{script} sleep 60; : {token}"))
    until(child, says("up"))
    os.kill(child.guardian_pid, signal.SIGTERM)  # deaf to that
    child.stop(grace=0)

    assert end(list(child.events())).code == 137
    assert bearing(token) == []
