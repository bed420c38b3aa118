"""Runs without a notebook: their lives, their records, what is masked and what is pruned."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from kestra_magic import settings
from kestra_magic.errors import KestraMagicError
from kestra_magic.model.source import Source
from kestra_magic.process.events import Event, Killing, Output, Started, Usage
from kestra_magic.process.supervise import hidden_forms
from kestra_magic.runners.job import Running
from kestra_magic.runners.local import LocalRunner
from kestra_magic.runs.broadcast import Broadcast
from kestra_magic.runs.history import history
from kestra_magic.runs.journal.journal import Journal, Record
from kestra_magic.runs.journal.live import marked
from kestra_magic.runs.journal.owner import Owner, started_ticks
from kestra_magic.runs.journal.record import LOST, write_lost
from kestra_magic.runs.kernels.attach import attach
from kestra_magic.runs.kernels.recovery import recover
from kestra_magic.runs.progress import Progress, Settled, State
from kestra_magic.runs.request import Request
from kestra_magic.runs.run import Run
from kestra_magic.runs.session import Session, UnknownRun
from tests.process.survivors import wait_until
from tests.process.test_gpu import GB, FakeNvml, process

Begin = Callable[..., Run]
SECRET = 'pä"ss/w0rd+=x'


def orphaned(session: Session, run: Run, **changes: object) -> Record:
    """Write *run* down as if its kernel had died before it could say how it ended."""
    record = session.journal.get(run.id)
    assert record is not None
    dead = replace(Owner.me(), ticks=1)
    left = replace(record, ended=None, state="RUNNING", exit_code=None, **changes)  # type: ignore[arg-type]
    other = Journal(session.journal.path, owner=dead)
    other.starting(left)
    other.started(left.id, pid=left.pid or 0, started_ticks=left.started_ticks)
    other.close()
    (run.folder / "_run" / "run.json").unlink(missing_ok=True)
    session.discard(run)
    return left


# A life


def test_a_tree_with_a_space_in_its_path_runs(session: Session, begin: Begin, tmp_path: Path) -> None:
    settings.update(runs_dir=str(tmp_path / "my runs"))
    run = begin("echo a > {{ workingDir }}/a; cat a").wait()

    assert run.stdout == "a\n"


def test_the_whole_tree_lies_where_the_setting_says(
    session: Session, begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    run = begin("pwd; echo x > out.txt", output=["out.txt"]).wait()

    assert run.stdout.startswith(f"{tmp_path}/tree/")
    assert run.files["out.txt"].path == tmp_path / "tree" / "cell-1" / "out.txt"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tree"]
    assert os.listdir(session.work) == []


def test_where_results_cannot_lie_beside_the_notebook_that_is_told(
    session: Session, begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.update(runs_dir="")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    session.beside = tmp_path / "file"
    session.beside.write_text("no folder")
    run = begin("echo x > out.txt", output=["out.txt"]).wait()

    other = tmp_path / "data" / "kestra_magic" / "kestra-runs"
    assert run.files["out.txt"].path == other / "cell-1" / "out.txt"
    assert [entry.message for entry in run.result.entries] == [
        f"`{session.base}` cannot be written: results lie in `{other}`"
    ]


def test_a_run_is_in_the_journal_from_before_its_process_to_its_end(session: Session, begin: Begin) -> None:
    run = begin("echo hi; exit 3").wait()
    record = session.journal.get(run.id)

    assert record is not None
    assert (record.state, record.exit_code, record.folder) == ("FAILED", 3, str(run.folder))
    assert record.pid is not None
    assert record.created <= (record.started or 0) <= (record.ended or 0)
    assert [marked(file).runs for file in session.journal.live.iterdir()] == [{}]


def test_a_journal_that_cannot_be_used_is_told_and_the_run_goes_on(session: Session, begin: Begin) -> None:
    session.data.mkdir(parents=True)
    (session.data / "journal.sqlite").mkdir()
    run = begin("echo hi").wait()

    assert (run.ok, run.stdout) == (True, "hi\n")
    assert any("journal" in entry.message for entry in run.result.entries)


def test_a_stop_is_heard_however_early(begin: Begin) -> None:
    for number in range(20):
        run = begin("echo up; sleep 300", name=f"early{number}")
        threading.Event().wait(number * 0.0005)
        run.stop()

        assert run.wait().state is State.KILLED, run.error


def test_what_was_ended_is_told(begin: Begin) -> None:
    run = begin("sleep 300 & setsid sh -c 'echo up; exec sleep 300' & wait")
    seat = run.context.broadcast.sit(from_start=True)
    next(told for told in seat if told and isinstance(told[1], Output) and "up" in told[1].text)
    run.stop()

    assert run.wait().sentence == "killed (stop) (stopped 3 processes, 1 of them had left the group)"


def test_peaks_are_kept_and_are_no_part_of_what_was_measured_by_the_task(session: Session, begin: Begin) -> None:
    run = begin("x = bytearray(64 << 20); print(len(x))", lang="python").wait()

    assert run.peaks["rss_bytes"].last > 64 << 20
    assert run.peaks["cpu_seconds"].last > 0
    assert len(run.metrics) == 0
    told = json.loads((run.folder / "_run" / "run.json").read_text())
    assert told["tasks"][0]["peaks"]["rss_bytes"] == run.peaks["rss_bytes"].last


class Measured(FakeNvml):
    """One GPU of which every process uses 3 GB; says when it was looked at."""

    def __init__(self, each: int | None) -> None:
        super().__init__(70 * GB)
        self.each = each
        self.looks = threading.Semaphore(0)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        self.looks.release()
        return [process(int(name), self.each) for name in os.listdir("/proc") if name.isdecimal()]


@pytest.mark.skipif(sys.platform != "linux", reason="its processes are read from /proc")
@pytest.mark.parametrize(("each", "name", "least"), [(3 * GB, "gpu_bytes", 3 * GB), (None, "whole_gpu_bytes", 10 * GB)])
def test_peaks_of_gpus_are_kept_too(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, each: int, name: str, least: int
) -> None:
    library = Measured(each)
    monkeypatch.setattr("kestra_magic.process.gpu.nvml", lambda: library)
    run = begin("exec sleep 300")
    assert all(library.looks.acquire(timeout=60) for _ in range(2))  # what the first look saw is told by the second
    run.stop()
    told = json.loads((run.wait().folder / "_run" / "run.json").read_text())["tasks"][0]["peaks"]

    assert told[name] == run.peaks[name].last >= least
    assert ("gpu_bytes" in told) is (each is not None)


@dataclass
class Torn:
    """A run whose events break off once it was *looked* at."""

    running: Running
    looked: threading.Semaphore
    ended = False

    def events(self) -> Iterator[Event]:
        for event in self.running.events():
            yield event
            if isinstance(event, Usage) and self.looked.acquire(timeout=60):
                self.running.stop(grace=0)
                raise KestraMagicError("torn")


def test_nobody_measures_a_run_whose_events_broke_off(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    library, start = Measured(3 * GB), LocalRunner.start
    monkeypatch.setattr("kestra_magic.process.gpu.nvml", lambda: library)
    monkeypatch.setattr(LocalRunner, "start", lambda self, job, ready: Torn(start(self, job, ready), library.looks))

    assert begin("exec sleep 300").wait().error == "torn"
    assert wait_until(lambda: "kestra-gpu" not in [thread.name for thread in threading.enumerate()])


def test_a_gpu_is_free_when_its_run_has_ended_and_not_before(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kestra_magic.runs.gpus.nvml", lambda: FakeNvml(10 * GB))
    for _ in range(5):
        assert begin("echo $CUDA_VISIBLE_DEVICES", gpu="auto").wait().stdout == "GPU-00-abc\n"
    first = begin("echo up; sleep 300", name="first", gpu="auto", detach=True)
    seat = first.context.broadcast.sit(from_start=True)
    next(told for told in seat if told and isinstance(told[1], Output) and "up" in told[1].text)
    assert first.context.gpus is not None
    first.context.gpus.release()  # as the end of this kernel would

    with pytest.raises(KestraMagicError, match="GPU 0 is held by `first`"):
        begin("echo hi", name="second", gpu="auto")
    first.stop()
    first.wait()
    assert begin("echo hi", name="second", gpu="auto").wait().ok


def test_a_run_is_run_again_with_another_input(begin: Begin) -> None:
    run = begin("echo {{ inputs.lr }} {{ name }}", input=["lr=0.5"], names={"name": "anna", "other": object()}).wait()
    again = run.rerun(lr=0.25)

    assert (run.stdout, again.stdout, again.folder.name) == ("0.5 anna\n", "0.25 anna\n", "cell-2")


def test_one_that_is_refused_leaves_nothing(session: Session, begin: Begin) -> None:
    with pytest.raises(KestraMagicError, match="no variable"):
        begin("echo hi", input=["missing"])

    assert not session.base.exists()
    assert session.runs == []


def test_of_one_that_was_not_started_nothing_is_known(session: Session, tmp_path: Path) -> None:
    run = session.cell(Request(source=Source("echo hi"), name="cell", options={}, notebook={}, beside=tmp_path))
    session.discard(run)

    with pytest.raises(UnknownRun, match=r"^no run `cell` is known here$"):
        session.latest("cell")
    assert not run.folder.exists()


def test_a_session_that_closes_ends_its_runs_and_leaves_those_that_asked_for_it(
    session: Session, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kestra_magic.runs.session.LAST_WORDS", 30)
    plain = begin("echo up; sleep 300", name="plain")
    asks = begin("#| requeue: true\necho up; sleep 300", name="asks")
    for run in (plain, asks):
        seat = run.context.broadcast.sit(from_start=True)
        next(told for told in seat if told and isinstance(told[1], Output) and "up" in told[1].text)
    session.close()
    rows = {name: session.journal.find(name) for name in ("plain", "asks")}

    assert plain.wait(30).state is State.KILLED
    assert asks.wait(30).state is State.KILLED
    assert rows["plain"] is not None
    assert rows["asks"] is not None
    assert (rows["plain"].state, rows["asks"].ended) == ("KILLED", None)
    session.journal.ended(asks.id, "KILLED")


# What is told again


def test_what_was_told_is_told_again_in_larger_pieces() -> None:
    told = Broadcast(Progress("a"))
    told.emit(Started(task_run="t", pid=1))
    for n in range(3):
        told.emit(Output(task_run="t", stream="stdout", text=f"{n}\n", lines=1, offset=2 * n, size=2))
    for n in range(3):
        told.emit(Output(task_run="t", stream="stdout", kind="open", text=f"{n} %"))
    told.emit(Output(task_run="t", stream="stderr", text="oops\n", lines=1, offset=6, size=5))
    seat = told.sit(from_start=True)
    told.close()
    events = [each[1] for each in seat if each and each[1]]

    assert [(e.stream, e.kind, e.text, e.lines) for e in events if isinstance(e, Output)] == [
        ("stdout", "lines", "0\n1\n2\n", 3),
        ("stdout", "open", "2 %", 0),
        ("stderr", "lines", "oops\n", 1),
    ]


def made(session: Session, tmp_path: Path, text: str) -> Run:
    """A run that is not started."""
    return session.cell(Request(source=Source(text), name="cell", options={}, notebook={}, beside=tmp_path))


def test_a_cell_is_lived_in_the_thread_that_shows_it(session: Session, tmp_path: Path) -> None:
    run = made(session, tmp_path, "echo hi")
    told: list[tuple[str, str]] = []

    def tell(what: str) -> None:
        told.append((what, threading.current_thread().name))

    run.follow(
        lambda _, event: tell(type(event).__name__),
        start=True,
        first=lambda: tell("first"),
        last=lambda: tell("last"),
    )

    own = threading.current_thread().name
    names = ("first", "Declared", "Started", "Output", "Exited", "Settled", "Settled", "last")
    assert told == [(name, own) for name in names]
    assert run.ok


def test_a_display_that_fails_ends_no_run(session: Session, tmp_path: Path) -> None:
    run = made(session, tmp_path, f"echo hi; touch {tmp_path}/done")

    with pytest.raises(ZeroDivisionError):
        run.follow(lambda *_: 1 // 0, start=True)  # type: ignore[arg-type,return-value]

    assert (run.wait(30).state, (tmp_path / "done").exists()) == (State.SUCCESS, True)


def test_what_another_thread_tells_is_heard_with_what_comes_next() -> None:
    told = Broadcast(Progress("a"))
    heard: list[object] = []
    told.emit(Started(task_run="t", pid=1))
    front = told.sit_in_front(lambda: heard.append("first"), lambda each: heard.append(type(each[1])))
    told.emit(Started(task_run="t", pid=1))
    before = list(heard)
    told.open()
    other = threading.Thread(target=told.emit, args=(Killing(reason="stop"),))
    other.start()
    other.join()
    meanwhile = list(heard)
    told.emit(Started(task_run="u", pid=2))
    front.check()

    assert (before, meanwhile) == ([], ["first", Started])
    assert heard[2:] == [Killing, Started]


def test_an_ended_run_is_found_again_by_another_session(session: Session, begin: Begin, tmp_path: Path) -> None:
    said = """echo '::{"outputs":{"n":1},"metrics":[{"type":"gauge","name":"loss","value":2}]}::'"""
    run = begin(f"{said}; echo text > out.txt; echo end; exit 4", output=["*.txt"]).wait()
    found = attach(Session(tmp_path), "cell-1")

    assert found is not run
    assert (found.state, found.exit_code, found.error, found.vars) == (run.state, 4, run.error, {"n": 1})
    assert (found.stdout, found.metrics["loss"].values) == ("end\n", [2])
    assert found.files["out.txt"].read_text() == "text\n"
    assert found.files["out.txt"].uri == run.files["out.txt"].uri
    assert found.rendered == run.rendered
    assert found.attempts == 1


def test_history_has_the_latest_last(session: Session, begin: Begin, tmp_path: Path) -> None:
    for n in range(3):
        begin("echo {{ inputs.n }}", name="many", input=[f"n={n}"]).wait()
    known = history(Session(tmp_path), "many")

    assert [row["n"] for row in known.table()] == [0, 1, 2]
    assert known[-1].stdout == "2\n"
    assert [run.stdout for run in known[:2]] == ["0\n", "1\n"]
    assert repr(known) == "History(3 runs)"


# What a dead kernel left


def test_what_had_ended_unseen_is_taken_over_and_not_run_again(session: Session, begin: Begin, tmp_path: Path) -> None:
    run = begin(f"#| requeue: true\necho once >> {tmp_path}/count; echo end; exit 5").wait()
    orphaned(session, run, requeue=True)
    found = recover(session)

    assert found.sentence == "left by a kernel that ended: `cell` had finished (FAILED)"
    assert [(again.exit_code, again.stdout) for again in found.finished] == [(5, "end\n")]
    assert (tmp_path / "count").read_text() == "once\n"
    record = session.journal.get(run.id)
    assert record is not None
    assert (record.state, record.exit_code) == ("FAILED", 5)


def test_what_its_kernel_had_written_down_stays_as_it_is_and_is_not_told(
    session: Session, begin: Begin, tmp_path: Path
) -> None:
    run = begin(f"#| requeue: true\necho once >> {tmp_path}/count; echo x > out.txt; exit 5", output=["out.txt"]).wait()
    written = run.folder / "_run" / "run.json"
    record = written.read_bytes()
    orphaned(session, run, requeue=True)
    written.write_bytes(record)
    found = recover(session)
    row = session.journal.get(run.id)

    assert (found.sentence, found.finished, found.again) == ("", [], [])
    assert row is not None
    assert (row.state, row.exit_code, row.error) == ("FAILED", 5, "Command failed with exit code 5")
    assert written.read_bytes() == record
    assert (tmp_path / "count").read_text() == "once\n"
    assert history(Session(tmp_path), "cell")[-1].files["out.txt"].read_text() == "x\n"


def test_what_one_kernel_has_given_up_is_not_dealt_with_by_the_next(session: Session, begin: Begin) -> None:
    run = begin("echo hi").wait()
    orphaned(session, run)
    write_lost(run.folder, "cell", run.id, LOST)
    found = recover(session)
    row = session.journal.get(run.id)

    assert found.sentence == ""
    assert row is not None
    assert (row.state, row.exit_code, row.error) == ("FAILED", None, LOST)


def test_what_ended_with_its_kernel_and_asked_for_it_begins_again(
    session: Session, begin: Begin, tmp_path: Path
) -> None:
    run = begin("#| requeue: true\necho up; sleep 300")
    seat = run.context.broadcast.sit(from_start=True)
    next(told for told in seat if told and isinstance(told[1], Output) and "up" in told[1].text)
    run.stop(grace=0, reason="kernel")
    run.wait(30)
    written = run.folder / "_run" / "run.json"
    record = written.read_bytes()
    orphaned(session, run, requeue=True)
    written.write_bytes(record)
    found = recover(session)

    assert found.sentence.endswith("`cell` begins again from the beginning (attempt 2 of 3)")
    assert [again.id for again in found.again] == [run.id]


def test_what_a_person_stopped_between_two_attempts_does_not_begin_again(session: Session, begin: Begin) -> None:
    """Also where its kernel died before the journal said so: the record says who asked."""
    run = begin("#| requeue: true\n#| retry: {type: constant, interval: PT10M, maxAttempts: 2}\nexit 3")
    seat = run.context.broadcast.sit(from_start=True)
    next(told for told in seat if told and isinstance(told[1], Settled) and told[1].state is State.RETRYING)
    run.stop()
    run.wait()
    written = run.folder / "_run" / "run.json"
    record = written.read_bytes()
    orphaned(session, run, requeue=True)
    written.write_bytes(record)

    assert (recover(session).sentence, run.state) == ("", State.KILLED)


def test_a_process_that_only_has_its_number_is_not_ended(session: Session, begin: Begin) -> None:
    run = begin("echo hi").wait()
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        status = next((run.folder / "_run").glob("*/status"))
        status.unlink()
        orphaned(session, run, pid=stranger.pid, started_ticks=1)

        assert recover(session).sentence.endswith("`cell` did not finish (FAILED)")
        assert stranger.poll() is None
    finally:
        stranger.communicate(b"\n")


def test_what_still_lives_is_ended_by_its_mark(session: Session, begin: Begin) -> None:
    run = begin("echo hi; exit 0", name="gone").wait()
    mark = 1 << 47 | 0xABCDEF
    code = f"import resource as r; r.setrlimit(10, ({mark}, r.RLIM_INFINITY)); print('up', flush=True); input()"
    left = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert left.stdout is not None
    left.stdout.readline()
    next((run.folder / "_run").glob("*/status")).unlink()
    orphaned(session, run, pid=None, started_ticks=None, marker=f"{mark:x}")

    assert recover(session).sentence.endswith("`gone` did not finish (FAILED), and 1 process of it ended now")
    assert left.wait(30) == -9
    left.stdout.close()
    left.stdin.close()  # type: ignore[union-attr]


# Secrets


@pytest.mark.parametrize("form", sorted(f.decode("latin-1") for f in hidden_forms((SECRET,))))
def test_no_form_of_a_secret_is_written_or_seen(session: Session, begin: Begin, tmp_path: Path, form: str) -> None:
    settings.update(mask=(SECRET,))
    written = form.encode("latin-1")
    quoted = base64.b64encode(b"before " + written + b" after\n").decode()
    run = begin(f"echo {quoted} | base64 -d; echo {quoted} | base64 -d >&2; exit 3").wait()

    assert "before" in run.stdout
    assert written.decode() not in run.stdout + run.stderr + run.sentence
    for place, _, names in os.walk(tmp_path):
        for name in names:
            assert written not in Path(place, name).read_bytes(), name


def test_a_secret_in_the_text_is_masked_in_every_record(session: Session, begin: Begin, tmp_path: Path) -> None:
    settings.update(mask=(SECRET,))
    said = json.dumps({"outputs": {"token": SECRET}, "logs": [{"level": "INFO", "message": f"got {SECRET}"}]})
    run = begin(
        f"printf '%s\\n' '::{said}::'; : {quote(SECRET)}; cd '/{SECRET}'",
        names={"token": SECRET},
        env=["T={{ token }}"],
    ).wait()

    assert run.vars == {"token": SECRET}
    assert SECRET not in run.rendered + " ".join(run.command) + run.sentence + run.log.text()
    assert all(SECRET not in entry.message for entry in run.result.entries)
    for place, _, names in os.walk(tmp_path):
        for name in names:
            content = Path(place, name).read_bytes()
            assert not [form for form in hidden_forms((SECRET,)) if form in content], name


@pytest.mark.parametrize(("value", "shown"), [("ab", "ab\n"), ("abc", "***\n")])
def test_a_value_of_two_characters_is_too_short_to_be_masked(begin: Begin, value: str, shown: str) -> None:
    settings.update(mask=(value,))

    assert begin(f"echo {value}").wait().stdout == shown


# Pruning


def test_old_runs_go_but_for_what_someone_holds(session: Session, begin: Begin) -> None:
    runs = [begin("echo hi; exit 0", name=name).wait() for name in ("old", "old", "bound", "bound", "pinned", "pinned")]
    live = begin("sleep 300", name="live")
    session.names = {"kept": runs[2]}
    session.journal.pin(runs[4].id)
    settings.update(keep_days=-1.0)
    left = session.pruning.now()

    assert left == []
    assert sorted(p.name for p in session.base.glob("*-*")) == [
        "bound-1",
        "bound-2",
        "live-1",
        "old-2",
        "pinned-1",
        "pinned-2",
    ]
    assert os.readlink(session.base / "old") == "old-2"
    live.stop()


def test_the_oldest_go_when_all_together_are_too_much(session: Session, begin: Begin) -> None:
    for _ in range(4):
        begin("head -c 100000 /dev/zero > big", name="fat", output=["big"]).wait()
    settings.update(keep_bytes=250_000)
    session.pruning.now()

    assert sorted(p.name for p in session.base.glob("fat-*")) == ["fat-3", "fat-4"]


def test_what_another_living_kernel_may_hold_stays(session: Session, begin: Begin) -> None:
    first = begin("echo hi", name="theirs").wait()
    begin("echo hi", name="theirs").wait()
    record = session.journal.get(first.id)
    assert record is not None
    parent = replace(Owner.me(), pid=os.getppid(), ticks=started_ticks(os.getppid()))
    other = Journal(session.journal.path, owner=parent)
    other.starting(replace(record, ended=None))
    other.ended(first.id, "SUCCESS")
    other.close()
    settings.update(keep_days=-1.0)
    session.pruning.now()

    assert sorted(p.name for p in session.base.glob("theirs-*")) == ["theirs-1", "theirs-2"]


# Flows

FLOW = """id: pair
namespace: a.b
tasks:
  - id: one
    type: io.kestra.plugin.scripts.shell.Commands
    commands: ["echo one {{ inputs.n }}"]
  - id: two
    type: io.kestra.plugin.scripts.shell.Script
    outputFiles: [out.txt]
    script: "echo {{ outputs.one.exitCode }} > out.txt; echo two"
