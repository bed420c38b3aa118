"""Which worker, or none: what a group asks for, what is offered, and what is said when the two do not meet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kestra_magic import settings
from kestra_magic.errors import KestraMagicError
from kestra_magic.magics.workers import workers
from kestra_magic.model.source import Source
from kestra_magic.process.events import Event, Exited, Output, Queued, Started
from kestra_magic.process.supervise import start_as
from kestra_magic.runners.dask import cluster as cluster_module
from kestra_magic.runners.dask.attempt import Relay
from kestra_magic.runners.dask.cluster import Cluster, connect
from kestra_magic.runners.dask.remote import Remote
from kestra_magic.runners.dask.running import DaskRunning
from kestra_magic.runners.local import command, furnish
from kestra_magic.runners.workers import NoWorker
from kestra_magic.runs.progress import Logged
from kestra_magic.runs.run import Run
from kestra_magic.runs.session import Session
from tests.process.survivors import wait_until
from tests.runners.cluster import TestCluster
from tests.runners.going import Going, go, job


def flow(tmp_path: Path, group: str, **options: Any) -> tuple[Run, list[Any]]:
    """Run one task with a property *group*; return what happened too."""
    text = f"""
id: grouped
namespace: company.team
tasks:
  - id: task
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {{type: io.kestra.plugin.core.runner.Process}}
    {group}
    commands: [echo hi]
