"""Faults 14 to 27 of the list: who watches is killed, stands still, cannot be started, or lacks an ability of the system."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestra_magic.process import supervise, sweep, system
from kestra_magic.process.events import Lost
from kestra_magic.process.link import Link
from kestra_magic.process.posix import Helpers
from kestra_magic.process.wire import Frames, pack
from tests.process.conftest import Start, end, says, until
from tests.process.faults.conftest import MOST, Group, Kernel, Limit, stubborn
from tests.process.survivors import Witness, bearing, wait_until

Check = Callable[[Kernel], None]
WAYS = ["daemons", "empties_environment", "ignores_signals", "respawns_slowly"]
DEATHS = {
    "fault_14_guardian": ["guardian"],
    "fault_16_guardian_and_kernel": ["guardian", "kernel"],
    "fault_17_warden_and_kernel": ["warden", "kernel"],
}


def kill(who: dict[str, int], *names: str) -> None:
    for name in names:
        os.kill(who[name], signal.SIGKILL)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("names", DEATHS.values(), ids=DEATHS)
def test_nothing_survives_those_who_watch(a_kernel: Kernel, token: str, names: list[str], way: str) -> None:
    who = {**a_kernel.begin(stubborn(way, token)), "kernel": a_kernel.pid}

    kill(who, *names)

    assert Witness(token).left() == []


def test_fault_14_the_loss_of_a_guardian_is_told_when_its_tree_is_gone(start: Start, token: str) -> None:
    child = start(tuple(stubborn("daemons", token)))
    until(child, says("up"))

    os.kill(child.guardian_pid, signal.SIGKILL)
    last = list(child.events())[-1]

    assert isinstance(last, Lost)
    assert bearing(token) == []


def test_fault_15_runs_go_on_without_the_warden_and_the_next_one_makes_a_new_one(a_kernel: Kernel, token: str) -> None:
    who = a_kernel.begin(stubborn("plain", token))
    warden = sweep.identity(who["warden"])

    kill(who, "warden")
    assert wait_until(lambda: not sweep.lives(warden))
    after = a_kernel.do("d = begin(['/bin/echo', 'hi']); said = last(d)")
    other = a_kernel.do("said = supervise.helpers.pid")

    assert "code=0" in after
    assert other != who["warden"]
    assert bearing(token) == [who["pid"]]
    assert "reason='stop'" in a_kernel.do("c.stop(); said = last(c)")


@pytest.mark.parametrize("way", [*WAYS, "revive_each_other", "is_another_user", "stands_still", "closes_everything"])
def test_fault_18_what_all_three_left_is_swept_by_the_next_kernel(a_kernel: Kernel, token: str, way: str) -> None:
    who = {**a_kernel.begin(stubborn(way, token)), "kernel": a_kernel.pid}
    os.kill(who["warden"], signal.SIGSTOP)
    kill(who, "guardian", "warden", "kernel")
    a_kernel.wait()
    assert bearing(token)

    ended = sweep.end_left(sweep.Identity(system.boot_id(), who["pid"], who["start"]), who["mark"])

    assert ended >= 1
    assert Witness(token).left(0.1) == []


def test_fault_19_a_guardian_that_stands_still_does_not_save_its_run(
    a_kernel: Kernel, token: str, nothing_left: Check
) -> None:
    who = a_kernel.begin(stubborn("daemons", token))

    os.kill(who["guardian"], signal.SIGSTOP)
    os.kill(a_kernel.pid, signal.SIGKILL)
    a_kernel.wait()

    nothing_left(a_kernel)


def test_fault_19_a_stop_ends_a_guardian_that_does_not_answer(start: Start, token: str) -> None:
    child = start(tuple(stubborn("daemons", token)), grace=0.1)
    until(child, says("up"))
    os.kill(child.guardian_pid, signal.SIGSTOP)

    child.stop()

    assert isinstance(list(child.events())[-1], Lost)
    assert bearing(token) == []


def confine(kernel: Kernel, limit: Group | Limit) -> None:
    for _ in range(2):  # a guardian may be born before its parent is in
        for pid in (kernel.pid, *kernel.helpers()):
            with suppress(ProcessLookupError):  # the guardian that has just done its work is gone
                limit.put(pid)


def test_fault_20_no_more_processes(a_kernel: Kernel, few_processes: Group | Limit) -> None:
    a_kernel.do("last(begin(['/bin/true']))")
    confine(a_kernel, few_processes)
    few_processes.allow(1)

    said = [a_kernel.do("said = last(begin(['/bin/true']))") for _ in range(4)]

    few_processes.allow(MOST)
    assert all("code=126" in one and "limit" in one for one in said), said
    assert "code=0" in a_kernel.do("said = last(begin(['/bin/true']))")


REFUSED = {
    "of those that are kept ready": "import select; h = supervise.helpers; h.replenish(); select.select([h._socket], [], [])",
    "detached": "last(begin(['/bin/true'], detach=True))",
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_fault_20_what_was_refused_before_does_not_refuse_the_next(
    a_kernel: Kernel, few_processes: Group | Limit, refused: str
) -> None:
    """A guardian was to be made ready while there was no room; now there is."""
    a_kernel.do("last(begin(['/bin/true']))")
    confine(a_kernel, few_processes)
    few_processes.allow(1)
    for _ in range(4):
        a_kernel.do("last(begin(['/bin/true']))")
    a_kernel.do(refused)
    few_processes.allow(MOST)

    assert "code=0" in a_kernel.do("said = last(begin(['/bin/true']))")


def test_fault_21_no_more_files_in_the_kernel(a_kernel: Kernel) -> None:
    a_kernel.do("last(begin(['/bin/true']))")
    a_kernel.do("import resource; resource.setrlimit(7, (64, 64)); many = []")
    fill = "exec('try:\\n    while True: many.append(open(\\'/dev/null\\'))\\nexcept OSError: pass'); "

    said = [""]
    while not said[-1] or "code=0" in said[-1]:  # those that were kept ready are used up, and what an end gives back
        assert len(said) < 30, said
        said.append(a_kernel.do(f"{fill}said = last(begin(['/bin/true']))"))

    assert "code=126" in said[-1]
    assert "too many open files" in said[-1]
    a_kernel.do("many.clear()")
    assert "code=0" in a_kernel.do("said = last(begin(['/bin/true']))")


def test_fault_22_a_warden_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch, start: Start) -> None:
    monkeypatch.setattr(supervise, "helpers", Helpers())
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    said = end(list(start(("/bin/true",)).events()))

    assert said.code == 126
    assert "helper process could not be started" in said.error


def test_fault_22_a_warden_that_ends_at_once_is_told(monkeypatch: pytest.MonkeyPatch, start: Start) -> None:
    monkeypatch.setattr(supervise, "helpers", Helpers())
    monkeypatch.setattr(sys, "executable", "/bin/true")

    said = end(list(start(("/bin/true",)).events()))

    assert "ends at once" in said.error


LACKS = {
    "fault_23_pidfd": "pidfd",
    "fault_24_children": "children",
    "fault_25_pidfd_open": "pidfd_open",
    "cgroup": "cgroup",
}


@pytest.mark.parametrize("way", [*WAYS, "is_deep"])
@pytest.mark.parametrize("lack", LACKS.values(), ids=LACKS)
def test_nothing_survives_where_the_system_lacks(
    kernels: Callable[..., Kernel], token: str, nothing_left: Check, lack: str, way: str
) -> None:
    kernel = kernels(KESTRA_MAGIC_WITHOUT=lack)
    kernel.begin(stubborn(way, token))

    os.kill(kernel.pid, signal.SIGKILL)
    kernel.wait()

    nothing_left(kernel)


@pytest.mark.parametrize("way", ["tree", "setsid", "daemons", "ignores_signals", "closes_everything", "stands_still"])
def test_nothing_survives_where_nobody_adopts_orphans(
    kernels: Callable[..., Kernel], token: str, nothing_left: Check, way: str
) -> None:
    """What macOS can do: group, session, descent, and a cookie in the environment."""
    kernel = kernels(KESTRA_MAGIC_WITHOUT="subreaper,cgroup,pidfd")
    kernel.begin(stubborn(way, token))

    os.kill(kernel.pid, signal.SIGKILL)
    kernel.wait()

    nothing_left(kernel)


def test_fault_23_a_leaked_lifeline_without_pidfd(
    kernels: Callable[..., Kernel], token: str, nothing_left: Check
) -> None:
    kernel = kernels(KESTRA_MAGIC_WITHOUT="pidfd")
    kernel.begin(stubborn("daemons", token))
    worker = kernel.do("import ctypes, time; said = ctypes.PyDLL(None).fork(); time.sleep(60) if not said else None")

    os.kill(kernel.pid, signal.SIGKILL)
    kernel.wait()

    nothing_left(kernel)
    os.kill(worker, signal.SIGKILL)


def test_fault_26_unread_data_on_a_closed_socket_is_an_end() -> None:
    import select

    ours, theirs = socket.socketpair()
    link = Link(theirs, select.poll())
    theirs.send(b"never read")
    ours.close()

    assert link.hear() is None
    link.close()


MESSAGES = st.lists(
    st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers() | st.none(), max_size=3), max_size=4
)


@given(MESSAGES, st.data())
def test_fault_27_a_message_may_be_cut_at_every_byte(messages: list[dict[str, object]], data: st.DataObject) -> None:
    stream = b"".join(map(pack, messages))
    frames, heard = Frames(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        heard += frames.feed(stream[:size])
        stream = stream[size:]

    assert heard == messages


def test_fault_27_every_single_byte() -> None:
    frames = Frames()
    stream = pack({"text": "line\nend, half a character: \udc80"}) * 2

    heard = [message for i in range(len(stream)) for message in frames.feed(stream[i : i + 1])]

    assert heard == [{"text": "line\nend, half a character: \udc80"}] * 2