inputs:
  - {id: n, type: INT}
"""


def flow(session: Session, tmp_path: Path) -> Run:
    return session.flow(Source(FLOW), {"inputs": {"n": 7}}, beside=tmp_path).start().wait()


def test_a_flow_is_found_again_with_all_its_tasks(session: Session, tmp_path: Path) -> None:
    run = flow(session, tmp_path)
    found = attach(Session(tmp_path), "pair")

    assert (found.state, run.ok) == (State.SUCCESS, True)
    assert [result.stdout for result in found.context.live.values()] == ["one 7\n", "two\n"]
    assert found.outputs["one"]["exitCode"] == 0
    assert found.files["out.txt"].read_text() == "0\n"


def test_a_flow_that_a_dead_kernel_left_is_marked(session: Session, tmp_path: Path) -> None:
    run = flow(session, tmp_path)
    orphaned(session, run)

    assert recover(session).sentence == "left by a kernel that ended: `pair` did not finish (FAILED)"
    assert attach(session, "pair").state is State.FAILED


def test_a_flow_that_asked_for_it_begins_again_from_its_beginning(session: Session, tmp_path: Path) -> None:
    run = flow(session, tmp_path)
    orphaned(session, run, requeue=True)
    found = recover(session)

    assert "begins again from the beginning (attempt 2 of 3)" in found.sentence
    again = found.again[0].start().wait()
    assert (again.id, again.ok, again.folder, again.files["out.txt"].read_text()) == (run.id, True, run.folder, "0\n")
    record = session.journal.get(run.id)
    assert record is not None
    assert (record.state, record.attempt) == ("SUCCESS", 2)


@pytest.mark.parametrize(
    ("asked", "reason", "again"),
    [
        ("kernel", "kernel", True),
        ("kernel", "", True),  # between two tasks
        ("", "kernel", True),
        ("stop", "stop", False),
        ("interrupt", "", False),
        ("stop", "kernel", False),
    ],
)
def test_a_flow_that_was_killed_with_its_kernel_begins_again_also_where_that_was_written_down(
    session: Session, tmp_path: Path, asked: str, reason: str, again: bool
) -> None:
    run = flow(session, tmp_path)
    written = run.folder / "_run" / "run.json"
    record = json.loads(written.read_bytes()) | {"state": "KILLED", "reason": asked}
    record["tasks"][-1]["exit"]["reason"] = reason
    orphaned(session, run, requeue=True)
    written.write_text(json.dumps(record))
    found = recover(session)

    assert [each.id for each in found.again] == ([run.id] if again else [])


def test_a_flow_is_run_again_with_another_input(session: Session, tmp_path: Path) -> None:
    again = flow(session, tmp_path).rerun(n=8)

    assert next(iter(again.context.live.values())).stdout == "one 8\n"


def test_an_input_that_the_flow_does_not_declare_is_told_with_the_near_name(session: Session, tmp_path: Path) -> None:
    run = session.flow(Source(FLOW), {"inputs": {"n": 7, "N": 8}}, beside=tmp_path).start().wait()

    assert "input `N` was given but is not declared in the flow; did you mean `n`?" in [
        entry.message for entry in run.context.entries
    ]
