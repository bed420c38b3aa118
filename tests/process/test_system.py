"""What the system says of processes, and what it can do."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kestra_magic.process import cgroup, posix, sweep, system, usage
from kestra_magic.process.tree import Tree
from tests.process.conftest import python, sh
from tests.process.survivors import bearing, wait_until

SLEEP = ["/bin/sh", "-c", "sleep 60 & wait"]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEP, start_new_session=True)
    assert wait_until(lambda: system.children(process.pid))
    yield process
    os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
    process.wait()


def test_a_process_is_known_by_its_birth(sleeper: subprocess.Popen[bytes]) -> None:
    seen = system.stat(sleeper.pid)

    assert seen is not None
    assert (seen.parent, seen.group, seen.session, seen.lives) == (os.getpid(), sleeper.pid, sleeper.pid, True)
    assert seen.start > 0
    assert system.processes()[sleeper.pid].start == seen.start
    assert system.stat(2**22 + 1) is None


def test_one_that_is_not_waited_for_does_not_live() -> None:
    process = subprocess.Popen(["/bin/true"])

    assert wait_until(lambda: (seen := system.stat(process.pid)) is not None and not seen.lives)
    process.wait()
    assert system.stat(process.pid) is None


def test_a_name_with_brackets_and_spaces_is_read(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 ("
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(program), "60"])

    seen = system.stat(process.pid)

    assert seen is not None
    assert seen.parent == os.getpid()
    process.kill()
    process.wait()


@pytest.mark.parametrize("lists", [True, False])
def test_children_are_found(sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, lists: bool) -> None:
    monkeypatch.setattr(system, "_HAS_CHILDREN", lists)

    assert sleeper.pid in system.children(os.getpid())
    (child,) = system.children(sleeper.pid)
    assert system.children(child) == []
    assert system.children(sleeper.pid, system.processes()) == [child]


@pytest.mark.parametrize("without", [frozenset(), frozenset({"pidfd_open"}), frozenset({"pidfd"})])
def test_a_signal_goes_only_to_one_that_is_known(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, without: frozenset[str]
) -> None:
    monkeypatch.setattr(system, "WITHOUT", without)

    assert not system.send(sleeper.pid, signal.SIGKILL, known=lambda p: p.parent == 1)
    assert sleeper.poll() is None
    assert system.send(sleeper.pid, signal.SIGTERM, known=lambda p: p.parent == os.getpid())
    assert sleeper.wait(10) == -signal.SIGTERM
    assert not system.send(sleeper.pid, signal.SIGTERM, known=lambda p: True)


def test_fault_67_an_old_descriptor_does_not_reach_who_has_the_number_now(sleeper: subprocess.Popen[bytes]) -> None:
    pidfd = system.open_pidfd(sleeper.pid)
    sleeper.kill()
    sleeper.wait()

    with pytest.raises(ProcessLookupError):
        system.send_pidfd(pidfd, signal.SIGTERM)
    os.close(pidfd)


def test_fault_67_one_of_another_birth_is_not_swept(sleeper: subprocess.Popen[bytes]) -> None:
    seen = system.stat(sleeper.pid)
    assert seen is not None

    assert sweep.end_left(sweep.Identity(system.boot_id(), sleeper.pid, seen.start - 1), 1 << 47 | 12345) == 0

    assert sleeper.poll() is None


def test_fault_67_not_even_with_the_same_number_made_anew(tmp_path: Path, token: str) -> None:
    """In a namespace of process numbers of its own, where the next number can be chosen."""
    code = (
        "import os, subprocess, sys, time\nsys.path.insert(0, sys.argv[1])\nfrom kestra_magic.process import sweep, system\n"
        "old = subprocess.Popen(['sleep', '60']); was = sweep.identity(old.pid); old.kill(); old.wait(); time.sleep(0.05)\n"
        "open('/proc/sys/kernel/ns_last_pid', 'w').write(str(was.pid - 1))\n"
        "new = subprocess.Popen(['sleep', '60']); assert new.pid == was.pid, (new.pid, was.pid)\n"
        "print(sweep.lives(was), sweep.end_left(was, 1 << 47 | 77), new.poll()); new.kill(); new.wait()\n"
    )
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("no namespace of process numbers can be made here (needs root)")

    done = subprocess.run(
        [*unshare, sys.executable, "-c", code, str(Path(__file__).parents[2])], capture_output=True, text=True
    )

    assert done.stdout == "False 0 None\n", done.stderr


def test_fault_68_nothing_of_another_start_of_the_machine_is_swept(sleeper: subprocess.Popen[bytes]) -> None:
    seen = system.stat(sleeper.pid)
    assert seen is not None

    assert sweep.end_left(sweep.Identity("another start", sleeper.pid, seen.start), 1) == 0
    assert sleeper.poll() is None


def limited(mark: int, *argv: str) -> subprocess.Popen[bytes]:
    """Start *argv* with *mark*, without an environment, in a session of its own."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'read go; exec "$0" "$@"', *argv], stdin=subprocess.PIPE, env={}, start_new_session=True
    )
    resource.prlimit(process.pid, system_locks(), (mark, resource.RLIM_INFINITY))
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.close()
    return process


