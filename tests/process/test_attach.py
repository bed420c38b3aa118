"""Runs that outlive their kernel on purpose, and are met again from another one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.process import supervise, sweep, system
from kestra_magic.process.events import Lost, Output, Started
from tests.process.conftest import Start, end, frames, says, sh, text, until
from tests.process.faults.conftest import Kernel, a_kernel, kernels
from tests.process.survivors import Witness, bearing, wait_until

__all__ = ["a_kernel", "kernels"]

TICKING = "trap 'echo asked; exit 4' TERM; echo up; : {}; while :; do sleep 0.02; done"


def log_of(kernel: Kernel) -> Path:
    return kernel.folder / f"{kernel.pid}-0"


def test_a_detached_run_survives_its_kernel_and_is_met_and_stopped_from_another(a_kernel: Kernel, token: str) -> None:
    who = a_kernel.begin(["/bin/sh", "-c", TICKING.format(token)], detach=True)
    warden = sweep.identity(who["warden"])

    os.kill(a_kernel.pid, signal.SIGKILL)
    a_kernel.wait()
    assert wait_until(lambda: not sweep.lives(warden))
    assert bearing(token) != []

    child = supervise.attach(log_of(a_kernel))
    seen = until(child, says("up"))
    child.stop(grace=30)
    seen += list(child.events())

    assert isinstance(seen[0], Started)
    assert text(seen) == "up\nasked\n"
    assert (end(seen).code, end(seen).reason) == (4, "stop")
    assert bearing(token) == []


def test_a_detached_run_survives_the_orderly_end_of_its_kernel(a_kernel: Kernel, token: str) -> None:
    a_kernel.begin(["/bin/sh", "-c", TICKING.format(token)], detach=True)

    a_kernel.tell("sys.exit()")
    assert a_kernel.wait() == 0

    child = supervise.attach(log_of(a_kernel))
    child.stop(grace=0)
    assert end(list(child.events())).code == 137
    assert bearing(token) == []


def test_a_detached_run_that_ended_meanwhile_is_told_from_its_beginning(a_kernel: Kernel) -> None:
    script = 'echo a; echo \'::{"outputs":{"x":1}}::\'; echo b >&2; exit 9'
    a_kernel.do(f"c = begin(['/bin/sh', '-c', {script!r}], detach=True, task_run='tr', attempt=3)")
    os.kill(a_kernel.pid, signal.SIGKILL)
    a_kernel.wait()
    status = log_of(a_kernel) / "status"
    assert wait_until(lambda: status.exists() and "exited" in status.read_text())

    seen = list(supervise.attach(log_of(a_kernel)).events())

    assert (text(seen), text(seen, "stderr")) == ("a\n", "b\n")
    assert frames(seen) == ['::{"outputs":{"x":1}}::\n']
    assert (end(seen).code, end(seen).task_run, end(seen).attempt) == (9, "tr", 3)


def test_fault_69_a_run_that_ended_unseen_is_known_by_what_stands_written(a_kernel: Kernel) -> None:
    a_kernel.do("c = begin(['/bin/sh', '-c', 'echo hi; exit 6'], task_run='tr'); list(c.events())")
    os.kill(a_kernel.pid, signal.SIGKILL)
    a_kernel.wait()

    seen = list(supervise.attach(log_of(a_kernel)).events())

    assert (text(seen), end(seen).code, end(seen).task_run) == ("hi\n", 6, "tr")


def test_two_may_listen_to_one_run(start: Start, tmp_path: Path) -> None:
    child = start(sh(TICKING.format("")), log_dir=tmp_path / "log", detach=True)
    until(child, says("up"))
    other = supervise.attach(tmp_path / "log")
    until(other, says("up"))

    child.stop(grace=30)

    assert end(list(child.events())).code == end(list(other.events())).code == 4


def test_one_who_comes_late_hears_everything(start: Start, tmp_path: Path) -> None:
    child = start(sh("seq 1 50000; echo up; kill -STOP $$"), log_dir=tmp_path / "log", detach=True)
    until(child, lambda e: isinstance(e, Output) and e.lines > 0)

    other = supervise.attach(tmp_path / "log")
    seen = until(other, says("up"))
    child.stop(grace=0)
    seen += list(other.events())

    assert text(seen) == "".join(f"{n}\n" for n in range(1, 50001)) + "up\n"


def test_nothing_is_detached_by_accident(a_kernel: Kernel, token: str) -> None:
    a_kernel.begin(["/bin/sh", "-c", TICKING.format(token)])
    a_kernel.do(f"d = begin(['/bin/sh', '-c', {TICKING.format(token)!r}], background='keep')")

    os.kill(a_kernel.pid, signal.SIGKILL)
    a_kernel.wait()

    assert Witness(token).left() == []


def test_a_run_without_detach_cannot_be_met(start: Start, tmp_path: Path) -> None:
    child = start(sh("echo up; kill -STOP $$"), log_dir=tmp_path / "log")
    until(child, says("up"))

    assert isinstance(list(supervise.attach(tmp_path / "log").events())[-1], Lost)
    child.stop(grace=0)


def test_a_detached_run_whose_guardian_was_ended_is_told_lost(start: Start, tmp_path: Path, token: str) -> None:
    child = start(sh(TICKING.format(token)), log_dir=tmp_path / "log", detach=True)
    until(child, says("up"))
    os.kill(child.guardian_pid, signal.SIGKILL)
    assert isinstance(list(child.events())[-1], Lost)

    assert isinstance(list(supervise.attach(tmp_path / "log").events())[-1], Lost)
    assert Witness(token).left() == []  # its warden lives and cares for it


def test_a_detached_guardian_that_stands_still_is_ended_from_anywhere(a_kernel: Kernel, token: str) -> None:
    who = a_kernel.begin(["/bin/sh", "-c", TICKING.format(token)], detach=True)
    os.kill(a_kernel.pid, signal.SIGKILL)
    a_kernel.wait()
    child = supervise.attach(log_of(a_kernel))
    until(child, says("up"))
    os.kill(who["guardian"], signal.SIGSTOP)

    child.stop()

    assert isinstance(list(child.events())[-1], Lost)
    assert bearing(token) == []


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(KestraMagicError, match="no run is known in"):
        supervise.attach(tmp_path)


def test_the_meeting_place_is_gone_when_the_run_is(start: Start, tmp_path: Path) -> None:
    child = start(sh("exit 0"), log_dir=tmp_path / "log", detach=True)
    list(child.events())

    assert wait_until(lambda: not Path(supervise.meeting_place(f"{child.marker:x}")).exists())


def test_the_meeting_place_of_another_is_not_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path)) if len(str(tmp_path)) < 60 else monkeypatch.setattr(
        "tempfile.tempdir", str(tmp_path)
    )
    (tmp_path / f"kestra-magic-{os.getuid()}").mkdir(mode=0o755)

    with pytest.raises(KestraMagicError, match="must be yours alone"):
        supervise.meeting_place("1")


def test_identity_tells_a_process_from_one_that_got_its_number(start: Start) -> None:
    child = start(sh("kill -STOP $$"))
    until(child, lambda e: isinstance(e, Started))

    assert sweep.lives(sweep.Identity(system.boot_id(), child.pid, child.start_time))
    assert not sweep.lives(sweep.Identity(system.boot_id(), child.pid, child.start_time - 1))
    assert not sweep.lives(sweep.Identity("another boot", child.pid, child.start_time))
    child.stop(grace=0)
