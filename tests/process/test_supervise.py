"""The life of a run in events: how it starts, is told, ends or is ended."""

from __future__ import annotations

import math
import os
import resource
import selectors
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from kestra_magic.process import supervise, system
from kestra_magic.process.child import Child
from kestra_magic.process.events import Draining, Event, Exited, Killing, Output, Started, Usage
from kestra_magic.process.listening import Listening
from kestra_magic.process.recorder import read_status
from kestra_magic.process.wire import pack
from tests.process.conftest import Start, end, python, says, sh, text, until
from tests.process.survivors import bearing, wait_until

T = TypeVar("T")


def kinds(events: list[Event]) -> list[str]:
    return [type(e).__name__ for e in events if not isinstance(e, Usage)]


def test_a_run_starts_writes_and_ends(start: Start) -> None:
    child = start(sh("echo hi; exit 3"), task_run="tr1", attempt=2)

    seen = list(child.events())

    assert kinds(seen) == ["Started", "Output", "Exited"]
    assert all((e.task_run, e.attempt) == ("tr1", 2) for e in seen)
    assert [e.at for e in seen] == sorted(e.at for e in seen)
    started = seen[0]
    assert isinstance(started, Started)
    assert started.pid == child.pid > 0
    last = end(seen)
    assert (last.code, last.reason, last.error, last.stdout_lines, last.log_bytes) == (3, "", "", 1, 3)


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 255", 255), ("kill -9 $$", 137), ("kill $$", 143)])
def test_the_code_is_that_of_a_shell(start: Start, script: str, code: int) -> None:
    assert end(list(start(sh(script)).events())).code == code


def test_no_process_exists_until_all_is_ready(start: Start, token: str) -> None:
    born: list[list[int]] = []

    list(start(sh(f": {token}"), ready=lambda: born.append(bearing(token))).events())

    assert born == [[]]


