"""Faults 28 to 46 and 48 to 50 of the list: nineteen ways not to end, each against the kernel's death, a stop and a guardian's death."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kestra_magic.process import cgroup
from tests.process.conftest import Start, end, says, sh, until
from tests.process.faults.conftest import Group, Kernel, Limit, stubborn
from tests.process.survivors import Witness, bearing, wait_until

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


@pytest.fixture
def frozen() -> Iterator[Group]:
    """A group whose processes do not even hear KILL until it is thawed: as in D state (cgroup v1)."""
    try:
        group = Group("freezer", {"freezer.state": "THAWED"})
    except OSError as error:
        pytest.skip(f"nothing can be held in the system here: {error}")
    yield group
    group.set("THAWED")
    group.close()


def test_fault_49_one_that_the_system_holds_is_told(start: Start, frozen: Group, token: str) -> None:
    child = start(tuple(stubborn("plain", token)))
    until(child, says("up"))
    frozen.put(child.pid)
    frozen.set("FROZEN")

    child.stop(grace=0)
    last = end(list(child.events()))

    assert f"processes {child.pid} could not be ended" in last.error
    assert bearing(token) == [child.pid]
    frozen.set("THAWED")
    assert Witness(token).left() == []


HUMBLE = ("setpriv", "--bounding-set=-kill", "--inh-caps=-all")
"""Root, but without the right to end other users' processes: like anyone who used `sudo`."""


@pytest.fixture
def humble(kernels: Callable[..., Kernel]) -> Callable[..., Kernel]:
    if os.getuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root, with `setpriv`, can make a kernel whose child is another user's")
    return lambda **env: kernels(*HUMBLE, **env)


def is_theirs(token: str) -> bool:
    owners = []
    for pid in bearing(token):
        with suppress(FileNotFoundError):  # it has become another one, or ended
            owners.append(Path(f"/proc/{pid}").stat().st_uid)
    return 65534 in owners


def test_fault_48_another_users_process_is_ended_through_its_group(
    humble: Callable[..., Kernel], token: str, nothing_left: Check
) -> None:
    if not cgroup.own():
        pytest.skip("no cgroup v2 that may be changed")
    kernel = humble()
    kernel.begin(stubborn("is_another_user", token))
    assert wait_until(lambda: is_theirs(token))

    os.kill(kernel.pid, signal.SIGKILL)
    kernel.wait()

    nothing_left(kernel)


def test_fault_48_where_there_is_no_group_another_users_process_is_told(
    humble: Callable[..., Kernel], token: str
) -> None:
    kernel = humble(KESTRA_MAGIC_WITHOUT="cgroup")
    kernel.begin(stubborn("is_another_user", token))
    assert wait_until(lambda: is_theirs(token))

    said = kernel.do("c.stop(grace=0); said = last(c)")

    (left,) = bearing(token)
    assert f"processes {left} could not be ended" in said
    assert "another user" in said
