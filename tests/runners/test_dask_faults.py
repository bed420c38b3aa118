"""Whatever dies: no process survives, no line is lost, no file is half there, and the run says what happened."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kestra_magic import settings
from kestra_magic.model.source import Source
from kestra_magic.process.events import Exited, Started
from kestra_magic.process.recorder import write_status
from kestra_magic.runners.dask.remains import log_folder
from kestra_magic.runners.dask.room import Kept, Room
from kestra_magic.runs.broadcast import Seat
from kestra_magic.runs.session import Session
from tests.process.conftest import token  # noqa: F401 - a fixture
from tests.process.survivors import Witness, wait_until
from tests.runners.cluster import TestCluster
from tests.runners.going import Going, go, job, lines, python
from tests.runners.proxy import Proxy

# Says lines as fast as it can, and writes down outside how many it has said; has a child that left its session.
TALK = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
n = 0
told = open({told!r}, "w")
while True:
    os.write(1, b"line %d\\n" % n)
    n += 1
    told.seek(0)
    told.write(str(n))
    told.flush()
    if n > 500: time.sleep(0.001)
# {token}
"""


@pytest.fixture
def whole(fragile: TestCluster) -> TestCluster:
    fragile.heal()
    return fragile


@pytest.fixture
def talking(whole: TestCluster, tmp_path: Path, token: str) -> Iterator[Going]:  # noqa: F811
    """A job that runs on a worker and has said a lot."""
    code = TALK.format(told=str(tmp_path / "told"), token=token)
    going = go(whole.address, job(tmp_path, tmp_path / "root", *python(code), grace=0.5))
    going.says("line 600\n")
    yield going
    going.running.stop(grace=0)


def all_said(going: Going, tmp_path: Path) -> None:
    """Every line that the child wrote before its end is in the client's log, in order and whole."""
    said = lines(Path(going.job.log_dir) / "run.log")
    assert said == [f"line {n}" for n in range(len(said))]
    assert len(said) >= int((tmp_path / "told").read_text())


def gone(token: str) -> None:  # noqa: F811
    assert Witness(token).left() == []


def test_a_killed_worker(talking: Going, whole: TestCluster, tmp_path: Path, token: str) -> None:  # noqa: F811
    os.kill(whole.pid(talking.where), signal.SIGKILL)

    assert talking.requeued() == f"worker `{talking.where}` is gone"
    gone(token)
    all_said(talking, tmp_path)


def test_a_killed_nanny(talking: Going, whole: TestCluster, tmp_path: Path, token: str) -> None:  # noqa: F811
    whole.processes[talking.where].kill()

    assert talking.requeued() == f"worker `{talking.where}` is gone"
    gone(token)
    all_said(talking, tmp_path)


def test_a_worker_that_is_asked_to_end(talking: Going, whole: TestCluster, tmp_path: Path, token: str) -> None:  # noqa: F811
    whole.processes[talking.where].terminate()

    assert talking.requeued() in (f"worker `{talking.where}` is gone", "its worker was stopped")
    gone(token)
    all_said(talking, tmp_path)
    assert whole.processes[talking.where].wait(30) is not None


def test_a_worker_that_stands_still(talking: Going, whole: TestCluster, tmp_path: Path, token: str) -> None:  # noqa: F811
    os.kill(whole.pid(talking.where), signal.SIGSTOP)

    assert talking.requeued() == f"worker `{talking.where}` is gone"
    gone(token)


def test_a_killed_scheduler(talking: Going, whole: TestCluster, tmp_path: Path, token: str) -> None:  # noqa: F811
    whole.processes["scheduler"].kill()

    assert talking.requeued() == f"the connection to the scheduler `{whole.address}` was lost"
    gone(token)
    all_said(talking, tmp_path)


def test_a_killed_scheduler_and_more_lines_than_are_on_their_way(whole: TestCluster, tmp_path: Path) -> None:
    """A worker sends some megabytes ahead of what its client has written down: the rest is on its disk alone."""
    code = f"""
import os, time
n = 0
while n < 2_000_000:
    os.write(1, b"".join(b"line %d\\n" % i for i in range(n, n + 10_000)))
    n += 10_000
open({str(tmp_path / "told")!r}, "w").write(str(n))
time.sleep(600)
"""
    going = go(whole.address, job(tmp_path, tmp_path / "root", *python(code)))
    going.says("line 600\n")
    whole.processes["scheduler"].send_signal(signal.SIGSTOP)
    going.until((tmp_path / "told").exists)
    whole.processes["scheduler"].kill()

    assert going.requeued() == f"the connection to the scheduler `{whole.address}` was lost"
    all_said(going, tmp_path)