def test_what_does_not_become_ready_is_not_started(start: Start, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        start(sh(f"touch {tmp_path}/one"), ready=lambda: 1 // 0)
    list(start(sh(f"touch {tmp_path}/other")).events())

    assert (tmp_path / "other").exists()
    assert not (tmp_path / "one").exists()


def test_standard_input_is_empty(start: Start) -> None:
    assert text(list(start(sh("cat; echo done")).events())) == "done\n"


def test_signals_are_as_they_are_by_default(start: Start) -> None:
    code = "import signal; print([n for n in signal.valid_signals() if signal.getsignal(n) == signal.SIG_IGN and n not in (13, 25)], signal.pthread_sigmask(0, []))"

    assert text(list(start(python(code)).events())) == "[] set()\n"
    assert text(list(start(sh("kill -PIPE $$; echo deaf")).events())) == ""


def test_no_descriptor_is_inherited(start: Start, tmp_path: Path) -> None:
    with open(tmp_path / "held", "w") as held:
        os.set_inheritable(held.fileno(), True)
        said = text(list(start(sh("ls /proc/self/fd; echo; readlink /proc/self/fd/0")).events()))

    assert said == "0\n1\n2\n3\n\n/dev/null\n"  # 3 is the folder that ls reads


def test_it_is_the_leader_of_a_session_of_its_own(start: Start) -> None:
    said = text(list(start(python("import os; print(os.getpid() == os.getsid(0) == os.getpgid(0))")).events()))

    assert said == "True\n"


def test_the_whole_environment_is_given(start: Start) -> None:
    env = {"EMPTY": "", "LINES": "a\nb", "LONG": "x" * 100_000, "ODD": "\udcff", "ÜMLAUT": "é"}
    code = "import os; print(*(ascii(os.environ[n]) for n in ('EMPTY', 'LINES', 'ODD', '\\xdcMLAUT')), len(os.environ['LONG']))"

    said = text(list(start(python(code), env=env).events()))

    assert said == "'' 'a\\nb' '\\udcff' '\\xe9' 100000\n"


def test_folder_mask_limits_and_niceness_are_the_kernels(start: Start, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        child = start(sh("pwd; umask; ulimit -n; nice"))
    finally:
        os.umask(before)

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    assert text(list(child.events())) == f"{tmp_path.resolve()}\n0027\n{files}\n{nice}\n"


def test_events_go_on_where_an_interrupt_broke_them_off(start: Start) -> None:
    child = start(sh("echo one; kill -STOP $$; echo two"))
    until(child, says("one"))
    child.stop(grace=0)

    rest = list(child.events())

    assert kinds(rest)[-2:] == ["Killing", "Exited"]
    assert list(child.events()) == []


# Ends


def test_a_timeout_asks_first(start: Start) -> None:
    child = start(sh("trap 'echo asked; exit 5' TERM; echo up; while :; do sleep 0.01; done"), timeout=1.0, grace=30)

    seen = list(child.events())

    assert end(seen).reason == "timeout"
    assert end(seen).code == 5
    assert text(seen) == "up\nasked\n"
    assert [e for e in seen if isinstance(e, Killing)] == [
        Killing(reason="timeout", forced=False, at=next(e.at for e in seen if isinstance(e, Killing)))
    ]


def test_a_timeout_does_not_wait_for_the_deaf(start: Start, token: str) -> None:
    child = start(sh(f"trap '' TERM; : {token}; while :; do sleep 0.01; done"), timeout=0.2, grace=0.2)

    last = end(list(child.events()))

    assert (last.reason, last.code) == ("timeout", 137)
    assert bearing(token) == []


def test_a_stop_asks_every_process_also_those_that_left_the_group(start: Start, token: str) -> None:
    inner = f'trap "echo inner" TERM; : {token}; echo up; while :; do sleep 0.01; done'
    child = start(sh(f"setsid sh -c '{inner}' & trap 'echo outer' TERM; while :; do sleep 0.01; done"), grace=1.0)
    until(child, says("up"))

    child.stop(reason="interrupt")
    seen = list(child.events())

    assert {"inner\n", "outer\n"} <= set(text(seen).splitlines(keepends=True))
    assert end(seen).reason == "interrupt"
    assert (end(seen).ended >= 2, end(seen).strays >= 1) == (True, True)


def test_a_stopped_process_hears_the_stop(start: Start) -> None:
    child = start(sh("trap 'echo heard; exit 0' TERM; echo up; kill -STOP $$"), grace=30)
    until(child, says("up"))
    assert wait_until(lambda: (about := system.stat(child.pid)) is not None and about.state == "T")

    child.stop()

    assert text(list(child.events())) == "heard\n"


def test_the_second_stop_ends_at_once(start: Start, token: str) -> None:
    child = start(sh(f"trap '' TERM; : {token}; echo up; while :; do sleep 0.01; done"))
    until(child, says("up"))

    child.stop(grace=3600)
    child.stop(grace=0)
    seen = list(child.events())

    assert [e.forced for e in seen if isinstance(e, Killing)] == [False, True]
    assert end(seen).code == 137


def test_the_first_reason_counts(start: Start) -> None:
    child = start(sh("trap '' TERM; echo up; while :; do sleep 0.01; done"))
    until(child, says("up"))

    child.stop(grace=3600, reason="replaced")
    child.stop(grace=0, reason="interrupt")

    assert end(list(child.events())).reason == "replaced"


def test_a_stop_after_the_end_is_no_error(start: Start) -> None:
    child = start(sh("exit 0"))
    list(child.events())

    child.stop()

    assert child.ended.is_set()


def test_what_was_written_before_the_end_is_told(start: Start) -> None:
    child = start(sh("echo up; yes | head -c 3000000; while :; do sleep 0.01; done"), show_bytes=10 << 20)
    until(child, says("up"))

    child.stop(grace=0)
    seen = list(child.events())

    assert end(seen).log_bytes >= 3
    assert sum(e.size for e in seen if isinstance(e, Output)) <= end(seen).log_bytes


# What the command leaves in the background


def test_fault_57_what_lives_on_is_waited_for_and_told(start: Start) -> None:
    child = start(sh("(sleep 2.5; echo late) & echo early"), background="wait")

    seen = list(child.events())

    (draining,) = [e for e in seen if isinstance(e, Draining)]
    assert (draining.code, draining.processes >= 1) == (0, True)
    assert text(seen) == "early\nlate\n"
    assert (end(seen).code, end(seen).ended) == (0, 0)


def test_what_lives_on_is_waited_for_without_any_pipe(start: Start, tmp_path: Path) -> None:
    child = start(sh("(sleep 0.3; : > late) > /dev/null 2>&1 &"), background="wait")

    list(child.events())

    assert (tmp_path / "late").exists()


def test_fault_57_what_lives_on_is_killed(start: Start, token: str) -> None:
    child = start(sh(f"sh -c 'sleep 60; : {token}' & exit 4"), background="kill", grace=0.2)

    last = end(list(child.events()))

    assert (last.code, last.ended >= 1) == (4, True)
    assert bearing(token) == []


def test_a_daemon_is_killed_at_once(start: Start, token: str) -> None:
    script = f"setsid sh -c 'sleep 60; : {token}' > /dev/null 2>&1 < /dev/null & exit 4"

    last = end(list(start(sh(script), background="kill", grace=3600).events()))

    assert last.code == 4
    assert bearing(token) == []


def test_fault_57_what_lives_on_is_kept_until_the_kernel_ends(start: Start, token: str) -> None:
    child = start(sh(f"sh -c 'sleep 60; : {token}' & echo up; exit 4"), background="keep")

    seen = list(child.events())

    assert (text(seen), end(seen).code, end(seen).kept >= 1) == ("up\n", 4, True)
    assert bearing(token) != []
    child.stop(grace=0)
    assert wait_until(lambda: not bearing(token))


def test_a_stop_ends_what_is_waited_for(start: Start, token: str) -> None:
    child = start(sh(f"sh -c 'sleep 60; : {token}' & exit 0"))
    until(child, lambda e: isinstance(e, Draining))

    child.stop(grace=0)

    assert end(list(child.events())).reason == "stop"
    assert bearing(token) == []


# What it uses


def test_use_of_the_whole_tree_is_told(start: Start) -> None:
    hungry = "x = bytearray(60 << 20); s = sum(range(3_000_000)); import time; time.sleep(2.5)"
    argv = python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hungry!r}])")

    seen = list(start(argv).events())

    usages = [e for e in seen if isinstance(e, Usage)]
    assert max(u.processes for u in usages) == 2
    assert max(u.rss_bytes for u in usages) > 60 << 20
    assert any(len(u.pids) == 2 for u in usages)
    assert end(seen).rss_bytes > 60 << 20
    assert end(seen).cpu_seconds > 0