"""
    run = Session(tmp_path).flow(Source(text), options, beside=tmp_path)
    seat = run.context.broadcast.sit()
    run.start().wait()
    happened: list[Any] = []
    while (event := seat.queue.get()[1]) is not None:
        happened.append(event)
    return run, happened


def said(happened: list[Any]) -> str:
    return "\n".join(event.message for event in happened if isinstance(event, Logged))


def places(happened: list[Event]) -> list[str]:
    return [event.where for event in happened if isinstance(event, Started)]


@pytest.fixture
def alone() -> Iterator[None]:
    before = settings.current().worker_groups
    settings.update(worker_groups="")
    yield
    settings.update(worker_groups=before)


def test_without_a_cluster_it_runs_here_and_says_so(tmp_path: Path, alone: None) -> None:
    run, happened = flow(tmp_path, "workerGroup: {key: gpu}")

    assert run.ok
    assert places(happened) == [""]
    assert "`gpu` is a worker group, and no cluster is known" in said(happened)


def test_without_a_cluster_a_strict_run_is_refused(tmp_path: Path, alone: None) -> None:
    run, _ = flow(tmp_path, "workerGroup: {key: gpu}", strict=True)

    assert run.state.value == "FAILED"
    assert "`%kestra workers ADDRESS`" in run.error


@pytest.mark.parametrize(
    ("group", "where"),
    [
        ("workerGroup: {key: a}", ["a"]),
        ("workerGroup: {key: '{{ \"b\" }}'}", ["b"]),
        ("workerSelector: {tags: [g, b]}", ["b"]),
        ("workerSelector: {tags: [nobody, a], match: ANY}", ["a"]),
        ("workerSelector: {tags: [nobody], fallback: IGNORE}", [""]),
        ("workerSelector: {tags: []}", [""]),
    ],
)
def test_it_runs_where_its_group_is(tmp_path: Path, cluster: TestCluster, group: str, where: list[str]) -> None:
    run, happened = flow(tmp_path, group)

    assert run.ok, run.error
    assert places(happened) == where


def test_any_of_several_runs_once(tmp_path: Path, cluster: TestCluster) -> None:
    mark = tmp_path / "ran"
    for _ in range(5):
        what = job(tmp_path, tmp_path / "root", "/bin/sh", "-c", f"echo x >> {mark}")
        assert go(cluster.address, what, "a", "b", match="ANY").exited().code == 0

    assert mark.read_text() == "x\n" * 5


@pytest.mark.parametrize(("fallback", "state"), [("FAIL", "FAILED"), ("CANCEL", "CANCELLED")])
def test_a_group_that_nobody_offers(tmp_path: Path, cluster: TestCluster, fallback: str, state: str) -> None:
    run, happened = flow(tmp_path, f"workerGroup: {{key: GPUS, fallback: {fallback}}}")

    assert run.state.value == state
    assert places(happened) == []
    offered = "it offers `GPU`, `a`, `b`, `g`; did you mean `GPU`?"
    assert f"no worker at `{cluster.address}` offers `GPUS`: {offered}" in run.result.error


def test_what_waits_for_a_worker_says_why_and_can_be_stopped(tmp_path: Path, cluster: TestCluster) -> None:
    going = go(cluster.address, job(tmp_path, tmp_path / "root", "/bin/true"), "nobody")
    going.until(lambda: going.events)
    first = going.events[0]
    going.running.stop(reason="interrupt")

    assert isinstance(first, Queued)
    assert "offers `nobody`" in first.reason
    assert going.exited().reason == "interrupt"


def test_a_resource_of_one_is_used_by_one_at_a_time(tmp_path: Path, cluster: TestCluster) -> None:
    script = f"mkdir {tmp_path}/lock && sleep 0.2 && rmdir {tmp_path}/lock"
    tasks = [go(cluster.address, job(tmp_path, tmp_path / "root", "/bin/sh", "-c", script), "GPU") for _ in range(4)]

    assert [going.exited().code for going in tasks] == [0, 0, 0, 0]


def test_a_large_file_is_sent_once_to_a_worker(
    tmp_path: Path, cluster: TestCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    tell = Cluster.tell

    async def counting(self: Cluster, worker: str, do: str, **what: Any) -> Any:
        sent.extend([what["index"]] if do == "put" else [])
        return await tell(self, worker, do, **what)

    monkeypatch.setattr(Cluster, "tell", counting)
    (tmp_path / "big").write_bytes(os.urandom(20 << 20))
    inputs = {"in": {"source": str(tmp_path / "big")}}
    argv = ("/bin/sh", "-c", "cksum < in")
    tasks = [go(cluster.address, job(tmp_path, tmp_path / "root", *argv, inputs=inputs), "a") for _ in range(6)]

    assert [going.exited().code for going in tasks] == [0] * 6
    assert len({going.text() for going in tasks}) == 1
    assert sorted(sent) == [0, 1, 2]


class Reading:
    """A cluster of which only files are asked."""

    live: dict[str, DaskRunning]

    def __init__(self) -> None:
        self.live = {}

    def submit(self, *_: object) -> None: ...

    def post(self, *_: object, **_more: object) -> None: ...

    def ask(self, *_: object, size: int, **_more: object) -> bytes:
        return bytes(size)


@pytest.mark.parametrize("begun", [False, True])
def test_what_a_command_with_a_large_file_said_is_told_once(tmp_path: Path, begun: bool) -> None:
    """Of a short one all comes with its end, before its file does."""
    what = job(tmp_path, tmp_path / "root", "/bin/sh", "-c", "echo done", outputs=("out",))
    Path(what.log_dir).mkdir()
    running = DaskRunning(Reading(), what, [["g"]], "")  # type: ignore[arg-type]
    running.begin(f"task-{what.task_run}-1", {"worker": "tcp://there", "name": "there"})
    there = replace(what, log_dir=str(tmp_path / "there"))
    Path(there.log_dir).mkdir()
    furnish(there)
    whole = {name: said for words in _all_of(start_as(Relay, command(there))) for name, said in words.items()}
    said = {**whole, "text": [[1, 0, 1, "done\n"]], "files": [("out", 9 << 20, 0o600)], "contents": None}
    first = {name: whole[name] for name in ("started", "pid", "start", "guardian", "guardian_start")}

    running.hear({"said": [first, said] if begun else [said]})

    told = [event for event in running.events() if isinstance(event, Started | Output | Exited)]
    assert [type(event) for event in told] == [Started, Output, Exited]
    assert [event.text for event in told if isinstance(event, Output)] == ["done\n"]
    assert running.collect().files["out"].stat().st_size == 9 << 20


def _all_of(relay: Relay) -> Iterator[dict[str, Any]]:
    while True:
        said = relay.heard()
        yield from said
        if "exited" in said[-1]:
            return


def test_a_worker_that_is_not_reached_directly_is_reached_through_its_scheduler(
    tmp_path: Path, cluster: TestCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def walled(*_: object) -> None:
        raise OSError("no way")

    monkeypatch.setattr(cluster_module, "_call", walled)
    monkeypatch.setattr(connect(cluster.address), "_direct", {})
    (tmp_path / "big").write_bytes(os.urandom(9 << 20))
    what = job(tmp_path, tmp_path / "root", "/bin/sh", "-c", "cp in out", outputs=("out",), inputs={"in": {"source": str(tmp_path / "big")}})  # fmt: skip
    going = go(cluster.address, what)

    assert going.exited().code == 0
    assert going.running.collect().files["out"].read_bytes() == (tmp_path / "big").read_bytes()


def refusal(going: Going) -> str:
    going.ended()
    assert going.refused, going.events
    return going.refused


def test_a_worker_without_kestra_magic(tmp_path: Path, cluster: TestCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "_ATTEMPT", Remote("kestra_magic_is_not_there", "attempt"))

    assert "pip install 'kestra-magic[dask]'" in refusal(go(cluster.address, job(tmp_path, tmp_path, "/bin/true")))


def test_a_worker_with_another_version(tmp_path: Path, cluster: TestCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "unlike", lambda version: True)

    assert "has kestra-magic 0." in refusal(go(cluster.address, job(tmp_path, tmp_path / "root", "/bin/true")))


def test_a_folder_that_others_may_read(tmp_path: Path, cluster: TestCluster) -> None:
    (tmp_path / "open").mkdir(mode=0o755)

    assert "is not its user's alone (0700)" in refusal(
        go(cluster.address, job(tmp_path, tmp_path / "open", "/bin/true"))
    )


@pytest.mark.parametrize("more", [{"here": True}, {"detach": True}, {"background": "keep"}])
def test_what_means_this_machine_is_refused(tmp_path: Path, cluster: TestCluster, more: dict[str, Any]) -> None:
    with pytest.raises(KestraMagicError, match="worker"):
        go(cluster.address, job(tmp_path, tmp_path / "root", "/bin/true", **more))


def test_no_such_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "PATIENCE", 0.5)

    with pytest.raises(KestraMagicError, match=r"no Dask scheduler answers at `tcp://127\.0\.0\.1:1`"):
        connect("tcp://127.0.0.1:1")


def test_no_worker_is_an_error_of_its_own(tmp_path: Path, cluster: TestCluster) -> None:
    with pytest.raises(NoWorker):
        go(cluster.address, job(tmp_path, tmp_path / "root", "/bin/true"), "nobody", fallback="FAIL")


def test_the_verb_shows_who_offers_what(cluster: TestCluster, capsys: pytest.CaptureFixture[str]) -> None:
    workers(None, cluster.address, None)  # type: ignore[arg-type]

    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["worker", "host", "threads", "offers", "kestra-magic"]
    assert first.startswith("a       127.0.0.1  2        GPU (1 at once), a (2 at once), g (2 at once)")
    assert second.startswith("b ")


def test_the_verb_without_a_cluster(alone: None, capsys: pytest.CaptureFixture[str]) -> None:
    workers(None, "", None)  # type: ignore[arg-type]

    assert capsys.readouterr().out.startswith("no cluster is known: worker groups run here\n")


def test_many_tasks_at_once_and_none_mixed_up(tmp_path: Path, cluster: TestCluster) -> None:
    tasks = [go(cluster.address, job(tmp_path, tmp_path / "root", "/bin/echo", str(n))) for n in range(40)]

    assert [going.exited().code for going in tasks] == [0] * 40
    assert [going.text() for going in tasks] == [f"{n}\n" for n in range(40)]


def test_what_is_stopped_frees_its_place(tmp_path: Path, cluster: TestCluster) -> None:
    stopped = [go(cluster.address, job(tmp_path, tmp_path / "root", "/bin/sleep", "600")) for _ in range(4)]
    for going in stopped:
        going.until(lambda going=going: going.where)
        going.running.stop()
    ends = [going.exited() for going in stopped]

    assert all(isinstance(end, Exited) and end.reason == "stop" for end in ends)
    assert go(cluster.address, job(tmp_path, tmp_path / "root", "/bin/true")).exited().code == 0
    assert wait_until(lambda: not connect(cluster.address).live)