def test_a_worker_that_ends_waits_until_its_client_has_the_last_of_a_log(tmp_path: Path) -> None:
    """Not until it was sent: a worker that has ended sends no more."""
    room, kept = Room(), Kept(str(tmp_path / "root"), delivered=False)
    room.kept["key"] = kept
    log_folder(kept.root).mkdir()
    write_status(str(log_folder(kept.root)), {"exited": 1.0, "boot": "an earlier one", "pid": 1, "start": 1, "mark": 1})

    rest = asyncio.run(room.hear("rest", key="key", root=kept.root, told={}))

    assert (rest["more"], kept.taken.is_set()) == (False, False)
    asyncio.run(room.hear("taken", key="key"))
    assert kept.taken.is_set()


def test_a_killed_scheduler_with_its_workers(talking: Going, whole: TestCluster, tmp_path: Path, token: str) -> None:  # noqa: F811
    """Nobody is left to be asked: that is said."""
    for name in whole.workers:
        os.kill(whole.pid(name), signal.SIGSTOP)
        whole.processes[name].send_signal(signal.SIGSTOP)
    whole.processes["scheduler"].kill()
    for name in whole.workers:
        os.killpg(whole.processes[name].pid, signal.SIGKILL)

    assert talking.requeued() == (
        f"the connection to the scheduler `{whole.address}` was lost, "
        f"and worker `{talking.where}` does not answer: the last lines of the log may be missing"
    )
    gone(token)


def test_a_killed_client(whole: TestCluster, tmp_path: Path, token: str) -> None:  # noqa: F811
    code = TALK.format(told=str(tmp_path / "told"), token=token)
    client = subprocess.Popen(
        [sys.executable, "-m", "tests.runners.client", whole.address, str(tmp_path), code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert client.stdout is not None
    assert client.stdout.readline() == b"it runs\n"
    client.kill()
    client.wait()
    client.stdout.close()

    gone(token)
    assert go(whole.address, job(tmp_path, tmp_path / "root", "/bin/true")).exited().code == 0


def test_a_connection_that_is_cut(whole: TestCluster, tmp_path: Path, token: str) -> None:  # noqa: F811
    code = TALK.format(told=str(tmp_path / "told"), token=token)
    with Proxy(whole.address) as proxy:
        going = go(proxy.address, job(tmp_path, tmp_path / "root", *python(code)))
        going.says("line 600\n")
        proxy.cut()

        assert going.requeued() == f"the connection to the scheduler `{proxy.address}` was lost"
    gone(token)
    all_said(going, tmp_path)


def test_a_worker_that_dies_while_its_files_are_fetched(whole: TestCluster, tmp_path: Path) -> None:
    what = job(tmp_path, tmp_path / "root", "/bin/sh", "-c", "truncate -s 2G big; echo made", outputs=("big", "small"))
    going = go(whole.address, what)
    going.says("made")
    files = Path(what.log_dir) / "files"
    going.until(lambda: files.is_dir() and any(files.iterdir()))
    os.kill(whole.pid(going.where), signal.SIGKILL)

    assert "is gone" in going.requeued() or "before its files were here" in going.requeued()
    assert list(files.iterdir()) == []
    assert dict(going.running.collect().files) == {}


def test_a_run_begins_again_on_another_worker(whole: TestCluster, tmp_path: Path, token: str) -> None:  # noqa: F811
    flow = f"""
id: again
namespace: company.team
tasks:
  - id: task
    type: io.kestra.plugin.scripts.python.Script
    workerGroup: {{key: g}}
    outputFiles: [out.txt]
    script: |
      import os, time
      first = not os.path.exists({str(tmp_path / "once")!r})
      print("first" if first else "second", flush=True)
      if first:
          open({str(tmp_path / "once")!r}, "w").close()
          time.sleep(600)  # {token}
      open("out.txt", "w").write("whole")
"""
    before = settings.current()
    settings.update(worker_groups=whole.address, worker_root=str(tmp_path / "root"))
    try:
        run = Session(tmp_path).flow(Source(flow), {}, beside=tmp_path)
        seat = run.context.broadcast.sit()
        run.start()
        assert wait_until((tmp_path / "once").exists, 60)
        os.kill(whole.pid(_where(seat)), signal.SIGKILL)
        run.wait()
    finally:
        settings.update(worker_groups=before.worker_groups, worker_root=before.worker_root)

    assert run.state.value == "SUCCESS", run.error
    assert [attempt.state.value for attempt in run.progress.task.attempts] == ["FAILED", "SUCCESS"]
    assert run.stdout == "second\n"
    assert run.result.files["out.txt"].read_text() == "whole"
    gone(token)


def _where(seat: Seat) -> str:
    """Return the worker where it starts."""
    while not isinstance(event := seat.queue.get(timeout=60)[1], Started):
        pass
    return event.where


def test_a_worker_that_is_free_again_takes_the_next(talking: Going, whole: TestCluster, tmp_path: Path) -> None:
    talking.running.stop(grace=0)
    talking.exited()

    for _ in range(8):
        end = go(whole.address, job(tmp_path, tmp_path / "root", "/bin/true")).exited()
        assert isinstance(end, Exited)
        assert end.code == 0