def test_what_lived_too_short_to_be_seen_counts_too(start: Start) -> None:
    last = end(list(start(python("x = bytearray(90 << 20); sum(range(1_000_000))")).events()))

    assert last.rss_bytes > 90 << 20
    assert last.cpu_seconds > 0


def test_the_system_prefers_it_to_the_kernel_when_memory_runs_out(start: Start) -> None:
    own = int(Path("/proc/self/oom_score_adj").read_text())

    said = text(list(start(sh("cat /proc/self/oom_score_adj"), oom_score=200).events()))

    assert int(said) == min(1000, own + 200)


# All together


def test_twenty_runs_side_by_side(start: Start) -> None:
    children = [start(sh(f"echo {n}; exit {n}")) for n in range(20)]

    ends = [list(child.events()) for child in children]

    assert [text(seen) for seen in ends] == [f"{n}\n" for n in range(20)]
    assert [end(seen).code for seen in ends] == list(range(20))


def test_runs_that_begin_together_are_all_heard_where_a_wait_must_be_ended_for_that(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    listening = Listening()
    monkeypatch.setattr(supervise, "_listening", listening)
    held: list[Child] = []
    monkeypatch.setattr(listening, "add", held.append)
    for n in range(3):
        start(sh(f"exit {n}"))
    monkeypatch.undo()
    for child in held:
        listening.add(child)

    assert [end(list(child.events())).code for child in held] == [0, 1, 2]


def in_a_thread(work: Callable[[], T]) -> Future[T]:
    """There no interrupt can fall, and who waits for events hears the guardian himself."""
    pool = ThreadPoolExecutor(1, "waiter")
    found = pool.submit(work)
    pool.shutdown(wait=False)
    return found


def until_there(file: Path) -> str:
    return f"until [ -e {file} ]; do sleep 0.01; done"


def test_who_waits_hears_the_guardian_himself(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    hear = Child.hear
    monkeypatch.setattr(Child, "hear", lambda child: (heard.append(threading.current_thread().name), hear(child)))
    child = start(sh(f"echo up; {until_there(tmp_path / 'flag')}; echo late"))

    def waiter() -> list[Event]:
        seen = until(child, says("up"))
        (tmp_path / "flag").touch()
        return seen + list(child.events())

    seen = in_a_thread(waiter).result(30)

    assert text(seen) == "up\nlate\n"
    assert heard[-1].startswith("waiter")
    assert child not in supervise._listener().children


def test_what_is_kept_is_heard_when_nobody_waits_for_it_any_more(start: Start) -> None:
    child = start(sh("sleep 60 & echo $!"), background="keep")
    seen = in_a_thread(lambda: list(child.events())).result(30)
    kept = child in supervise._listener().children
    os.kill(int(text(seen)), signal.SIGKILL)

    assert (end(seen).code, kept) == (0, True)
    assert wait_until(lambda: child not in supervise._listener().children)


def test_a_guardian_that_answered_lives_on_while_who_waits_is_busy(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kestra_magic.process.child.ANSWER", 1.0)
    child = start(sh("trap '' TERM; echo up; while :; do sleep 0.05; done"))
    busy, free = threading.Event(), threading.Event()

    def waiter() -> list[Event]:
        seen = until(child, says("up"))
        busy.set()
        free.wait(30)
        return seen + list(child.events())

    found = in_a_thread(waiter)
    busy.wait(30)
    child.stop(grace=60)
    assert wait_until(lambda: child.answer_by == math.inf)  # its time is over, and it was looked for
    guardian = system.stat(child.guardian_pid)
    child.stop(grace=0)
    free.set()

    assert guardian is not None
    assert guardian.lives
    assert (end(found.result(30)).reason, end(found.result(30)).code) == ("stop", 137)


def test_the_words_of_a_short_command_come_with_its_end(tmp_path: Path) -> None:
    """Nothing is read for them."""
    child = Child(folder=tmp_path / "none", grace=2.0, budget=1000, detached=False, marker=1, task_run="t", attempt=1)
    who = {"started": 1.0, "pid": 7, "start": 0, "guardian": 8, "guardian_start": 9}
    read = {"notice": 2.0, "log": 6, "frames": 0, "lines": [1, 1], "sizes": [3, 3], "open": ["", ""]}
    words = [(1, 0, 1, "hi\n"), (2, 3, 2, "ho\n")]

    child.take({"exited": 3.0, "code": 0, "reason": "", **who, **read, "text": words})
    seen = list(child.events())

    assert kinds(seen) == ["Started", "Output", "Output", "Exited"]
    assert (child.pid, text(seen), text(seen, "stderr")) == (7, "hi\n", "ho\n")


def test_whoever_hears_the_end_of_a_short_command_finds_it_written_down(start: Start, tmp_path: Path) -> None:
    """What is told of an ended run again, at once, is read there."""
    for n in range(40):
        folder = tmp_path / f"short{n}"
        end(list(start(("/bin/true",), log_dir=folder).events()))

        assert "exited" in read_status(folder)


# One guardian after another


def guardians(start: Start, *argvs: tuple[str, ...], **more: object) -> list[tuple[int, Exited]]:
    """Run one after the other; return who watched over each, and how it ended."""
    seen = []
    for argv in argvs:
        child = start(argv, **more)
        last = end(list(child.events()))
        assert wait_until(lambda child=child: child not in supervise._listener().children)  # type: ignore[misc]
        seen.append((child.guardian_pid, last))
    return seen


def test_a_guardian_watches_over_one_run_after_another_and_counts_each_by_itself(start: Start) -> None:
    large = python("data = bytearray(200 << 20); print(len(data))")

    (first, big), (second, small) = guardians(start, large, sh("exit 3"))

    assert first == second
    assert (big.code, small.code) == (0, 3)
    assert big.rss_bytes > 200 << 20 > 50 << 20 > small.rss_bytes
    assert small.cpu_seconds < big.cpu_seconds


def test_after_a_run_that_was_ended_comes_another_guardian(start: Start) -> None:
    child = start(sh("sleep 60"))
    until(child, lambda e: isinstance(e, Started))
    child.stop(grace=0)
    list(child.events())

    ((after, _),) = guardians(start, sh("true"))

    assert after != child.guardian_pid
    assert wait_until(lambda: system.stat(child.guardian_pid) is None)


def test_after_a_run_with_other_limits_comes_another_guardian(start: Start) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (4096 if soft != 4096 else 8192, hard))
        ((before, _),) = guardians(start, sh("ulimit -c"))
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))

    ((after, _),) = guardians(start, sh("true"))

    assert before != after


