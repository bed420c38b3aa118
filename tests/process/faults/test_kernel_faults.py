"""Faults 1 to 13 of the list: the kernel dies, in every way that can be made to happen here; nothing survives it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator

import pytest

from kestra_magic.process import sweep, system
from tests.process.faults.conftest import Group, Kernel, stubborn
from tests.process.survivors import Witness, bearing, marked, wait_until

Check = Callable[[Kernel], None]
ELEVEN = (
    "import os,signal,subprocess,sys,time\n"
    "def go(*ignored, start=None):\n"
    "    code = f'import signal,time\\nfor n in {list(map(int, ignored))}: signal.signal(n, signal.SIG_IGN)\\ntime.sleep(60)'\n"
    "    return subprocess.Popen([sys.executable, '-S', '-I', '-c', code, sys.argv[1]], start_new_session=bool(start))\n"
    "go(); go(start=True); go(1); go(2); go(15); go(2, 15); go(1, 2, 15, start=True); go(2, 15, start=True)\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork(): os._exit(0)\n"
    "    os.closerange(0, 64); time.sleep(60); os._exit(0)\n"
    "os.wait()\n"
    "subprocess.Popen(['/bin/sh', '-c', '(sleep 60; : ' + sys.argv[1] + ') & wait; : ' + sys.argv[1]])\n"
    "print('up', flush=True); time.sleep(60)\n"
)


def eleven(token: str) -> list[str]:
    """Background, nohup, setsid, deaf to INT, to TERM, to both, a daemon, nested shells."""
    return [sys.executable, "-S", "-I", "-c", ELEVEN, token]


SIGNALS = {"fault_01_kill": signal.SIGKILL, "fault_02_term": signal.SIGTERM, "fault_03_segv": signal.SIGSEGV}


@pytest.mark.parametrize("number", SIGNALS.values(), ids=SIGNALS)
def test_nothing_survives_a_signal_to_the_kernel(
    a_kernel: Kernel, token: str, nothing_left: Check, number: int
) -> None:
    a_kernel.begin(eleven(token))
    assert wait_until(lambda: len(bearing(token)) >= 11)

    os.kill(a_kernel.pid, number)
    a_kernel.wait()

    nothing_left(a_kernel)


def test_fault_04_the_whole_group_of_the_kernel_is_killed(a_kernel: Kernel, token: str, nothing_left: Check) -> None:
    a_kernel.begin(eleven(token))

    os.killpg(a_kernel.pid, signal.SIGKILL)
    a_kernel.wait()

    nothing_left(a_kernel)


def test_fault_05_os_exit_in_a_cell(a_kernel: Kernel, token: str, nothing_left: Check) -> None:
    a_kernel.begin(eleven(token))

    a_kernel.tell("os._exit(3)")

    assert a_kernel.wait() == 3
    nothing_left(a_kernel)


def test_fault_06_execv_in_a_cell(a_kernel: Kernel, token: str, nothing_left: Check) -> None:
    a_kernel.begin(eleven(token))

    a_kernel.tell("os.execv('/bin/sleep', ['sleep', '60'])")

    nothing_left(a_kernel)
    assert a_kernel.process.poll() is None


def test_fault_07_a_forked_worker_holds_what_it_inherited(a_kernel: Kernel, token: str, nothing_left: Check) -> None:
    a_kernel.begin(eleven(token))
    # As if it had been forked without our hook: it keeps every descriptor.
    code = "import ctypes, time; worker = ctypes.PyDLL(None).fork(); time.sleep(60) if worker == 0 else None; said = worker"
    worker = a_kernel.do(code)

    os.kill(a_kernel.pid, signal.SIGKILL)
    a_kernel.wait()

    nothing_left(a_kernel)
    os.kill(worker, signal.SIGKILL)


def test_a_forked_worker_closes_what_is_its_parents(a_kernel: Kernel, token: str) -> None:
    a_kernel.begin(stubborn("plain", token))

    worker = "worker = os.fork() or os._exit(len(supervise.helpers._ready) + bool(supervise._listening)); "
    worker += "said = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])"

    assert a_kernel.do("said = bool(supervise._listening)") is True
    assert a_kernel.do(worker) == 0
    assert len(bearing(token)) == 1


def test_a_forked_worker_can_start_runs_of_its_own(a_kernel: Kernel, token: str) -> None:
    a_kernel.begin(stubborn("plain", token))
    code = "worker = os.fork(); c = None if worker else begin(['/bin/sh', '-c', 'exit 7']); "
    code += "os._exit(list(c.events())[-1].code) if not worker else None; said = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])"

    assert a_kernel.do(code) == 7
    assert len(bearing(token)) == 1


def test_fault_08_a_kernel_that_stands_still_loses_nothing(a_kernel: Kernel, token: str) -> None:
    who = a_kernel.begin(stubborn("plain", token))

    os.kill(a_kernel.pid, signal.SIGSTOP)
    assert not wait_until(lambda: not bearing(token), 3)
    os.kill(a_kernel.pid, signal.SIGCONT)

    assert bearing(token) == [who["pid"]]
    assert "code=143" in a_kernel.do("c.stop(); said = last(c)")


@pytest.fixture
def little_memory() -> Iterator[Group]:
    """A group of 400 MB."""
    most = str(400 << 20)
    try:
        group = Group("memory", {"memory.limit_in_bytes": most, "memory.max": most})
    except OSError as error:
        pytest.skip(f"no memory limit can be set here: {error}")
    yield group
    group.close()


def test_fault_09_the_kernel_runs_out_of_memory(
    a_kernel: Kernel, token: str, nothing_left: Check, little_memory: Group
) -> None:
    little_memory.put(a_kernel.pid)
    a_kernel.begin(eleven(token))

    a_kernel.tell("x = bytearray(b'x' * (900 << 20))")

    assert a_kernel.wait() == -signal.SIGKILL
    nothing_left(a_kernel)


def test_fault_09_a_run_that_takes_all_memory_goes_before_its_kernel(a_kernel: Kernel, little_memory: Group) -> None:
    little_memory.put(a_kernel.pid)

    said = a_kernel.do(f"c = begin([{sys.executable!r}, '-S', '-c', 'x = b\\'x\\' * (900 << 20)']); said = last(c)")

    assert "code=137, reason=''" in said
    assert a_kernel.do("said = 1") == 1


def test_fault_10_an_orderly_end(a_kernel: Kernel, token: str, nothing_left: Check) -> None:
    a_kernel.begin(eleven(token))

    a_kernel.tell("sys.exit()")

    assert a_kernel.wait() == 0
    nothing_left(a_kernel)


def test_fault_10_shutdown_leaves_nothing_when_it_returns(a_kernel: Kernel, token: str) -> None:
    a_kernel.begin(eleven(token))

    a_kernel.do("supervise.shutdown()")

    assert bearing(token) == []


def test_fault_10_an_interrupt_of_the_kernel_reaches_no_run(a_kernel: Kernel, token: str) -> None:
    who = a_kernel.begin(stubborn("plain", token))

    a_kernel.do("import signal; signal.signal(2, signal.SIG_IGN)")
    os.killpg(a_kernel.pid, signal.SIGINT)

    assert a_kernel.do("said = 1") == 1
    assert bearing(token) == [who["pid"]]


@pytest.mark.parametrize("millis", [0, 0.5, 1, 2, 3, 5, 8, 13, 20])
def test_fault_11_killed_between_request_and_start(
    kernels: Callable[..., Kernel], token: str, nothing_left: Check, millis: float
) -> None:
    kernel = kernels()
    kernel.do("supervise.warm()")

    kernel.tell(
        f"begin({stubborn('daemons', token)!r}); __import__('time').sleep({millis / 1000}); os.kill(os.getpid(), 9)"
    )
    kernel.wait()

    nothing_left(kernel)


def test_fault_12_what_nobody_had_written_down_yet_is_swept_by_its_mark(a_kernel: Kernel, token: str) -> None:
    """All die between the birth of the command and the moment when its kernel hears of it: only the mark is known."""
    who = a_kernel.begin(stubborn("empties_environment", token), marker=1 << 47 | 4711)
    for name in ("warden", "guardian"):
        os.kill(who[name], signal.SIGSTOP)
    os.kill(a_kernel.pid, signal.SIGKILL)
    for name in ("guardian", "warden"):
        os.kill(who[name], signal.SIGKILL)
    a_kernel.wait()

    assert sweep.end_left(sweep.Identity(system.boot_id(), 0, 0), 1 << 47 | 4711) >= 2

    assert Witness(token).left(0.1) == []


def test_fault_13_a_kernel_that_holds_the_lock_does_not_hold_the_run(a_kernel: Kernel) -> None:
    a_kernel.do("c = begin(['/bin/sh', '-c', 'yes 0123456789 | head -c 50000000'])")

    # One call in C that keeps the interpreter's lock to itself until the run is over.
    status = f"{a_kernel.folder}/{a_kernel.pid}-0/status"
    wait = f"timeout 60 sh -c 'until grep -q exited {status}; do sleep 0.05; done'"
    ended = a_kernel.do(f"import ctypes; said = ctypes.PyDLL(None).system({wait.encode()!r})")

    assert ended == 0
    assert "log_bytes=50000000" in a_kernel.do("said = last(c)")


def test_the_second_stop_does_not_wait(a_kernel: Kernel, token: str) -> None:
    a_kernel.begin(eleven(token))

    said = a_kernel.do("c.stop(grace=30); c.stop(grace=0); said = last(c)")

    assert "reason='stop'" in said
    assert bearing(token) == []


def test_stop_ends_all_eleven(a_kernel: Kernel, token: str) -> None:
    a_kernel.begin(eleven(token), grace=0.2)
    mark = a_kernel.do("said = c.marker")
    assert wait_until(lambda: len(marked(mark)) == 13 + 1)  # a plain `sleep` bears no token, the guardian the mark

    said = a_kernel.do("c.stop(); said = last(c)")

    assert bearing(token) == []
    assert "ended=13, strays=4" in said