def system_locks() -> int:
    from kestra_magic.process.launch import _RLIMIT_LOCKS

    return _RLIMIT_LOCKS


def test_the_mark_is_found_where_everything_else_was_wiped(token: str) -> None:
    mark = 1 << 47 | int.from_bytes(os.urandom(5), "little")
    process = limited(mark, "/bin/sh", "-c", f"setsid sh -c 'sleep 60; : {token}' & sleep 60; : {token}")
    assert wait_until(lambda: len(bearing(token)) >= 2)
    assert system.marked(process.pid, mark)
    assert not system.marked(process.pid, mark + 1)

    ended = sweep.end_left(sweep.Identity(system.boot_id(), 0, 0), mark)

    assert ended >= 2
    process.wait()
    assert bearing(token) == []


def test_the_cookie_is_found_in_the_environment(sleeper: subprocess.Popen[bytes]) -> None:
    process = subprocess.Popen(["/bin/sleep", "60"], env={system.COOKIE: f"{0xABCDEF:x}"})

    assert wait_until(lambda: system.carries(process.pid, 0xABCDEF))
    assert not system.carries(process.pid, 0xABCDE)
    assert not system.carries(sleeper.pid, 0xABCDEF)
    process.kill()
    process.wait()


def test_a_sweep_of_nobody_ends_nobody() -> None:
    assert sweep.end_left(sweep.Identity(system.boot_id(), 0, 0), 1 << 47 | 99) == 0


def in_a_child(does: str) -> str:
    """Do it in a process of its own: what it adopts and waits for is then its alone."""
    head = "import os, signal, subprocess, sys, time\nsys.path.insert(0, sys.argv[1])\nfrom kestra_magic.process.tree import Tree\nfrom kestra_magic.process import system\n"
    argv = [sys.executable, "-c", head + does, str(Path(__file__).parents[2])]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout or done.stderr


def test_a_tree_knows_its_members_and_who_left_the_group() -> None:
    said = in_a_child(
        "system.adopt_orphans()\n"
        "p = subprocess.Popen(['/bin/sh', '-c', 'sleep 60 & setsid sleep 61 & echo up; wait'], start_new_session=True, stdout=-1)\n"
        "p.stdout.readline(); t = Tree(main=p.pid)\n"
        "while len(t.members()) < 3 or not t.strays: time.sleep(0.01)\n"
        "print(len(t.members()), len(t.strays), t.kill(), t.members(), len(t.ended))"
    )

    assert said == "3 1 True [] 3\n"


def test_a_tree_spares_whom_it_is_told_to_keep() -> None:
    said = in_a_child(
        "system.adopt_orphans()\n"
        "kept = subprocess.Popen(['/bin/sh', '-c', 'sleep 60 & echo up; wait'], stdout=-1, start_new_session=True); kept.stdout.readline()\n"
        "other = subprocess.Popen(['sleep', '60']); t = Tree(keep=[kept.pid])\n"
        "print(t.members() == [other.pid], t.kill(), kept.poll(), len(system.children(kept.pid)))\n"
        "os.killpg(kept.pid, 9); kept.wait()"
    )

    assert said == "True True None 1\n"


def test_who_is_asked_also_wakes_up() -> None:
    said = in_a_child(
        "p = subprocess.Popen(['/bin/sh', '-c', 'trap \"echo asked; exit 3\" TERM; echo up; kill -STOP $$'], stdout=-1, start_new_session=True)\n"
        "p.stdout.readline()\n"
        "while system.stat(p.pid).state != 'T': time.sleep(0.01)\n"
        "Tree(main=p.pid).ask(); print(p.stdout.readline(), p.wait())"
    )

    assert said == "b'asked\\n' 3\n"