def test_a_guardian_that_was_ended_while_it_waited_is_passed_over(start: Start) -> None:
    ((first, _),) = guardians(start, sh("true"))
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: not supervise.system._is_there(supervise.helpers._ready[0]))

    ((second, last),) = guardians(start, sh("exit 4"))

    assert (second != first, last.code) == (True, 4)


def test_what_was_still_said_of_an_earlier_run_is_passed_over(start: Start) -> None:
    child = start(sh("true"))
    list(child.events())
    assert wait_until(lambda: child not in supervise._listener().children)
    (waiting,) = [one for one in supervise.helpers._ready if one in supervise.helpers._lent]
    waiting.setblocking(True)
    waiting.sendall(pack({"stop": "stop", "grace": 0}) + pack({"more": 1}))

    ((again, last),) = guardians(start, sh("echo hi"))

    assert (again, last.code, last.stdout_lines) == (child.guardian_pid, 0, 1)


def test_nothing_of_ours_is_left_open(start: Start) -> None:
    list(start(sh("true")).events())
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(5):
        list(start(sh("echo hi")).events())

    assert wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before + supervise.system.WARM)


def test_the_command_is_not_a_child_of_the_kernel(start: Start) -> None:
    child = start(sh("kill -STOP $$"))
    until(child, lambda e: isinstance(e, Started))

    assert child.pid not in system.children(os.getpid())
    child.stop(grace=0)
    assert isinstance(list(child.events())[-1], Exited)


def test_a_signal_to_the_kernels_group_is_not_its(start: Start) -> None:
    child = start(sh("echo up; kill -STOP $$"))
    until(child, says("up"))

    assert os.getpgid(child.pid) != os.getpgid(0)
    os.kill(child.guardian_pid, signal.SIGINT)
    os.kill(child.guardian_pid, signal.SIGHUP)

    child.stop(grace=0)
    assert isinstance(list(child.events())[-1], Exited)
