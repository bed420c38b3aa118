"""A kill at any moment of a parallel flow leaves no process, and everything that had ended."""

import os
import random
import threading

import pytest

from kestra_magic.process.events import Started
from kestra_magic.runs.progress import Settled
from kestra_magic.stores import dependencies
from kestra_magic.stores.environments import find
from tests.flows.conftest import FAIL, FLOW, LOG, SHELL, said, states

TREE = "(sleep 300 & sleep 300) & echo out > f.txt; sleep 300"
MANY = f"""\
    - id: first
      type: {SHELL}
      outputFiles: [made.txt]
      commands: ['echo made > made.txt']
    - id: both
      type: {FLOW}.Parallel
      tasks:
        - id: each
          type: {FLOW}.ForEach
          values: [1, 2, 3]
          concurrencyLimit: 0
          tasks: [{{id: tree, type: {SHELL}, outputFiles: [f.txt], commands: ['{TREE}']}}]
        - id: dag
          type: {FLOW}.Dag
          tasks:
            - {{task: {{id: quick, type: {SHELL}, commands: [echo quick]}}}}
            - {{task: {{id: slow, type: {SHELL}, commands: ['{TREE}']}}, dependsOn: [quick]}}
        - {{id: wait, type: {FLOW}.Pause}}
        - {{id: again, type: {FAIL}, retry: {{type: constant, interval: PT300S, maxAttempts: 9}}}}
        - id: shared
          type: {FLOW}.WorkingDirectory
          tasks: [{{id: inside, type: {SHELL}, commands: ['{TREE}']}}]
    - {{id: never, type: {LOG}, message: x}}
    """


def below(folder):
    """The processes that still run in *folder*."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/cwd").startswith(str(folder)):
                found.append(pid)
        except OSError:  # it went away, or is not ours
            continue
    return found


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs /proc")
@pytest.mark.parametrize("moment", [0, 2, 4, 6, 8, 10, 12, 14, 16])
def test_a_kill_at_any_moment(begin, beside, moment):
    run = begin(MANY)
    seen = 0

    def stop(_, event):
        nonlocal seen
        seen += isinstance(event, Started | Settled)
        if seen == moment + 1:
            run.stop(grace=random.choice([None, 0]))

    run.follow(stop, from_start=True)
    run.stop()
    run.wait(60)

    assert run.state == "KILLED"
    known = states(run)
    assert "never" not in known
    assert set(known.values()) <= {"KILLED", "SUCCESS", "FAILED"}, known
    if known.get("first") == "SUCCESS":
        assert run.files["made.txt"].read_text() == "made\n"
    assert not below(beside / "runs" / ".work")
    assert not [path for path in (beside / "runs" / ".work").glob("*") if path.is_dir()]


def test_two_who_kill_are_one_kill(begin):
    run = begin(MANY)
    threads = [threading.Thread(target=run.stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert run.wait(60).state == "KILLED"


def test_after_a_kill_only_what_comes_after_the_execution_runs(begin):
    run = begin(f"""\
        id: flow
        namespace: company.team
        tasks:
          - id: hold
            type: {FLOW}.Sequential
            tasks: [{{id: long, type: {SHELL}, commands: [sleep 300]}}]
            errors: [{{id: inner_error, type: {LOG}, message: no}}]
            finally: [{{id: inner_last, type: {LOG}, message: no}}]
        errors: [{{id: error, type: {LOG}, message: no}}]
        finally: [{{id: last, type: {LOG}, message: no}}]
        afterExecution: [{{id: after, type: {SHELL}, commands: ['echo it was {{{{ execution.state }}}}']}}]
        """)
    run.follow(lambda _, event: run.stop() if isinstance(event, Started) and run.state == "RUNNING" else None)

    assert run.wait(60).state == "KILLED"
    assert states(run) == {"hold": "KILLED", "long": "KILLED", "after": "SUCCESS"}
    assert said(run, "INFO")[-1] == "it was KILLED"


def test_what_comes_after_the_execution_can_be_killed_too(begin):
    run = begin(f"""\
        id: flow
        namespace: company.team
        tasks: [{{id: ends, type: {LOG}, message: x}}]
        afterExecution: [{{id: after, type: {SHELL}, commands: [sleep 300]}}]
        """)
    run.follow(lambda _, event: run.stop() if isinstance(event, Started) and "after" in run.tasks else None)

    assert states(run.wait(60)) == {"ends": "SUCCESS", "after": "KILLED"}


def test_what_is_being_installed_ends_too(begin, tmp_path, monkeypatch):
    commands = tmp_path / "commands"
    commands.mkdir()
    os.mkfifo(tmp_path / "up")
    (commands / "uv").write_text(f"#!/bin/sh\ncd {tmp_path}\necho up > up\nsleep 300\n")
    (commands / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    run = begin("""\
        - id: t
          type: io.kestra.plugin.scripts.python.Script
          dependencies: [no-such-package-at-all]
          script: print(1)
        """)
    assert (tmp_path / "up").read_text() == "up\n"
    run.stop()

    assert run.wait(60).state == "KILLED"
    assert not [pid for pid in below(tmp_path) if pid != str(os.getpid())]


def test_what_another_kernel_installs_is_not_waited_for(begin, tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl", reason="POSIX: the lock is fcntl's")
    cache = tmp_path / "dependencies"
    cache.mkdir()
    interpreter, packages = find(None), ["no-such-package-at-all"]
    waits = threading.Event()
    monkeypatch.setattr(dependencies, "user_cache_path", lambda _: tmp_path)
    monkeypatch.setattr(dependencies.time, "sleep", lambda seconds: waits.set() or waits.wait(seconds))
    monkeypatch.setattr(dependencies, "_satisfied", lambda *_: False)
    with open(cache / f"{dependencies._key(interpreter, packages)}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run = begin("""\
            - id: t
              type: io.kestra.plugin.scripts.python.Script
              dependencies: [no-such-package-at-all]
              script: print(1)
            """)
        assert waits.wait(60)
        run.stop()

        assert run.wait(60).state == "KILLED"


def test_a_python_that_is_being_fetched_ends_too(begin, tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "up")
    script = f"#!/bin/sh\ncd {tmp_path}\n[ $2 = find ] && exit 1\necho up > up\nsleep 300\n"
    (tmp_path / "uv").write_text(script)
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    run = begin("""\
        - id: t
          type: io.kestra.plugin.scripts.python.Script
          pythonVersion: "2.99"
          script: print(1)
        """)
    assert (tmp_path / "up").read_text() == "up\n"
    run.stop()

    assert run.wait(60).state == "KILLED"
    assert not [pid for pid in below(tmp_path) if pid != str(os.getpid())]