def test_use_is_added_up_and_does_not_shrink_when_processes_end(sleeper: subprocess.Popen[bytes]) -> None:
    meter = usage.Meter()
    busy = subprocess.Popen(
        [*python("import time; sum(range(5_000_000)); print(); time.sleep(60)")], stdout=subprocess.PIPE
    )
    assert busy.stdout is not None
    busy.stdout.readline()

    first = meter.read([busy.pid, sleeper.pid])
    busy.kill()
    busy.communicate()
    after = meter.read([busy.pid, sleeper.pid])

    assert first["processes"] == 2
    assert first["pids"] == [busy.pid, sleeper.pid]
    assert (after["processes"], after["pids"]) == (1, [sleeper.pid])
    assert after["cpu_seconds"] >= first["cpu_seconds"] > 0
    assert after["rss_bytes"] < first["rss_bytes"] == meter.peak
    assert after["write_bytes"] >= first["write_bytes"] >= 1


def test_use_is_told_by_psutil_where_there_is_no_proc(sleeper: subprocess.Popen[bytes]) -> None:
    seen = usage.sample(sleeper.pid)

    assert seen["processes"] == 2
    assert seen["pids"][0] == sleeper.pid
    assert seen["rss_bytes"] > 0
    assert usage.sample(2**22 + 1)["processes"] == 0


def test_what_a_child_would_inherit_is_known() -> None:
    before = os.umask(0o033)
    try:
        inherited = posix.inherited()
    finally:
        os.umask(before)

    assert inherited["umask"] == 0o033
    assert (resource.RLIMIT_NOFILE, *resource.getrlimit(resource.RLIMIT_NOFILE)) in inherited["limits"]
    assert inherited["affinity"] == sorted(os.sched_getaffinity(0))
    assert inherited["nice"] == os.getpriority(os.PRIO_PROCESS, 0)


def test_what_the_system_can_do_is_said_in_words() -> None:
    said = posix.capabilities()

    assert said.keys() == {"subreaper", "pidfd", "cgroup.kill", "children in /proc"}
    assert all(value.startswith(("yes", "no")) for value in said.values())


@pytest.mark.parametrize("lack", ["subreaper", "pidfd", "cgroup", "children"])
def test_what_it_cannot_do_is_said_too(lack: str) -> None:
    code = "from kestra_magic.process.posix import capabilities; print(*capabilities().values(), sep='\\n')"
    env = {**os.environ, "KESTRA_MAGIC_WITHOUT": lack}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True
    )

    assert sum(line.startswith("no") for line in done.stdout.splitlines()) >= 1


def entered(group: Path, pid: int) -> bool:
    """An empty group is tidied up by whatever kernel begins just then."""
    group.mkdir(exist_ok=True)
    try:
        (group / "cgroup.procs").write_text(str(pid))
    except FileNotFoundError:
        return False
    return True


def test_a_group_of_its_own_ends_everything_in_one_stroke(token: str) -> None:
    if not cgroup.own() or not Path("/sys/kernel/cgroup/features").exists():
        pytest.skip("no cgroup v2 that may be changed")
    process = subprocess.Popen([*sh(f"sleep 60 & setsid sh -c 'sleep 60; : {token}' & sleep 60; : {token}")])
    group = Path(cgroup.own()) / f"{cgroup.PREFIX}{process.pid}"
    assert wait_until(lambda: len(bearing(token)) >= 2)
    assert wait_until(lambda: entered(group, process.pid))
    for pid in bearing(token):
        (group / "cgroup.procs").write_text(str(pid))

    cgroup.kill(process.pid)
    process.wait(10)

    assert wait_until(lambda: not bearing(token))
    assert wait_until(lambda: cgroup.remove(process.pid) or not group.exists())


def test_empty_groups_are_tidied_up() -> None:
    if not cgroup.own():
        pytest.skip("no cgroup v2 that may be changed")
    group = Path(cgroup.own()) / f"{cgroup.PREFIX}{2**22 + os.getpid()}"
    group.mkdir()

    cgroup.tidy()

    assert not group.exists()


def test_a_tree_of_nobody_is_empty() -> None:
    assert Tree(keep=system.children(os.getpid())).members() == []
